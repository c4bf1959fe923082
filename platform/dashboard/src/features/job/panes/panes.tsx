import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Suspense, useEffect, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { api, got, type Job } from "@/api/client";
import { JobApprovals } from "@/features/approvals/decide";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { lazyComponent, preloadWhenIdle } from "@/lib/lazy-component";
import { Skeleton } from "@/ui/notices";
import { isOver } from "@/ui/state";
import { Tabs, type Tab } from "@/ui/tabs";
import { GraphPane } from "../graph/pane";
import { useModel } from "../journal";
import { usePlace } from "../place";
import { useChildCounts } from "../queries";
import { StepPanel } from "../step/panel";
import { ChildrenPane } from "./children";
import { InputPane } from "./input";

const Results = lazyComponent(() => import("@/features/results/results"));
const TimelinePane = lazyComponent(() => import("../timeline/pane"));
const OutputPane = lazyComponent(() => import("../output/pane"));
const EventsPane = lazyComponent(() => import("../events/pane"));
const LATER = [TimelinePane, OutputPane, EventsPane, Results];

/** The views of a job, of which one is shown; a step that is chosen is shown beside those that are about steps. */
export function Panes({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const { look, go } = usePlace();
  const { model } = useModel("state");
  const children = useChildCounts(job.id, !isOver(job.state)).data?.total ?? 0;
  const approvals = useApprovals(job.id);
  const result = (job.output !== null && job.output !== undefined) || model.artifacts.size > 0;
  useEffect(() => preloadWhenIdle(LATER), []);
  const beside = (content: ReactNode) => <WithStep job={job}>{content}</WithStep>;
  const tabs: Tab[] = [
    ...(result || job.state === "succeeded"
      ? [{ id: "result", label: t("tab.result"), content: <Results job={job} file={look.file} citation={look.citation} /> }]
      : []),
    { id: "graph", label: t("tab.graph"), content: beside(<GraphPane job={job} />) },
    { id: "timeline", label: t("tab.timeline"), content: beside(<TimelinePane job={job} />) },
    { id: "output", label: t("tab.output"), content: beside(<OutputPane job={job} />) },
    { id: "events", label: t("tab.events"), count: <EventCount />, content: beside(<EventsPane job={job} />) },
    ...(approvals.total > 0
      ? [{ id: "approvals", label: t("tab.approvals"), count: approvals.pending || null, content: <JobApprovals jobId={job.id} /> }]
      : []),
    ...(children > 0
      ? [{ id: "children", label: t("tab.children"), count: format.number(children), content: <ChildrenPane job={job} /> }]
      : []),
    { id: "input", label: t("tab.input"), content: <InputPane job={job} /> },
  ];
  const usual = job.state === "succeeded" && result ? "result" : "graph";
  const chosen = look.step && !look.tab ? "graph" : look.tab;
  const value = tabs.some((tab) => tab.id === chosen) ? chosen! : usual;
  return (
    <Suspense fallback={<Skeleton lines={8} />}>
      <Tabs label={t("views")} value={value} onChange={(tab) => go({ tab })} tabs={tabs} />
    </Suspense>
  );
}

/** It changes with every event: nothing but the number is drawn again. */
function EventCount() {
  const format = useFormat();
  const { model } = useModel("events");
  return <>{format.number(model.events.length)}</>;
}

function WithStep({ job, children }: { job: Job; children: ReactNode }) {
  const { look } = usePlace();
  return (
    <div className={cx("grid gap-4", look.step && "xl:grid-cols-[minmax(0,1fr)_minmax(26rem,34%)]")}>
      <div className="min-w-0">
        <Suspense fallback={<Skeleton lines={8} />}>{children}</Suspense>
      </div>
      {look.step && <StepPanel key={look.step} job={job} step={look.step} />}
    </div>
  );
}

/** How many approvals the job has asked for, and how many wait; the journal says when that changes. */
function useApprovals(jobId: string): { total: number; pending: number } {
  const client = useQueryClient();
  const { mark } = useModel("approvals");
  useEffect(() => {
    if (mark > 0) void client.invalidateQueries({ queryKey: ["approvals"] });
  }, [client, mark]);
  const { data } = useQuery({
    queryKey: ["approvals", "of", jobId],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/jobs/{job_id}/approvals", { params: { path: { job_id: jobId } }, signal })),
  });
  return { total: data?.length ?? 0, pending: data?.filter((each) => each.state === "pending").length ?? 0 };
}
