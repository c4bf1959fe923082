import { Ban, RotateCcw } from "lucide-react";
import { Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { lazyComponent } from "@/lib/lazy-component";
import { Button } from "@/ui/button";
import { DOABLE, doableStates, type Act } from "./bulk";
import type { Listed } from "./job-list";
import type { Wanted } from "./rows";
import type { Selection } from "./selection";
import type { Counts } from "./use-jobs";

const BulkDialog = lazyComponent(() => import("./bulk-dialog"));

interface Props {
  selection: Selection;
  listed: Listed;
  wanted: Wanted;
  counts: Counts | undefined;
}

/** What can be done to the jobs that are selected. */
export function BulkBar({ selection, listed, wanted, counts }: Props) {
  const { t } = useTranslation("jobs");
  const format = useFormat();
  const [asked, setAsked] = useState<Act | null>(null);
  const all = total(counts, wanted);
  const count = selection.all ? all : selection.ids.size;
  const ids = [...selection.ids];
  // Of those that have not been read it is not known: the API says.
  const doable = (act: Act) =>
    selection.all
      ? doableStates(act, wanted).reduce((sum, state) => sum + (counts?.counts[state] ?? 0), 0)
      : ids.filter((id) => DOABLE[act].includes(listed.rows.get(id)?.state ?? "queued")).length;
  if (count === 0) return null;
  const everyLoaded = !selection.all && listed.more && selection.ids.size >= listed.order.length;
  return (
    <>
      <div
        role="toolbar"
        aria-label={t("selected_actions")}
        className="fixed inset-x-3 bottom-18 z-30 mx-auto flex w-fit max-w-[calc(100vw-1.5rem)] flex-wrap items-center gap-x-3 gap-y-2 rounded-xl border border-line-strong/60 bg-surface p-2 pl-4 text-sm shadow-card md:bottom-5 md:left-55"
      >
        <span role="status" className="font-medium">
          {t("selected", { count, shown: format.number(count) })}
        </span>
        {everyLoaded && all > count && (
          <Button small tone="quiet" onClick={selection.selectAll}>
            {t("select_all", { count: all, shown: format.number(all) })}
          </Button>
        )}
        <span className="flex gap-2">
          <Button small tone="danger" icon={Ban} disabled={doable("cancel") === 0} onClick={() => setAsked("cancel")}>
            {t("do.cancel")}
          </Button>
          <Button small icon={RotateCcw} disabled={doable("retry") === 0} onClick={() => setAsked("retry")}>
            {t("do.retry")}
          </Button>
          <Button small tone="quiet" onClick={selection.clear}>
            {t("clear_selection")}
          </Button>
        </span>
      </div>
      {asked && (
        <Suspense>
          <BulkDialog
            act={asked}
            count={selection.all ? doable(asked) : count}
            idle={selection.all ? 0 : count - doable(asked)}
            target={selection.all ? { wanted } : { ids }}
            rows={listed.rows}
            close={(done) => {
              setAsked(null);
              if (done) selection.clear();
            }}
          />
        </Suspense>
      )}
    </>
  );
}

function total(counts: Counts | undefined, { states }: Wanted): number {
  if (!counts) return 0;
  return states ? states.reduce((sum, state) => sum + (counts.counts[state] ?? 0), 0) : counts.total;
}
