import { useQuery } from "@tanstack/react-query";
import { Pencil } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Bar } from "@/ui/bar";
import { Button } from "@/ui/button";
import { Card, Section } from "@/ui/layout";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { ChangeLimits } from "./change-limits";
import { projectQuery, type Project } from "./queries";

/** What the project may run and spend, and what it has. */
export function ProjectSection({ mayChange }: { mayChange: boolean }) {
  const { t } = useTranslation("settings");
  const { data, error, refetch } = useQuery(projectQuery);
  const [editing, setEditing] = useState(false);
  return (
    <Section
      title={data ? t("project.title", { name: data.name }) : t("project.loading")}
      actions={
        mayChange &&
        data && (
          <Button icon={Pencil} onClick={() => setEditing(true)}>
            {t("project.change")}
          </Button>
        )
      }
    >
      {error && !data ? <ErrorNotice error={error} retry={() => void refetch()} /> : !data ? <Skeleton lines={4} /> : <Limits project={data} />}
      {data && editing && <ChangeLimits project={data} onClose={() => setEditing(false)} />}
    </Section>
  );
}

function Limits({ project }: { project: Project }) {
  const { t } = useTranslation("settings");
  const format = useFormat();
  const { usage, budget } = project;
  return (
    <Card className="grid gap-x-8 gap-y-4 sm:grid-cols-2">
      <Limit name={t("project.running")} used={project.running} limit={project.max_running} />
      <div className="text-sm">
        <div className="text-soft">{t("project.queued")}</div>
        <div className="font-medium">{format.number(project.queued)}</div>
      </div>
      <Limit name={t("project.tokens", { month: usage.month })} used={usage.tokens} limit={budget?.tokens} />
      <Limit name={t("project.calls", { month: usage.month })} used={usage.model_calls} limit={budget?.model_calls} />
      <Limit name={t("project.cost", { month: usage.month })} used={usage.cost} limit={budget?.cost} />
    </Card>
  );
}

function Limit({ name, used, limit }: { name: string; used: number; limit: number | null | undefined }) {
  const { t } = useTranslation("settings");
  const format = useFormat();
  const has = limit !== null && limit !== undefined;
  return (
    <div className="text-sm">
      <div className="text-soft">{name}</div>
      <div className="font-medium">
        {format.money(used)} <span className="font-normal text-soft">{has ? t("project.of", { limit: format.money(limit) }) : t("project.unlimited")}</span>
      </div>
      {has && <Bar value={used} max={limit} color={used >= limit ? "bg-bad" : "bg-accent"} className="mt-1.5" />}
    </div>
  );
}
