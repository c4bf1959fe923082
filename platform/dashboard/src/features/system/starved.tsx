import { useTranslation } from "react-i18next";
import { Notice } from "@/ui/notices";
import { Command } from "./command";
import type { Starved } from "./status";

/** The command that starts a worker for a queue. */
export const workerFor = (queue: string) => `MUTIRAO_QUEUES=${queue} python -m mutirao_workers`;

/** Queues with jobs that nobody will take: what to do about each. */
export function StarvedNotices({ starved }: { starved: Starved[] }) {
  const { t } = useTranslation("system");
  if (starved.length === 0) return null;
  return (
    <div className="mb-6 space-y-3">
      {starved.map((each) => (
        <Notice key={each.queue} kind="warning" title={t("starved.title", { queue: each.queue })}>
          <p>
            {each.queued > 0 ? t("starved.waiting", { count: each.queued }) : t("starved.nothing")}{" "}
            {each.workflows.length > 0 && t("starved.workflows", { workflows: each.workflows.join(", ") })}
          </p>
          <p className="mt-2 mb-1">{t("starved.remedy")}</p>
          <Command>{workerFor(each.queue)}</Command>
        </Notice>
      ))}
    </div>
  );
}
