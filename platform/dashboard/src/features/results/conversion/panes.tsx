import { ArrowDown, ArrowUp, CircleCheck } from "lucide-react";
import { Suspense, useMemo, useState, type RefObject } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { lazyComponent } from "@/lib/lazy-component";
import { useMedia } from "@/lib/media";
import { Button } from "@/ui/button";
import { Skeleton } from "@/ui/notices";
import { Choice } from "../choice";
import type { MergeHandle } from "../code/merge-view";
import type { ConvertedFile } from "./conversion";
import type { Pair } from "./data";

const CodeMerge = lazyComponent(() => import("../code/merge-view"));
const CodeView = lazyComponent(() => import("../code/code-view"));

/** A file's two revisions, line against line; one pane where there is no room for two, or no difference. */
export function Panes({ file, pair, merge }: { file: ConvertedFile; pair: Pair; merge: RefObject<MergeHandle | null> }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  const hasRoom = useMedia("(min-width: 48rem)");
  const [isUnified, setUnified] = useState(false);
  const [isShort, setShort] = useState(false);
  const [changes, setChanges] = useState(0);
  const noted = useMemo(() => [...new Set([...file.risks.flatMap((risk) => risk.lines), ...file.secrets.map((each) => each.line)])], [file]);
  const labels = useMemo(
    () => ({ before: t("panes.before", { name: file.path }), after: t("panes.after", { name: file.path }), unchanged: t("panes.unchanged") }),
    [t, file.path],
  );
  if (pair.before === pair.after) {
    return (
      <>
        <p className="mb-2 text-sm text-soft">{t(file.outcome === "copied" ? "panes.copied" : "panes.same")}</p>
        <Suspense fallback={<Skeleton lines={14} />}>
          <CodeView ref={merge} text={pair.after} name={file.path} label={file.path} noted={noted} />
        </Suspense>
      </>
    );
  }
  const unified = isUnified || !hasRoom;
  return (
    <div className="rounded-lg border border-line bg-surface">
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-b border-line px-3 py-2">
        <div className="flex flex-wrap items-center gap-2">
          <Button small icon={ArrowUp} onClick={() => merge.current?.previous()}>
            {t("panes.previous")}
          </Button>
          <Button small icon={ArrowDown} onClick={() => merge.current?.next()}>
            {t("panes.next")}
          </Button>
          <span className="text-[0.85rem] whitespace-nowrap text-soft">{t("panes.changes", { count: changes, number: format.number(changes) })}</span>
        </div>
        <div className="flex flex-wrap items-center gap-3">
          <label className="flex items-center gap-1.5 text-[0.85rem]">
            <input type="checkbox" checked={isShort} onChange={(event) => setShort(event.target.checked)} className="accent-accent" />
            {t("panes.only_changes")}
          </label>
          {hasRoom && (
            <Choice
              label={t("panes.layout")}
              value={isUnified ? "unified" : "beside"}
              options={[["beside", t("panes.beside")], ["unified", t("panes.unified")]]}
              onChange={(chosen) => setUnified(chosen === "unified")}
            />
          )}
        </div>
      </div>
      {!unified && (
        <div className="grid grid-cols-2 border-b border-line text-[0.8rem] text-soft">
          <div className="flex flex-wrap items-center gap-x-2 border-r border-line px-3 py-1">
            <span className="font-medium text-ink">{t("panes.source")}</span>
            {pair.isOriginal && (
              <span className="inline-flex items-center gap-1 text-good">
                <CircleCheck aria-hidden size={12} />
                {t("panes.checked")}
              </span>
            )}
          </div>
          <div className="px-3 py-1 font-medium text-ink">{t("panes.target")}</div>
        </div>
      )}
      <Suspense fallback={<Skeleton lines={14} className="p-3" />}>
        <CodeMerge
          ref={merge}
          before={pair.before}
          after={pair.after}
          changes={pair.changes}
          name={file.path}
          labels={labels}
          noted={noted}
          unified={unified}
          collapse={isShort}
          onCount={setChanges}
        />
      </Suspense>
    </div>
  );
}
