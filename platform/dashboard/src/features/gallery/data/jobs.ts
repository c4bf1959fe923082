import type { Approval, Job, JobEvent } from "@/api/client";
import { journal, type Line } from "@/features/job/fixtures";

/** A job with its journal, as the API would tell of it. */
export interface Told {
  job: Job;
  events: JobEvent[];
}

const ID = "01a21622-5aac-7867-a797-9b0f8915ddd2";
const THREAD = "01a21622-5aac-7867-a797-9b0f8915aaaa";
// The journals of fixtures begin then.
const BEGAN = "2026-01-01T00:00:00Z";
const ENDED = "2026-01-01T00:00:42Z";

const PLAIN: Job = {
  id: ID,
  thread_id: THREAD,
  workflow: "report",
  version: "4f1c2ab90d",
  queue: "default",
  state: "queued",
  input: { topic: "How a garden is run together", collections: ["library"] },
  output: null,
  error: null,
  metadata: {},
  attempts: 1,
  max_attempts: 3,
  last_seq: 0,
  priority: 0,
  kind: "shared",
  parent_id: null,
  ordinal: null,
  retry: { failures: 0, backoff_seconds: 1, factor: 2, max_backoff_seconds: 300 },
  failures: 0,
  limits: { step_seconds: null, attempt_seconds: null, job_seconds: null },
  budget: null,
  waiting_for: null,
  deadline_at: null,
  available_at: BEGAN,
  schedule_id: null,
  pause_requested_at: null,
  created_at: BEGAN,
  started_at: BEGAN,
  finished_at: null,
  cancel_requested_at: null,
  cancel_requested_by: null,
  assistant_id: null,
  run: null,
  webhook: null,
  created_by: "key:ana",
  rolled_back: false,
};

function told(what: Partial<Job>, ...lines: Line[]): Told {
  return { job: { ...PLAIN, ...what, last_seq: lines.length }, events: journal(...lines) };
}

const error = (code: string, message: string, step: string | null, kind: string | null) => ({ code, message, step, kind });
const refused = error("step_failed", "ValueError: no plot of that size: 0 (plots.py:42)", "plan", "ValueError");
const lost = error("attempts_exhausted", "the job has been lost 3 times; the last worker was garden-2", null, null);
const spent = error("budget_exhausted", "1,000 of 1,000 tokens are used up", "write", "BudgetExhausted");

const queued: Line = [0, 0, "job.queued"];
const started = (second: number, attempt: number, worker: string): Line => [second, attempt, "job.started", null, { worker }];

export const failed = told(
  { state: "failed", error: refused, finished_at: ENDED, failures: 1 },
  queued,
  started(2, 1, "garden-1"),
  [3, 1, "step.started", "plan", { id: "a" }],
  [40, 1, "step.failed", "plan", { id: "a", error: refused.message }],
  [42, 1, "job.failed", null, { error: refused }],
);

export const dead = told(
  { state: "dead", error: lost, attempts: 3, finished_at: ENDED },
  queued,
  started(2, 1, "garden-1"),
  [9, 1, "attempt.lost", null, { why: "garden-1 does not answer any more" }],
  started(12, 2, "garden-2"),
  [20, 2, "attempt.lost", null, { why: "garden-2 does not answer any more" }],
  started(24, 3, "garden-2"),
  [42, 3, "job.dead", null, { error: lost }],
);

export const exhausted = told(
  { state: "budget_exhausted", error: spent, budget: { tokens: 1_000 }, finished_at: ENDED },
  queued,
  started(2, 1, "garden-1"),
  [3, 1, "step.started", "write", { id: "a" }],
  [30, 1, "model.call", "write", { model: "smol", answer: "…", input_tokens: 900, output_tokens: 100, cost: 0.0004, milliseconds: 9_000 }],
  [42, 1, "job.budget_exhausted", null, { error: spent }],
);

export const asking = told(
  { state: "paused", waiting_for: "approval" },
  queued,
  started(2, 1, "garden-1"),
  [3, 1, "step.started", "send", { id: "a" }],
  [9, 1, "step.interrupted", "send", { id: "a" }],
  [10, 1, "job.paused", null, { waiting_for: "approval" }],
);

export const unserved = told({ attempts: 0, queue: "gpu", started_at: null }, queued);

export const stranded = told({ state: "stranded" }, queued, started(2, 1, "garden-1"), [9, 1, "job.stranded"]);

export const waiting = told({ state: "waiting", waiting_for: "children" }, queued, started(2, 1, "garden-1"), [9, 1, "job.waiting", null, { waiting_for: "children" }]);

export const cancelling = told({ state: "running", cancel_requested_at: ENDED, cancel_requested_by: "key:ana" }, queued, started(2, 1, "garden-1"));

/** An attempt has failed, and the next one is going on; the connection has broken in the middle. */
export const retrying = told(
  { state: "running", attempts: 2, failures: 1 },
  queued,
  started(2, 1, "garden-1"),
  [9, 1, "attempt.failed", null, { error: refused, retry_at: "2026-01-01T00:00:20Z" }],
  started(21, 2, "garden-1"),
  [22, 2, "step.started", "plan", { id: "b" }],
  [25, 2, "progress", "plan", { done: 3, total: 8, what: "plots" }],
);

export const approval: Approval = {
  id: "01a2163c-2c0c-7823-9b36-1f281226cf04",
  job_id: ID,
  thread_id: THREAD,
  workflow: "report",
  step: "send",
  interrupt_id: "766d7dc19627a30c2eb15796de286d1f",
  request: { question: "Shall the report go to all members?", members: 214 },
  request_sha256: "",
  allowed: ["approve", "edit", "reject", "answer"],
  state: "pending",
  decision: null,
  comment: null,
  decided_by: null,
  created_at: BEGAN,
  decided_at: null,
  applied_at: null,
  expires_at: null,
  assignee: "ana",
  on_expiry: "expire",
  escalate_to: null,
  remind_at: null,
  reminders: 0,
  revision: 1,
};
