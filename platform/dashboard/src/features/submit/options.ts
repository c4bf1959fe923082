import type { TFunction } from "i18next";
import type { Job } from "@/api/client";
import type { Schema } from "./schema-form";

const YEAR = 31_622_400;

/** What may be said of a job beside its input, as a schema, so that its form is made like any other. */
export function optionsSchema(t: TFunction<"submit">): Schema {
  const said = (name: string) => ({ title: t(`options.${name}.title`), description: t(`options.${name}.hint`, { defaultValue: "" }) });
  const seconds = (name: string): Schema => ({ ...said(name), type: "number", exclusiveMinimum: 0, maximum: YEAR });
  const count = (name: string): Schema => ({ ...said(name), type: "integer", minimum: 1 });
  return {
    type: "object",
    properties: {
      priority: { ...said("priority"), type: "integer", minimum: -100, maximum: 100, default: 0 },
      thread_id: { ...said("thread_id"), type: "string", format: "uuid" },
      delay_seconds: { ...said("delay_seconds"), type: "number", minimum: 0, maximum: YEAR },
      start_at: { ...said("start_at"), type: "string", format: "date-time" },
      deadline_seconds: seconds("deadline_seconds"),
      deadline_at: { ...said("deadline_at"), type: "string", format: "date-time" },
      max_attempts: { ...said("max_attempts"), type: "integer", minimum: 1, maximum: 20 },
      retry: {
        ...said("retry"),
        type: "object",
        properties: {
          failures: { ...said("failures"), type: "integer", minimum: 0, maximum: 20, default: 0 },
          backoff_seconds: { ...said("backoff_seconds"), type: "number", minimum: 0, maximum: 86_400, default: 1 },
          factor: { ...said("factor"), type: "number", minimum: 1, maximum: 10, default: 2 },
          max_backoff_seconds: { ...said("max_backoff_seconds"), type: "number", minimum: 0, maximum: 86_400, default: 300 },
        },
      },
      limits: {
        ...said("limits"),
        type: "object",
        properties: {
          step_seconds: seconds("step_seconds"),
          attempt_seconds: seconds("attempt_seconds"),
          job_seconds: seconds("job_seconds"),
        },
      },
      budget: {
        ...said("budget"),
        type: "object",
        properties: {
          tokens: count("tokens"),
          cost: { ...said("cost"), type: "number", exclusiveMinimum: 0 },
          model_calls: count("model_calls"),
          steps: count("steps"),
          seconds: seconds("seconds"),
        },
      },
      webhook: { ...said("webhook"), type: "string", format: "uri", maxLength: 2_000 },
      metadata: { ...said("metadata"), type: "object" },
    },
  };
}

const DEFAULT_RETRY = { failures: 0, backoff_seconds: 1, factor: 2, max_backoff_seconds: 300 } as const;

/** The options of an earlier job, as somebody would give them: without defaults, and without its thread and its times. */
export function optionsOf(job: Job): Record<string, unknown> {
  const retry = Object.entries(job.retry ?? {}).filter(([name, value]) => value !== DEFAULT_RETRY[name as keyof typeof DEFAULT_RETRY]);
  const given = (values: object | null | undefined) => Object.entries(values ?? {}).filter(([, value]) => value !== null);
  const parts: Record<string, [string, unknown][]> = {
    retry,
    limits: given(job.limits),
    budget: given(job.budget),
    metadata: Object.entries(job.metadata),
  };
  return {
    ...(job.priority ? { priority: job.priority } : {}),
    max_attempts: job.max_attempts,
    ...(job.webhook ? { webhook: job.webhook } : {}),
    ...Object.fromEntries(
      Object.entries(parts)
        .filter(([, entries]) => entries.length > 0)
        .map(([name, entries]) => [name, Object.fromEntries(entries)]),
    ),
  };
}
