import { useQueryClient } from "@tanstack/react-query";
import { useEffect, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { useNow } from "@/lib/clock";
import { useFormat } from "@/lib/format";
import { isOver } from "@/ui/state";
import { useModel } from "../journal";
import { useUsage } from "../queries";

const SETTLE = 1_000;

/** What the job has taken so far: time waited and run apart, attempts, tokens, calls, money. */
export function Measures({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const { model, mark } = useModel("state", "calls");
  const now = useNow(!isOver(job.state));
  const usage = useFreshUsage(job.id, mark);
  const held = model.spent(["paused", "waiting", "stranded"], now);
  const tokens = model.tokens;
  const input = Math.max(tokens.input, usage?.input_tokens ?? 0);
  const output = Math.max(tokens.output, usage?.output_tokens ?? 0);
  const calls = Math.max(model.callsMade, usage?.model_calls ?? 0);
  return (
    <div className="mb-3">
      <dl className="flex flex-wrap gap-x-8 gap-y-3 rounded-lg border border-line bg-surface px-4 py-3">
        <Measure name={t("measure.waited")}>{format.duration(model.spent(["queued"], now))}</Measure>
        <Measure name={t("measure.ran")} strong>
          {format.duration(model.spent(["running"], now))}
        </Measure>
        {held > 0 && <Measure name={t("measure.held")}>{format.duration(held)}</Measure>}
        <Measure name={t("measure.attempts")}>{format.number(job.attempts)}</Measure>
        {calls > 0 && <Measure name={t("measure.calls")}>{format.number(calls)}</Measure>}
        {input + output > 0 && (
          <Measure name={t("measure.tokens")}>
            {t("measure.in_out", { input: format.number(input), output: format.number(output) })}
            {tokens.cached > 0 && (
              <span className="text-soft"> · {t("measure.cached", { cached: format.number(tokens.cached) })}</span>
            )}
          </Measure>
        )}
        {usage && usage.cost > 0 && <Measure name={t("measure.cost")}>{format.money(usage.cost)}</Measure>}
        {job.budget && <Budget job={job} spent={{ tokens: input + output, model_calls: calls, cost: usage?.cost ?? 0 }} />}
      </dl>
      <CurrentProgress />
    </div>
  );
}

function Measure({ name, strong, children }: { name: string; strong?: boolean; children: ReactNode }) {
  return (
    <div>
      <dt className="text-[0.8rem] text-soft">{name}</dt>
      <dd className={strong ? "font-semibold tabular-nums" : "tabular-nums"}>{children}</dd>
    </div>
  );
}

/** What is left of the budget's tightest limit. */
function Budget({ job, spent }: { job: Job; spent: Record<"tokens" | "model_calls" | "cost", number> }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const limits = (["tokens", "model_calls", "cost"] as const).filter((name) => job.budget?.[name] != null);
  if (limits.length === 0) return null;
  const used = (name: (typeof limits)[number]) => spent[name] / job.budget![name]!;
  const tightest = limits.reduce((a, b) => (used(b) > used(a) ? b : a));
  return (
    <Measure name={t("measure.budget")}>
      {t(`measure.budget_${tightest}`, {
        spent: format.number(spent[tightest]),
        limit: format.number(job.budget![tightest]!),
      })}
    </Measure>
  );
}

/** How far a running step is, when it tells. */
function CurrentProgress() {
  const { t } = useTranslation("job");
  const format = useFormat();
  const { model } = useModel("steps", "state");
  if (model.state !== "running") return null;
  const { telling } = model;
  if (!telling?.progress || telling.progress.total <= 0) return null;
  const { done, total, what } = telling.progress;
  const part = Math.min(1, done / total);
  const label = t("progress", { step: telling.path, done: format.number(done), total: format.number(total), what });
  return (
    <div className="mt-2 flex items-center gap-3 text-[0.8rem]">
      <div
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={done}
        className="h-1.5 flex-1 overflow-hidden rounded-full bg-hover"
      >
        <div className="h-full rounded-full bg-running transition-[width]" style={{ width: `${part * 100}%` }} />
      </div>
      <span className="text-soft tabular-nums">{label}</span>
    </div>
  );
}

/** The bill, asked for again a moment after the last call. */
function useFreshUsage(jobId: string, mark: number) {
  const client = useQueryClient();
  useEffect(() => {
    const timer = setTimeout(() => void client.invalidateQueries({ queryKey: ["job", jobId, "usage"] }), SETTLE);
    return () => clearTimeout(timer);
  }, [client, jobId, mark]);
  return useUsage(jobId).data;
}
