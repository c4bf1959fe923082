import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { ListChecks, Rocket } from "lucide-react";
import { Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Workflow } from "@/api/client";
import { Command } from "@/features/system/command";
import { workerFor } from "@/features/system/starved";
import { lazyComponent } from "@/lib/lazy-component";
import { useMay } from "@/session/session";
import { buttonClass } from "@/ui/button";
import { Page, Section } from "@/ui/layout";
import { ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { Tabs, type Tab } from "@/ui/tabs";
import { Described } from "@/ui/described";
import { workflowQuery } from "./queries";
import type { Schema } from "./schema-fields";
import { SchemaView } from "./schema-view";
import { Served } from "./served";
import { SnippetView } from "./snippet-view";
import { Versions } from "./versions";

// With it comes what lays graphs out.
const Graphs = lazyComponent(() => import("./graphs"));

export default function WorkflowPage() {
  const { t } = useTranslation("workflows");
  const { name } = useParams({ from: "/frame/workflows/$name" });
  const { version } = useSearch({ from: "/frame/workflows/$name" });
  const may = useMay("submit");
  const { data, error, refetch } = useQuery(workflowQuery(name, version));
  return (
    <Page
      wide
      title={name}
      over={
        <Link to="/workflows" className="underline-offset-2 hover:text-ink hover:underline">
          {t("title")}
        </Link>
      }
      beside={data && <Served workers={data.workers} />}
      actions={
        <>
          <Link to="/jobs" search={{ workflow: name }} className={buttonClass()}>
            <ListChecks aria-hidden size={16} />
            {t("jobs")}
          </Link>
          {may && (
            <Link to="/submit/$workflow" params={{ workflow: name }} search={{ version }} className={buttonClass("primary")}>
              <Rocket aria-hidden size={16} />
              {t("submit")}
            </Link>
          )}
        </>
      }
    >
      {error && !data ? <ErrorNotice error={error} retry={() => void refetch()} /> : data ? <Shown workflow={data} asked={version} /> : <Skeleton lines={10} />}
    </Page>
  );
}

function Shown({ workflow, asked }: { workflow: Workflow; asked: string | undefined }) {
  const { t } = useTranslation("workflows");
  return (
    <>
      {asked && (
        <Notice
          title={t("of_version", { version: asked })}
          className="mb-4"
          actions={
            <Link to="/workflows/$name" params={{ name: workflow.name }} className={buttonClass("plain", true)}>
              {t("to_current")}
            </Link>
          }
        />
      )}
      {workflow.workers === 0 && (
        <Notice kind="warning" title={t("unserved")} className="mb-4">
          <p className="mb-1">{t("unserved_what", { queue: workflow.queue })}</p>
          <Command>{workerFor(workflow.queue)}</Command>
        </Notice>
      )}
      {workflow.description && <p className="mb-2 max-w-prose"><Described text={workflow.description} /></p>}
      <p className="mb-5 text-sm text-soft">
        {t("facts", { version: workflow.version, queue: workflow.queue, kind: t(`kind.${workflow.kind}`, { defaultValue: workflow.kind }) })}
      </p>
      <Section title={t("graph.title")}>
        <Suspense fallback={<Skeleton lines={4} />}>
          <Graphs graph={workflow.graph} />
        </Suspense>
      </Section>
      <Schemas workflow={workflow} />
      <Section title={t("versions.title")}>
        <Versions name={workflow.name} shown={workflow.version} />
      </Section>
      <Section title={t("snippet.title")}>
        <SnippetView workflow={workflow} />
      </Section>
    </>
  );
}

const SCHEMAS = ["input", "output", "state", "config", "context"] as const;

function Schemas({ workflow }: { workflow: Workflow }) {
  const { t } = useTranslation("workflows");
  const [tab, setTab] = useState<string>("input");
  const tabs = SCHEMAS.flatMap((which): Tab[] => {
    const schema = (workflow[`${which}_schema`] ?? {}) as Schema;
    if (which !== "input" && Object.keys(schema).length === 0) return [];
    return [{ id: which, label: t(`schema.of.${which}`), content: <SchemaView schema={schema} label={t(`schema.of.${which}`)} /> }];
  });
  return (
    <Section title={t("schema.title")}>
      <Tabs label={t("schema.title")} tabs={tabs} value={tab} onChange={setTab} />
    </Section>
  );
}
