import type { JobState } from "@/api/client";
import type { StepState } from "@/ui/state";

/** One run of a step in one attempt; a step that is mapped over many items has one for each. */
export interface Task {
  id: string;
  /** `researcher/plan`: sub-graphs from the outside in. */
  step: string;
  attempt: number;
  state: StepState;
  began: number;
  ended: number | null;
  input: unknown;
  output: unknown;
  error: string | null;
  cached: boolean;
  startedSeq: number;
  endedSeq: number | null;
}

/** One call of a model, as the journal has it. */
export interface ModelCall {
  seq: number;
  at: number;
  attempt: number;
  /** The step's whole path, where it can be told. */
  step: string | null;
  model: string;
  prompt: { role: string; content: string }[];
  answer: string;
  error: string | null;
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
  /** By the price list of that day; 0 for a model that is not in it. */
  cost: number;
  milliseconds: number;
  replayed: boolean;
}

/** What a model says, as it says it; of a call that was not streamed, what it has answered. */
export interface Speech {
  message: string;
  step: string | null;
  attempt: number;
  text: string;
  since: number;
  /** The record of its call, once that has ended. */
  call: ModelCall | null;
}

export interface AttemptView {
  attempt: number;
  worker: string | null;
  /** Since when the job had waited for it. */
  waitedFrom: number;
  began: number;
  ended: number | null;
  /** `succeeded`, `failed`, `lost`, …; null while it runs. */
  outcome: string | null;
  /** Number of the superstep that it went on after; null: it began at the beginning. */
  afterStep: number | null;
  /** Why it ended so, when somebody has said. */
  why: string | null;
}

/** A time that the job was in one state. */
export interface Phase {
  state: JobState;
  from: number;
  to: number | null;
}

export interface Progress {
  done: number;
  total: number;
  what: string;
}

/** The tasks of one step in one attempt, counted as they change: a step may be mapped over thousands of items. */
export interface Runs {
  attempt: number;
  tasks: Task[];
  counts: Record<StepState, number>;
  from: number;
  /** The last end that there was. */
  to: number;
}

/** All tasks of one step, over all attempts. */
export interface StepView {
  path: string;
  name: string;
  /** Path of the step it is inside of; null at the top. */
  parent: string | null;
  tasks: Task[];
  calls: ModelCall[];
  progress: Progress | null;
  /** By attempt, in order. */
  runs: Map<number, Runs>;
  newest: Runs | null;
  /** Counts what has changed of it, and of what is inside of it. */
  mark: number;
}

/** An error, and where it happened. */
export interface Trouble {
  code: string;
  message: string;
  kind: string | null;
  step: string | null;
  attempt: number;
  seq: number;
  at: number;
}

const WORST = ["running", "failed", "interrupted", "broken"] as const;

/** The tasks of a step in one attempt; by default the newest that ran it. */
export function runsOf(view: StepView | undefined, attempt?: number): Runs | null {
  return (attempt === undefined ? view?.newest : view?.runs.get(attempt)) ?? null;
}

/** The state of a step as a whole: of its tasks in the newest attempt that ran it, or in the attempt that is asked for. */
export function stateOf(view: StepView | undefined, attempt?: number): StepState {
  const runs = runsOf(view, attempt);
  if (!runs) return "pending";
  return WORST.find((state) => runs.counts[state] > 0) ?? "done";
}

export function tasksOf(view: StepView | undefined, attempt?: number): readonly Task[] {
  return runsOf(view, attempt)?.tasks ?? [];
}
