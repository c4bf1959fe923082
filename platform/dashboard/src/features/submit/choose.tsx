import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CirclePlay, SearchX, Unplug, Workflow as Icon } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, got } from "@/api/client";
import { cx } from "@/lib/cx";
import { useShortcuts } from "@/shell/shortcuts";
import { Button, buttonClass } from "@/ui/button";
import { Input } from "@/ui/field";
import { Page } from "@/ui/layout";
import { Empty, ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { Described } from "@/ui/described";

const workflows = {
  queryKey: ["workflows", "cards"],
  queryFn: () =>
    got(api.GET("/api/v1/workflows", { params: { query: { fields: ["name", "version", "description", "workers", "queue", "kind"] } } })),
};
const loadErrors = {
  queryKey: ["system", "load-errors"],
  queryFn: async () => {
    const workers = await got(api.GET("/api/v1/workers", { params: { query: { fields: ["name", "load_errors"] } } }));
    const found = new Map<string, { source: string; message: string }>();
    for (const { load_errors } of workers) {
      for (const error of load_errors) {
        const [source, message] = [String(error.source ?? ""), String(error.message ?? "")];
        found.set(`${source}\n${message}`, { source, message });
      }
    }
    return [...found.values()];
  },
};

type Card = Awaited<ReturnType<typeof workflows.queryFn>>[number];

/** What the platform itself runs: found when it is looked for, and last otherwise. */
const isPlatforms = (name: string) => name.startsWith("knowledge.");

export default function ChooseWorkflow() {
  const { t } = useTranslation("submit");
  const [wanted, setWanted] = useState("");
  const { data, error, refetch, isPending } = useQuery(workflows);
  const { data: broken = [] } = useQuery(loadErrors);
  useShortcuts(t("choose.title"), [{ keys: "/", label: t("choose.search"), run: () => document.getElementById("wanted-workflow")?.focus() }]);

  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const found = (data ?? []).filter((each) => words.every((word) => `${each.name} ${each.description}`.toLowerCase().includes(word)));
  const ordered = [...found.filter((each) => !isPlatforms(each.name)), ...found.filter((each) => isPlatforms(each.name))];
  return (
    <Page title={t("choose.title")}>
      <p className="mb-4 text-sm text-soft">{t("choose.what")}</p>
      {error ? (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ) : isPending ? (
        <Skeleton lines={8} />
      ) : data.length === 0 ? (
        <Empty icon={Unplug} title={t("choose.none")} actions={<Link to="/system" className={buttonClass()}>{t("choose.to_system")}</Link>}>
          {t("choose.none_hint")}
        </Empty>
      ) : (
        <>
          <Input
            id="wanted-workflow"
            type="search"
            aria-label={t("choose.search")}
            placeholder={t("choose.search")}
            className="mb-4 max-w-md"
            value={wanted}
            onChange={(event) => setWanted(event.target.value)}
          />
          {ordered.length === 0 ? (
            <Empty icon={SearchX} title={t("choose.nothing_found", { wanted })} actions={<Button onClick={() => setWanted("")}>{t("choose.show_all")}</Button>} />
          ) : (
            <ul className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">
              {ordered.map((each) => (
                <WorkflowCard key={each.name} workflow={each} />
              ))}
            </ul>
          )}
        </>
      )}
      {broken.length > 0 && <LoadErrors errors={broken} />}
    </Page>
  );
}

function WorkflowCard({ workflow }: { workflow: Card }) {
  const { t } = useTranslation("submit");
  const served = workflow.workers > 0;
  const Served = served ? CirclePlay : Unplug;
  return (
    <li className="relative flex flex-col rounded-lg border border-line bg-surface p-4 transition-colors hover:border-line-strong" data-workflow={workflow.name}>
      <div className="flex items-baseline gap-2">
        <Icon aria-hidden size={15} className="shrink-0 self-center text-soft" />
        <h2 className="min-w-0 truncate text-sm">
          <Link
            to="/submit/$workflow"
            params={{ workflow: workflow.name }}
            className="outline-none after:absolute after:inset-0 after:rounded-lg focus-visible:after:outline-2 focus-visible:after:outline-(--focus)"
          >
            {workflow.name}
          </Link>
        </h2>
        <span className="ml-auto max-w-24 truncate font-mono text-[0.75rem] text-soft" title={workflow.version}>
          {workflow.version.slice(0, 7)}
        </span>
      </div>
      <p className="mt-1.5 line-clamp-3 flex-1 text-sm text-soft">{workflow.description ? <Described text={workflow.description} /> : t("choose.no_description")}</p>
      <p className={cx("mt-3 flex items-center gap-1.5 text-[0.8rem]", served ? "text-good" : "text-stranded")}>
        <Served aria-hidden size={14} />
        {served ? t("choose.served", { count: workflow.workers }) : t("choose.unserved")}
      </p>
    </li>
  );
}

function LoadErrors({ errors }: { errors: { source: string; message: string }[] }) {
  const { t } = useTranslation("submit");
  return (
    <Notice
      kind="warning"
      className="mt-6"
      title={t("choose.broken", { count: errors.length })}
      actions={<Link to="/system" className={buttonClass("plain", true)}>{t("choose.to_system")}</Link>}
    >
      <ul className="space-y-1">
        {errors.map(({ source, message }) => (
          <li key={`${source} ${message}`}>
            <code className="text-[0.8rem]">{source}</code>: {message}
          </li>
        ))}
      </ul>
    </Notice>
  );
}
