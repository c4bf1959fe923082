import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { useFormat } from "@/lib/format";
import { Notice } from "@/ui/notices";
import { isOver } from "@/ui/state";

/** That somebody has asked for the job's end: who and when, as far as it is known. */
export function Cancelled({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const who = job.cancel_requested_by;
  const at = format.full(job.cancel_requested_at ?? job.finished_at ?? job.created_at);
  if (!isOver(job.state)) {
    return (
      <Notice className="mb-4" title={t("waits.cancelling")}>
        {who ? t("waits.cancelling_by", { at, who }) : t("waits.cancelling_hint", { at })}
      </Notice>
    );
  }
  return (
    <Notice className="mb-4" title={who ? t("cancel.was_by", { at, who }) : t("cancel.was", { at })}>
      {t("cancel.now")}
    </Notice>
  );
}
