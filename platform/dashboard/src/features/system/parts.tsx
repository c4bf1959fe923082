import { useQuery } from "@tanstack/react-query";
import { CircleCheck, CircleX } from "lucide-react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { Section } from "@/ui/layout";
import { readyQuery, statusQuery } from "./status";

interface Part {
  name: string;
  ok: boolean;
  detail: string | null;
}

/** Whether each part of the platform answers, the model as the workers see it. */
export function Parts() {
  const { t } = useTranslation("system");
  const { data, error, refetch } = useQuery(readyQuery);
  const { data: status } = useQuery(statusQuery);
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} className="mb-6" />;
  const parts: Part[] = Object.entries(data?.parts ?? {})
    .filter(([name]) => name !== "workers" && !(name === "model" && status))
    .map(([name, part]) => ({ name, ...part }));
  if (status) {
    const { name, url_kind, healthy, detail } = status.model;
    parts.push({ name: "model", ok: healthy, detail: [name, t(`model.${url_kind}`), !healthy && detail].filter(Boolean).join(" · ") });
  }
  return (
    <Section title={t("parts")}>
      {!data ? (
        <Skeleton lines={2} />
      ) : (
        <ul className="grid gap-px overflow-hidden rounded-lg border border-line bg-line sm:grid-cols-2 lg:grid-cols-4">
          {parts.map((part) => (
            <PartView key={part.name} part={part} />
          ))}
        </ul>
      )}
    </Section>
  );
}

function PartView({ part }: { part: Part }) {
  const { t } = useTranslation("system");
  const Icon = part.ok ? CircleCheck : CircleX;
  return (
    <li className="bg-surface p-3 text-sm" data-part={part.name} data-state={part.ok ? "ok" : "bad"}>
      <div className="flex items-center justify-between gap-2">
        <span className="font-medium">{t(`part.${part.name}`, { defaultValue: part.name })}</span>
        <span className={cx("inline-flex items-center gap-1 text-[0.8rem] font-medium", part.ok ? "text-good" : "text-bad")}>
          <Icon aria-hidden size={14} />
          {part.ok ? t("answers") : t("silent")}
        </span>
      </div>
      {part.detail && <div className="mt-0.5 text-[0.8rem] break-words text-soft">{part.detail}</div>}
    </li>
  );
}
