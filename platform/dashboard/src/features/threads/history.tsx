import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { GitFork } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { useFormat } from "@/lib/format";
import { useMay } from "@/session/session";
import { Button, buttonClass } from "@/ui/button";
import { ShortId } from "@/ui/copy";
import { Json } from "@/ui/json";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { Moment } from "@/ui/time";
import { checkpointsQuery, stateQuery, threadJobsQuery, type ListedJob } from "./queries";

type Checkpoint = Schemas["Checkpoint"];

/** Where a thread has stood: the checkpoints of its jobs, newest first, with their values for who wants them. */
export function History({ threadId }: { threadId: string }) {
  const { t } = useTranslation("threads");
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(threadJobsQuery(threadId));
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton lines={6} />;
  const jobs = data.pages.flatMap((page) => page.rows);
  if (jobs.length === 0) return <Empty title={t("history.none")} />;
  return (
    <div className="space-y-5">
      {jobs.map((job, index) => (
        <JobHistory key={job.id} threadId={threadId} job={job} open={index === 0} />
      ))}
      {hasNextPage && (
        <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t("more")}
        </Button>
      )}
    </div>
  );
}

function JobHistory({ threadId, job, open: first }: { threadId: string; job: ListedJob; open: boolean }) {
  const { t } = useTranslation("threads");
  const [open, setOpen] = useState(first);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)} className="rounded-lg border border-line bg-surface">
      <summary className="px-3 py-2 text-sm font-medium">
        {t("history.job", { workflow: job.workflow })} <ShortId id={job.id} />
        <span className="ml-2 font-normal text-soft">
          <Moment at={job.created_at} />
        </span>
      </summary>
      {open && <Checkpoints threadId={threadId} jobId={job.id} />}
    </details>
  );
}

function Checkpoints({ threadId, jobId }: { threadId: string; jobId: string }) {
  const { t } = useTranslation("threads");
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(checkpointsQuery(jobId));
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} className="m-3" />;
  if (!data) return <Skeleton lines={3} className="m-3" />;
  const checkpoints = data.pages.flat();
  if (checkpoints.length === 0) return <p className="px-3 pb-3 text-sm text-soft">{t("history.none")}</p>;
  return (
    <>
      <ol className="divide-y divide-line border-t border-line">
        {checkpoints.map((checkpoint) => (
          <CheckpointRow key={checkpoint.id} threadId={threadId} jobId={jobId} checkpoint={checkpoint} />
        ))}
      </ol>
      {hasNextPage && (
        <div className="border-t border-line p-2">
          <Button small busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {t("more")}
          </Button>
        </div>
      )}
    </>
  );
}

function CheckpointRow({ threadId, jobId, checkpoint }: { threadId: string; jobId: string; checkpoint: Checkpoint }) {
  const { t } = useTranslation("threads");
  const format = useFormat();
  const mayFork = useMay("submit");
  const [open, setOpen] = useState(false);
  return (
    <li className="px-3 py-2 text-sm" data-checkpoint={checkpoint.id}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="font-medium">{t("history.step", { step: format.number(checkpoint.step ?? 0) })}</span>
        <span className="text-soft">{t(`source.${checkpoint.source}`, { defaultValue: checkpoint.source ?? "" })}</span>
        <span className="text-soft">
          <Moment at={checkpoint.created_at} />
        </span>
        <span className="ml-auto flex flex-wrap gap-1">
          <Button small tone="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
            {t(open ? "history.hide" : "history.show")}
          </Button>
          {mayFork && (
            <Link to="/jobs/$jobId" params={{ jobId }} className={buttonClass("quiet", true)}>
              <GitFork aria-hidden size={14} />
              {t("history.fork")}
            </Link>
          )}
        </span>
      </div>
      {open && <StateAt threadId={threadId} checkpoint={checkpoint.id} />}
    </li>
  );
}

function StateAt({ threadId, checkpoint }: { threadId: string; checkpoint: string }) {
  const { t } = useTranslation("threads");
  const { data, error, refetch } = useQuery(stateQuery(threadId, checkpoint));
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} className="mt-2" />;
  if (!data) return <Skeleton lines={3} className="mt-2" />;
  return (
    <div className="mt-2 space-y-2">
      <p className="text-soft">{data.next.length > 0 ? t("history.next", { steps: data.next.join(", ") }) : t("history.end")}</p>
      <Json value={data.values} label={t("tab.values")} />
    </div>
  );
}
