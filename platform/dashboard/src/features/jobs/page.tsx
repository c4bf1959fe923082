import { getRouteApi, Link } from "@tanstack/react-router";
import { ListFilter, Plus } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { lazyComponent } from "@/lib/lazy-component";
import { useMay } from "@/session/session";
import { useShortcuts } from "@/shell/shortcuts";
import { Button, buttonClass } from "@/ui/button";
import { Page } from "@/ui/layout";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { BulkBar } from "./bulk-bar";
import { StateCounts } from "./counts";
import { FilterBar } from "./filter-bar";
import { isFiltered, type Search } from "./filters";
import { Rows } from "./list";
import { useSelection } from "./selection";
import { useCounts, useJobs, useWanted } from "./use-jobs";

const FirstRun = lazyComponent(() => import("./first-run"));
const route = getRouteApi("/frame/jobs");

export default function JobsPage() {
  const { t } = useTranslation("jobs");
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const wanted = useWanted(search);
  const { list, head, listed } = useJobs(wanted);
  const counts = useCounts(wanted.query);
  const selection = useSelection();
  const filter = useRef<HTMLSelectElement>(null);
  const maySubmit = useMay("submit");
  const [busy, setBusy] = useState(false);

  // The list was read anew, as after a lost connection: the counts are of before.
  const { again } = counts;
  const counted = useRef(again);
  useEffect(() => {
    counted.current = again;
  });
  useEffect(() => {
    if (head.dataUpdatedAt > 0) counted.current();
  }, [head.dataUpdatedAt]);
  const { clear } = selection;
  useEffect(() => clear(), [wanted, clear]);

  const change = (what: Partial<Search>) => void navigate({ search: (before) => ({ ...before, ...what }), replace: true });
  const reset = () => void navigate({ search: (before) => ({ sort: before.sort }), replace: true });
  useShortcuts(t("title"), [
    { keys: "/", label: t("keys.filter"), run: () => filter.current?.focus() },
    { keys: "Escape", label: t("keys.clear"), run: () => clear() },
  ]);

  const filtered = isFiltered(search);
  const nothing = head.data?.jobs.length === 0 && listed.order.length === 0;
  // The demo makes jobs of its own: they do not take its progress away.
  if (busy || (nothing && !filtered)) return <FirstRun onBusy={setBusy} />;
  return (
    <Page
      wide
      title={t("title")}
      actions={
        maySubmit && (
          <Link to="/submit" className={buttonClass("primary")}>
            <Plus aria-hidden size={16} />
            {t("submit")}
          </Link>
        )
      }
    >
      <StateCounts counts={counts.data} chosen={search.state} onChoose={(state) => change({ state })} />
      <div className="my-3">
        <FilterBar search={search} onChange={change} onClear={reset} first={filter} />
      </div>
      {head.isError && !head.data ? (
        <ErrorNotice error={head.error} retry={() => void head.refetch()} />
      ) : nothing ? (
        <Empty icon={ListFilter} title={t("none_fits")} actions={<Button onClick={reset}>{t("clear_filters")}</Button>}>
          {t("none_fits_hint")}
        </Empty>
      ) : listed.order.length === 0 ? (
        <Skeleton lines={12} />
      ) : (
        <Rows list={list} listed={listed} selection={selection} selectable={maySubmit} />
      )}
      {maySubmit && <BulkBar selection={selection} listed={listed} wanted={wanted} counts={counts.data} />}
    </Page>
  );
}
