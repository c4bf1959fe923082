import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Section } from "@/ui/layout";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { Rows, type Column } from "@/ui/rows";
import { Badge, JOB_LOOKS } from "@/ui/state";
import { Took } from "@/ui/time";
import { statusQuery, type Queue } from "./status";

export function Queues() {
  const { t } = useTranslation("system");
  const format = useFormat();
  const { data, error, refetch } = useQuery(statusQuery);
  const columns: Column<Queue>[] = [
    {
      id: "name",
      head: t("column.queue"),
      title: true,
      className: "sm:w-full",
      cell: (each) => (
        <span className="flex flex-wrap items-center gap-2">
          <span className="font-medium break-words">{each.name}</span>
          {each.workers === 0 && <Badge look={JOB_LOOKS.stranded}>{t("unserved")}</Badge>}
        </span>
      ),
    },
    { id: "queued", head: t("column.queued"), numeric: true, cell: (each) => format.number(each.queued) },
    { id: "oldest", head: t("column.oldest"), numeric: true, cell: (each) => (each.oldest_queued_at ? <Took from={each.oldest_queued_at} /> : "–") },
    { id: "running", head: t("column.running"), numeric: true, cell: (each) => format.number(each.running) },
    { id: "workers", head: t("workers"), numeric: true, cell: (each) => format.number(each.workers) },
    { id: "slots", head: t("column.slots"), numeric: true, cell: (each) => format.number(each.slots) },
  ];
  return (
    <Section title={t("queues")}>
      {error && !data ? (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Skeleton lines={3} />
      ) : (
        <Rows label={t("queues")} columns={columns} rows={data.queues} rowKey={(each) => each.name} rowProps={(each) => ({ "data-queue": each.name })} />
      )}
    </Section>
  );
}
