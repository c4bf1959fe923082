import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Workflow as Icon } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Command } from "@/features/system/command";
import { LoadErrors } from "@/features/system/load-errors";
import { workersQuery } from "@/features/system/status";
import { useMay } from "@/session/session";
import { buttonClass } from "@/ui/button";
import { Input } from "@/ui/field";
import { Page } from "@/ui/layout";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { Rows, type Column } from "@/ui/rows";
import { workflowsQuery, type ListedWorkflow } from "./queries";
import { Described } from "@/ui/described";
import { Served } from "./served";

/** From so many on one looks for a name. */
const MANY = 8;

export default function WorkflowsPage() {
  const { t } = useTranslation("workflows");
  const { data, error, refetch } = useQuery(workflowsQuery);
  const { data: workers } = useQuery(workersQuery);
  const [word, setWord] = useState("");
  const wanted = word.trim().toLowerCase();
  const shown = data?.filter((each) => `${each.name} ${each.description} ${each.queue}`.toLowerCase().includes(wanted)) ?? [];
  return (
    <Page
      title={t("title")}
      actions={
        data &&
        data.length >= MANY && (
          <Input type="search" aria-label={t("filter")} placeholder={t("filter")} value={word} className="w-56" onChange={(event) => setWord(event.target.value)} />
        )
      }
    >
      {error && !data ? (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Skeleton lines={8} />
      ) : data.length === 0 ? (
        <Empty icon={Icon} title={t("empty.title")} actions={<Command>mutirao up</Command>}>
          {t("empty.what")}
        </Empty>
      ) : (
        <>
          <LoadErrors workers={workers ?? []} className="mb-5" />
          {shown.length === 0 ? <Empty title={t("no_match", { word })} /> : <Table workflows={shown} />}
        </>
      )}
    </Page>
  );
}

function Table({ workflows }: { workflows: ListedWorkflow[] }) {
  const { t } = useTranslation("workflows");
  const format = useFormat();
  const may = useMay("submit");
  const columns: Column<ListedWorkflow>[] = [
    {
      id: "name",
      head: t("column.workflow"),
      title: true,
      className: "sm:w-full",
      cell: (each) => (
        <>
          <Link to="/workflows/$name" params={{ name: each.name }} className="font-medium break-words text-accent-text underline-offset-2 hover:underline">
            {each.name}
          </Link>
          {each.description && <p className="line-clamp-2 max-w-prose text-[0.85rem] text-soft"><Described text={each.description} /></p>}
        </>
      ),
    },
    { id: "served", head: t("column.workers"), cell: (each) => <Served workers={each.workers} /> },
    { id: "queue", head: t("column.queue"), cell: (each) => <span className="break-words">{each.queue}</span> },
    { id: "kind", minor: true, head: t("column.kind"), cell: (each) => t(`kind.${each.kind}`, { defaultValue: each.kind }) },
    {
      id: "version",
      minor: true,
      head: t("column.version"),
      cell: (each) => (
        <span title={format.full(each.created_at)} className="font-mono text-[0.8rem] text-soft">
          {each.version}
        </span>
      ),
    },
  ];
  if (may) {
    columns.push({
      id: "submit",
      head: <span className="sr-only">{t("submit")}</span>,
      cell: (each) => (
        <Link to="/submit/$workflow" params={{ workflow: each.name }} className={buttonClass("plain", true)} aria-label={t("submit_one", { name: each.name })}>
          {t("submit")}
        </Link>
      ),
    });
  }
  return <Rows label={t("title")} columns={columns} rows={workflows} rowKey={(each) => each.name} rowProps={(each) => ({ "data-workflow": each.name })} />;
}
