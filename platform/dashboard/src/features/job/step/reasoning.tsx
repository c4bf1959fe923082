import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { useFormat } from "@/lib/format";
import type { Source, Thought } from "./payload";
import { sourcesIn } from "./payload";

/** A chain of thought: each thought, what it claims, how sure it is, and the evidence that it stands on. */
export function Reasoning({ job, thoughts, sources }: { job: Job; thoughts: readonly Thought[]; sources: readonly Source[] }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const known = new Map([...sourcesIn(job.output), ...sources].map((source) => [source.id, source]));
  return (
    <ol className="space-y-3">
      {thoughts.map((thought, index) => (
        <li key={index} className="rounded-md border border-line p-3 text-sm">
          <div className="flex flex-wrap items-center justify-between gap-2 text-[0.8rem] text-soft">
            <span>
              {t("reason.number", { number: index + 1 })} · {t(thought.origin === "model" ? "reason.model" : "reason.rule")}
            </span>
            <span className="flex items-center gap-2">
              <Meter value={thought.confidence} label={t("reason.confidence")} />
              {t("reason.sure", { percent: format.number(Math.round(thought.confidence * 100)) })}
            </span>
          </div>
          {thought.thought && <p className="mt-1.5 text-soft">{thought.thought}</p>}
          <p className="mt-1 font-medium">{thought.claim}</p>
          <ul className="mt-2 flex flex-wrap gap-1.5" aria-label={t("reason.evidence")}>
            {thought.evidence_ids.map((id) => (
              <li key={id}>
                <Evidence id={id} source={known.get(id)} />
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ol>
  );
}

function Evidence({ id, source }: { id: string; source: Source | undefined }) {
  const chip = "inline-block rounded bg-hover px-1.5 py-0.5 font-mono text-[0.75rem]";
  if (!source?.document_id) return <span className={chip} title={source?.quote}>{id}</span>;
  return (
    <Link
      to="/documents/$documentId"
      params={{ documentId: source.document_id }}
      search={{ start: source.start ?? undefined, end: source.end ?? undefined }}
      className={`${chip} text-accent-text hover:underline`}
      title={source.quote}
    >
      {id}
    </Link>
  );
}

/** A share as a bar. */
export function Meter({ value, label }: { value: number; label: string }) {
  const part = Math.max(0, Math.min(1, value));
  return (
    <span role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={1} aria-valuenow={part} className="inline-block h-1.5 w-16 overflow-hidden rounded-full bg-hover">
      <span className="block h-full rounded-full bg-accent" style={{ width: `${part * 100}%` }} />
    </span>
  );
}
