import { useQuery } from "@tanstack/react-query";
import { HeartPulse, ServerOff } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Worker } from "@/api/client";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { Bar } from "@/ui/bar";
import { Section } from "@/ui/layout";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { Rows, type Column } from "@/ui/rows";
import { Ago } from "@/ui/time";
import { Command } from "./command";
import { LoadErrors } from "./load-errors";
import { workersQuery } from "./status";

// A worker beats every few seconds, and has lost its jobs after 15: a beat has been missed by then.
const LATE = 9_000;

export function Workers() {
  const { t } = useTranslation("system");
  const { data, error, refetch } = useQuery(workersQuery);
  return (
    <Section title={t("workers")}>
      {error && !data ? (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Skeleton lines={3} />
      ) : data.length === 0 ? (
        <Empty icon={ServerOff} title={t("none.title")} actions={<Command>mutirao up</Command>}>
          {t("none.what")}
        </Empty>
      ) : (
        <>
          <Table workers={data} />
          <LoadErrors workers={data} className="mt-3" />
        </>
      )}
    </Section>
  );
}

function Table({ workers }: { workers: Worker[] }) {
  const { t } = useTranslation("system");
  const columns: Column<Worker>[] = [
    {
      id: "name",
      head: t("column.worker"),
      title: true,
      cell: (each) => (
        <>
          <div className="font-medium break-words">{each.name}</div>
          <div className="text-[0.8rem] break-words text-soft">{t("process", { host: each.host, pid: each.pid })}</div>
        </>
      ),
    },
    { id: "queues", head: t("column.queues"), cell: (each) => <span className="break-words">{each.queues.join(", ")}</span> },
    { id: "kind", minor: true, head: t("column.kind"), cell: (each) => t(`kind.${each.kind}`, { defaultValue: each.kind }) },
    { id: "slots", head: t("column.slots"), className: "sm:min-w-32", cell: (each) => <Slots worker={each} /> },
    { id: "brings", minor: true, head: t("column.brings"), cell: (each) => <Brings worker={each} /> },
    { id: "heartbeat", head: t("column.heartbeat"), cell: (each) => <Heartbeat at={each.heartbeat_at} /> },
    { id: "started", head: t("column.started"), className: "whitespace-nowrap text-soft", cell: (each) => <Ago at={each.started_at} /> },
  ];
  return <Rows label={t("workers")} columns={columns} rows={workers} rowKey={(each) => each.id} rowProps={(each) => ({ "data-worker": each.name })} />;
}

function Slots({ worker }: { worker: Worker }) {
  const { t } = useTranslation("system");
  const format = useFormat();
  return (
    <>
      <div>{t("slots", { running: format.number(worker.running), slots: format.number(worker.slots) })}</div>
      <Bar value={worker.running} max={worker.slots} color={worker.running >= worker.slots ? "bg-paused" : "bg-running"} className="mt-1 max-sm:w-32" />
    </>
  );
}

const BRINGS = ["auth", "app", "store_index", "thread_ttl"];

function Brings({ worker }: { worker: Worker }) {
  const { t } = useTranslation("system");
  const brought = BRINGS.filter((name) => worker.brings?.[name]);
  if (brought.length === 0) return <span className="text-soft">–</span>;
  return <>{brought.map((name) => t(`brings.${name}`)).join(", ")}</>;
}

function Heartbeat({ at }: { at: string }) {
  const { t } = useTranslation("system");
  const format = useFormat();
  const beat = new Date(at).getTime();
  // The server's clock may be ahead of this one.
  const age = Math.max(0, useNow() - beat);
  // The list itself is up to ten seconds old.
  const late = age > LATE + 10_000;
  return (
    <span title={format.full(at)} className={cx("inline-flex items-center gap-1.5 whitespace-nowrap", late ? "font-medium text-stranded" : "text-soft")}>
      <HeartPulse aria-hidden size={14} />
      <time dateTime={at}>{format.relative(at, beat + age)}</time>
      {late && ` · ${t("late")}`}
    </span>
  );
}
