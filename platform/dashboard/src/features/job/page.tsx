import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { ApiError, type Job } from "@/api/client";
import { NotFound } from "@/shell/frame";
import { Page } from "@/ui/layout";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { JobBadge } from "@/ui/state";
import { Actions } from "./act/actions";
import { ActionsProvider } from "./act/context";
import { JournalProvider, useModel, useOpenJournal } from "./journal";
import { Links } from "./head/links";
import { Measures } from "./head/measures";
import { Situation } from "./head/situation";
import { StreamLine } from "./head/stream-line";
import { Panes } from "./panes/panes";
import { usePlace } from "./place";
import { useFreshJob, useJob } from "./queries";
import { tellingOf } from "./telling";

export default function JobPage() {
  const { jobId } = usePlace();
  return <OneJob key={jobId} jobId={jobId} />;
}

function OneJob({ jobId }: { jobId: string }) {
  const { t } = useTranslation("job");
  const journal = useOpenJournal(jobId);
  const job = useJob(jobId);
  if (job.error instanceof ApiError && [404, 422].includes(job.error.status)) return <NotFound />;
  if (!job.data) {
    return (
      <Page title={t("title")} wide>
        {job.isError ? <ErrorNotice error={job.error} retry={() => void job.refetch()} /> : <Skeleton lines={8} />}
      </Page>
    );
  }
  return (
    <JournalProvider value={journal}>
      <Shown job={job.data} />
    </JournalProvider>
  );
}

function Shown({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  useFreshJob(job.id);
  const { model } = useModel("state");
  // The journal is ahead of the row, which is asked for again when they differ.
  const state = model.lastSeq >= job.last_seq ? model.state : job.state;
  const waitingFor = model.lastSeq >= job.last_seq ? model.waitingFor : job.waiting_for;
  const now: Job = { ...job, state, waiting_for: waitingFor ?? null };
  const telling = tellingOf(job.input);
  return (
    <ActionsProvider job={now}>
      <Page
        wide
        title={telling ?? job.workflow}
        over={
          <nav aria-label={t("where")}>
            <Link to="/jobs" className="underline-offset-2 hover:text-ink hover:underline">
              {t("jobs")}
            </Link>
            <span aria-hidden> / </span>
            <Link to="/jobs" search={{ workflow: job.workflow }} className="underline-offset-2 hover:text-ink hover:underline">
              {job.workflow}
            </Link>
          </nav>
        }
        beside={
          <span data-job={job.id} data-state={state} role="status" aria-label={t("state")}>
            <JobBadge state={state} waitingFor={waitingFor} className="!px-3 !py-1 !text-[0.95rem]" />
          </span>
        }
        actions={<Actions job={now} />}
      >
        <Measures job={now} />
        <Links job={job} />
        <StreamLine />
        <Situation job={now} />
        <Panes job={now} />
      </Page>
    </ActionsProvider>
  );
}
