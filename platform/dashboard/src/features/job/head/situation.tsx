import { Link } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { JobApprovals } from "@/features/approvals/decide";
import { useNow } from "@/lib/clock";
import { useFormat } from "@/lib/format";
import { useMay } from "@/session/session";
import { Button, buttonClass } from "@/ui/button";
import { Notice } from "@/ui/notices";
import { isOver } from "@/ui/state";
import { useActions } from "../act/context";
import { useModel } from "../journal";
import { usePlace } from "../place";
import { useChildCounts, useVersion } from "../queries";
import { Cancelled } from "./cancelled";
import { PastTrouble, TroubleNotice } from "./trouble";

/** What a person must know before everything else: the first error and what to do now, or what the job waits for. */
export function Situation({ job }: { job: Job }) {
  const { model } = useModel("state");
  const { state } = job;
  if (state === "failed" || state === "dead" || state === "budget_exhausted") return <TroubleNotice job={job} />;
  return (
    <>
      {!isOver(state) && model.trouble && <PastTrouble />}
      <Waits job={job} />
    </>
  );
}

/** Why nothing happens just now, in a sentence. */
function Waits({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  if (job.state === "cancelled" || (job.cancel_requested_at && !isOver(job.state))) return <Cancelled job={job} />;
  switch (job.state) {
    case "queued":
      return <Queued job={job} />;
    case "waiting":
      return <Children job={job} />;
    case "stranded":
      return (
        <Line kind="warning" title={t("waits.stranded", { version: `${job.workflow}@${job.version}` })} actions={<FromStranded />}>
          {t("waits.stranded_hint")}
        </Line>
      );
    case "paused":
      return job.waiting_for === "approval" ? <Decision job={job} /> : <Line title={t("waits.request")}>{t("waits.request_hint")}</Line>;
    case "running":
      return job.pause_requested_at ? <Line title={t("waits.pausing")}>{t("waits.pausing_hint")}</Line> : null;
    default:
      return null;
  }
}

function FromStranded() {
  const { t } = useTranslation("job");
  const may = useMay("submit");
  const { open } = useActions();
  return (
    <>
      {may && (
        <Button small tone="primary" icon={RotateCcw} onClick={() => open("retry")}>
          {t("act.retry_current")}
        </Button>
      )}
      <ToSystem />
    </>
  );
}

function Queued({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const { model } = useModel("state");
  const now = useNow();
  const version = useVersion(job, true);
  const due = model.retryAt ?? (job.available_at ? Date.parse(job.available_at) : 0);
  if (due > now) {
    const at = { at: format.full(due), in: format.relative(due, now) };
    return <Line title={t(model.retryAt ? "waits.retry_due" : "waits.due", at)}>{null}</Line>;
  }
  if (version.data?.workers === 0) {
    return (
      <Line kind="warning" title={t("waits.no_worker", { queue: job.queue })} actions={<ToSystem />}>
        {t("waits.no_worker_hint", { version: `${job.workflow}@${job.version}` })}
      </Line>
    );
  }
  return <Line title={t("waits.queued", { queue: job.queue })}>{t("waits.queued_hint")}</Line>;
}

function Children({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const { look, go } = usePlace();
  const { data } = useChildCounts(job.id, true);
  if (!data) return <Line title={t("waits.children_unknown")}>{null}</Line>;
  const open = Object.entries(data.counts).reduce((sum, [state, count]) => sum + (isOver(state as Job["state"]) ? 0 : count), 0);
  return (
    <Line
      title={t("waits.children", { count: open, open: format.number(open), total: format.number(data.total) })}
      actions={
        look.tab !== "children" && (
          <Button small onClick={() => go({ tab: "children" })}>
            {t("waits.to_children")}
          </Button>
        )
      }
    >
      {t("waits.children_hint")}
    </Line>
  );
}

function Decision({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const { look } = usePlace();
  return (
    <section aria-label={t("waits.approval")} className="mb-4">
      <Line title={t("waits.approval")}>{t("waits.approval_hint")}</Line>
      {look.tab !== "approvals" && <JobApprovals jobId={job.id} />}
    </section>
  );
}

function Line({
  kind = "info",
  title,
  children,
  actions,
}: {
  kind?: "info" | "warning";
  title: string;
  children: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <Notice kind={kind} title={title} className="mb-4" actions={actions}>
      {children}
    </Notice>
  );
}

export function ToSystem() {
  const { t } = useTranslation("job");
  return (
    <Link to="/system" className={buttonClass("plain", true)}>
      {t("waits.to_system")}
    </Link>
  );
}
