import { History } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Document, Schemas } from "@/api/client";
import { Bar } from "@/ui/bar";
import { Badge, JOB_LOOKS, JobBadge, type Look } from "@/ui/state";
import { useIngest } from "./ingest";

const LOOKS: Record<Schemas["DocumentState"], Look> = {
  queued: JOB_LOOKS.queued,
  ready: JOB_LOOKS.succeeded,
  failed: JOB_LOOKS.failed,
  superseded: { ...JOB_LOOKS.cancelled, icon: History },
};

/** Where a document stands; while its job is at work, how far that is. */
export function DocumentState({ document }: { document: Document }) {
  const { t } = useTranslation("knowledge");
  if (document.state === "queued" && document.job_id) return <IngestState jobId={document.job_id} />;
  return <Badge look={LOOKS[document.state]}>{t(`document_state.${document.state}`)}</Badge>;
}

/** How far the job is that makes a document searchable. */
export function IngestState({ jobId }: { jobId: string }) {
  const { t } = useTranslation("knowledge");
  const ingest = useIngest(jobId);
  if (!ingest) return <Badge look={LOOKS.queued}>{t("document_state.queued")}</Badge>;
  const { progress, step, state } = ingest;
  return (
    <span className="inline-flex flex-col items-start gap-1 max-sm:items-end">
      <JobBadge state={state} />
      {state === "running" && step && (
        <span className="text-[0.8rem] whitespace-nowrap text-soft">
          {progress ? t("ingest.progress", { done: progress.done, total: progress.total }) : t(`ingest.step.${step}`, { defaultValue: step })}
        </span>
      )}
      {state === "running" && progress && progress.total > 0 && (
        <Bar className="w-28" value={progress.done} max={progress.total} label={t("ingest.label")} />
      )}
    </span>
  );
}
