import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, got, type Job } from "@/api/client";
import { useFormat } from "@/lib/format";
import { useMay } from "@/session/session";
import { Notice } from "@/ui/notices";
import { isOver } from "@/ui/state";

/** That somebody has asked for the job's end: who and when, as far as it is known and may be read. */
export function Cancelled({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const who = useWho(job);
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

/** Who asked for it, from the audit log, which administrators may read. */
function useWho(job: Job): string | null {
  const may = useMay("admin");
  const { data } = useQuery({
    queryKey: ["job", job.id, "cancelled-by"],
    queryFn: ({ signal }) =>
      got(api.GET("/api/v1/audit", { params: { query: { action: "job.cancel", resource_id: job.id, limit: 1 } }, signal })),
    enabled: may,
    staleTime: Infinity,
  });
  return data?.entries[0]?.actor ?? null;
}
