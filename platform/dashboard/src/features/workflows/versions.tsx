import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { JobState, Schemas } from "@/api/client";
import { useFormat } from "@/lib/format";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { Rows, type Column } from "@/ui/rows";
import { Badge, JOB_LOOKS } from "@/ui/state";
import { Ago } from "@/ui/time";
import { versionsQuery } from "./queries";
import { Served } from "./served";

type Version = Schemas["WorkflowVersion"];

/** Every version of a workflow, and the jobs that still need it. */
export function Versions({ name, shown }: { name: string; shown: string }) {
  const { t } = useTranslation("workflows");
  const { data, error, refetch } = useQuery(versionsQuery(name));
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton lines={3} />;
  const columns: Column<Version>[] = [
    {
      id: "version",
      head: t("column.version"),
      title: true,
      cell: (each) =>
        each.version === shown ? (
          <span className="font-mono text-[0.85em] font-semibold" aria-current="true">
            {each.version}
          </span>
        ) : (
          <Link to="/workflows/$name" params={{ name }} search={{ version: each.version }} className="font-mono text-[0.85em] text-accent-text underline-offset-2 hover:underline">
            {each.version}
          </Link>
        ),
    },
    { id: "workers", head: t("column.workers"), cell: (each) => <Served workers={each.workers} /> },
    { id: "unfinished", head: t("versions.unfinished"), className: "sm:w-full", cell: (each) => <Unfinished name={name} version={each} /> },
    { id: "since", head: t("versions.since"), className: "whitespace-nowrap text-soft", cell: (each) => <Ago at={each.created_at} /> },
  ];
  return <Rows label={t("versions.title")} columns={columns} rows={data} rowKey={(each) => each.version} />;
}

function Unfinished({ name, version }: { name: string; version: Version }) {
  const { t } = useTranslation(["workflows", "common"]);
  const format = useFormat();
  const counts = Object.entries(version.unfinished) as [JobState, number][];
  if (counts.length === 0) return <span className="text-soft">{t("versions.none")}</span>;
  return (
    <span className="flex flex-wrap gap-1.5 max-sm:justify-end">
      {counts.map(([state, count]) => (
        <Link key={state} to="/jobs" search={{ workflow: name, state: [state] }}>
          <Badge look={JOB_LOOKS[state]}>{`${t(`common:state.${state}`)} ${format.number(count)}`}</Badge>
        </Link>
      ))}
    </span>
  );
}
