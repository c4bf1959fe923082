import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { Button } from "@/ui/button";
import { ShortId } from "@/ui/copy";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { Rows, type Column } from "@/ui/rows";
import { JobBadge } from "@/ui/state";
import { Moment, Took } from "@/ui/time";
import { threadJobsQuery, type ListedJob } from "./queries";

/** The jobs of a thread, newest first. */
export function ThreadJobs({ threadId }: { threadId: string }) {
  const { t } = useTranslation("threads");
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(threadJobsQuery(threadId));
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton lines={4} />;
  const jobs = data.pages.flatMap((page) => page.rows);
  if (jobs.length === 0) return <Empty title={t("no_jobs")} />;
  const columns: Column<ListedJob>[] = [
    {
      id: "job",
      head: t("column.job"),
      title: true,
      className: "sm:w-full",
      cell: (each) => (
        <>
          <Link to="/jobs/$jobId" params={{ jobId: each.id }} className="inline-flex flex-wrap items-baseline gap-x-2 font-medium text-accent-text underline-offset-2 hover:underline">
            {each.workflow} <ShortId id={each.id} />
          </Link>
          {each.error && <p className="text-[0.8rem] break-words text-bad">{each.error.message}</p>}
        </>
      ),
    },
    { id: "state", head: t("column.state"), cell: (each) => <JobBadge state={each.state} waitingFor={each.waiting_for} /> },
    { id: "created", head: t("column.submitted"), className: "whitespace-nowrap text-soft", cell: (each) => <Moment at={each.created_at} /> },
    { id: "took", head: t("column.took"), numeric: true, cell: (each) => <Took from={each.started_at} to={each.finished_at} /> },
  ];
  return (
    <>
      <Rows label={t("tab.jobs")} columns={columns} rows={jobs} rowKey={(each) => each.id} rowProps={(each) => ({ "data-job": each.id, "data-state": each.state })} />
      {hasNextPage && (
        <Button className="mt-3" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t("more")}
        </Button>
      )}
    </>
  );
}
