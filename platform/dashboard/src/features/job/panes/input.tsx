import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { useFormat } from "@/lib/format";
import { Card, Facts, Section } from "@/ui/layout";
import { Json } from "@/ui/json";

/** What the job was asked for, and the settings it runs with. */
export function InputPane({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const seconds = (value: number | null | undefined) => (value == null ? t("input.none") : format.duration(value * 1_000));
  return (
    <>
      <Section title={t("input.input")}>
        <Json value={job.input} label={t("input.input")} />
      </Section>
      <Section title={t("input.settings")}>
        <Card>
          <Facts
            facts={[
              [t("input.priority"), format.number(job.priority)],
              [t("input.max_attempts"), format.number(job.max_attempts)],
              [t("input.retries"), format.number(job.retry.failures)],
              [t("input.kind"), job.kind],
              [t("input.step_seconds"), seconds(job.limits.step_seconds)],
              [t("input.attempt_seconds"), seconds(job.limits.attempt_seconds)],
              [t("input.job_seconds"), seconds(job.limits.job_seconds)],
              [t("input.deadline"), job.deadline_at ? format.full(job.deadline_at) : t("input.none")],
              [t("input.webhook"), job.webhook ?? t("input.none")],
            ]}
          />
        </Card>
      </Section>
      {Object.keys(job.metadata).length > 0 && (
        <Section title={t("input.metadata")}>
          <Json value={job.metadata} label={t("input.metadata")} />
        </Section>
      )}
      <Section title={t("input.row")}>
        <Json value={job} label={t("input.row")} />
      </Section>
    </>
  );
}
