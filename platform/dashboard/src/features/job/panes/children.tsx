import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { api, got, type Job, type Schemas } from "@/api/client";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { Badge, isOver, JOB_LOOKS, JOB_STATES, JobBadge } from "@/ui/state";
import { Took } from "@/ui/time";
import { linkClass } from "../head/links";
import { useChildCounts } from "../queries";
import { tellingOf } from "../telling";

const PAGE = 100;
const LOOK_AGAIN = 3_000;

/** What the job has fanned out to: how many are in which state, and all of them in order. */
export function ChildrenPane({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const live = !isOver(job.state);
  const counts = useChildCounts(job.id, live);
  const children = useInfiniteQuery({
    queryKey: ["job", job.id, "children"],
    queryFn: ({ pageParam, signal }) =>
      got(
        api.GET("/api/v1/jobs/{job_id}/children", {
          params: { path: { job_id: job.id }, query: { limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page: Schemas["ChildPage"]) => page.next ?? undefined,
    refetchInterval: live ? LOOK_AGAIN : false,
  });
  if (children.isError) return <ErrorNotice error={children.error} retry={() => void children.refetch()} />;
  if (!children.data) return <Skeleton lines={6} />;
  return (
    <>
      <Counts jobId={job.id} counts={counts.data?.counts} />
      <ul className="divide-y divide-line rounded-lg border border-line bg-surface">
        {children.data.pages.flatMap((page) => page.jobs).map((child) => (
          <Child key={child.id} child={child} />
        ))}
      </ul>
      {children.hasNextPage && (
        <Button className="mt-3" busy={children.isFetchingNextPage} onClick={() => void children.fetchNextPage()}>
          {t("children.more")}
        </Button>
      )}
    </>
  );
}

function Counts({ jobId, counts }: { jobId: string; counts: Record<string, number> | undefined }) {
  const { t } = useTranslation(["job", "common"]);
  const format = useFormat();
  if (!counts) return null;
  return (
    <ul className="mb-3 flex flex-wrap items-center gap-2" aria-label={t("children.counts")}>
      {JOB_STATES.filter((state) => (counts[state] ?? 0) > 0).map((state) => (
        <li key={state}>
          <Link to="/jobs" search={{ parent: jobId, state: [state] }}>
            <Badge look={JOB_LOOKS[state]}>{`${format.number(counts[state]!)} ${t(`common:state.${state}`)}`}</Badge>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function Child({ child }: { child: Job }) {
  const { t } = useTranslation("job");
  return (
    <li data-job={child.id} data-state={child.state} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-3 py-2 text-sm">
      <span className="w-10 text-right text-soft tabular-nums">{(child.ordinal ?? 0) + 1}</span>
      <Link to="/jobs/$jobId" params={{ jobId: child.id }} className={`${linkClass} min-w-0 flex-1 basis-40 truncate`}>
        {tellingOf(child.input) ?? JSON.stringify(child.input)?.slice(0, 120) ?? child.workflow}
      </Link>
      <JobBadge state={child.state} waitingFor={child.waiting_for} />
      <span className="w-20 text-right text-soft tabular-nums">
        <Took from={child.started_at} to={child.finished_at} />
      </span>
      {child.error && <span className="basis-full pl-14 text-[0.8rem] text-bad">{child.error.message}</span>}
      {child.attempts > 1 && <span className="basis-full pl-14 text-[0.8rem] text-soft">{t("children.attempts", { count: child.attempts })}</span>}
    </li>
  );
}
