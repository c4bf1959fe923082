import type { JobEvent, JobState } from "@/api/client";
import type { StepState } from "@/ui/state";
import type {
  AttemptView,
  ModelCall,
  Phase,
  Runs,
  Speech,
  StepView,
  Task,
  Trouble,
} from "./records";

/** What of the model has changed, for those who show only a part of it. */
export type Part = "state" | "steps" | "calls" | "speeches" | "events" | "approvals";

const STATES: Record<string, JobState> = { started: "running", resumed: "queued", retried: "queued" };
const STATE_NAMES: readonly JobState[] = [
  "queued",
  "running",
  "waiting",
  "paused",
  "stranded",
  "succeeded",
  "failed",
  "cancelled",
  "dead",
  "budget_exhausted",
];
const ATTEMPT_ENDS: Record<string, string> = {
  "attempt.lost": "lost",
  "attempt.handed_back": "handed_back",
  "attempt.failed": "failed",
};
// Said just before an attempt is handed back: why that is.
const REASONS = new Set(["attempt.moved", "attempt.no_process", "attempt.blocked_loop"]);
const TROUBLE = new Set(["failed", "dead", "budget_exhausted"]);

type Data = Record<string, unknown>;
// What user code writes into events is not always what it should be.
const num = (value: unknown) => (typeof value === "number" && value >= 0 ? value : 0);
const str = (value: unknown) => (typeof value === "string" ? value : null);

/**
 * What a job has done so far, read off its journal. It grows with each event; `marks` says what has changed.
 * Nothing is ever taken twice: an event that is not the next one is passed over.
 */
export class JobModel {
  readonly marks: Record<Part, number> = { state: 0, steps: 0, calls: 0, speeches: 0, events: 0, approvals: 0 };
  readonly events: JobEvent[] = [];
  readonly steps = new Map<string, StepView>();
  /** In the order that they began. */
  readonly tasks: Task[] = [];
  readonly calls: ModelCall[] = [];
  readonly speeches: Speech[] = [];
  readonly attempts: AttemptView[] = [];
  readonly phases: Phase[] = [];
  readonly artifacts = new Map<string, number>();
  state: JobState = "queued";
  waitingFor: string | null = null;
  lastSeq = 0;
  /** When the job was accepted, by the clock of the server. */
  began: number | null = null;
  /** Of the newest event. */
  at: number | null = null;
  /** The first error since the job was accepted or last retried, which is the one that matters. */
  trouble: Trouble | null = null;
  /** When the next attempt is due, after one that has failed. */
  retryAt: number | null = null;
  /** The step that has said last how far it is. */
  telling: StepView | null = null;
  forkedFrom: string | null = null;
  supersededBy: string | null = null;
  /** Of all calls but those that were answered from an earlier attempt's. */
  readonly tokens = { input: 0, output: 0, cached: 0 };
  callsMade = 0;
  #open = new Map<string, Task>();
  /** Steps by the last part of their path. */
  #named = new Map<string, StepView[]>();
  #speaking = new Map<string, Speech>();
  #queuedSince = 0;
  #reason: string | null = null;

  take(events: readonly JobEvent[]): void {
    for (const event of events) this.#one(event);
  }

  /** Seconds and the like of all that is in one of `states`, up to `now`. */
  spent(states: readonly JobState[], now: number): number {
    let sum = 0;
    for (const phase of this.phases) {
      if (states.includes(phase.state)) sum += Math.max(0, (phase.to ?? Math.max(now, phase.from)) - phase.from);
    }
    return sum;
  }

  /** The step an event belongs to; a path that names only the last part of one means the newest such step. */
  stepOf(path: string | null | undefined): StepView | undefined {
    if (!path) return undefined;
    const exact = this.steps.get(path);
    if (exact) return exact;
    let newest: StepView | undefined;
    for (const view of this.#named.get(path.slice(path.lastIndexOf("/") + 1)) ?? []) {
      if (view.path.endsWith(`/${path}`) && lastSeqOf(view) > lastSeqOf(newest)) newest = view;
    }
    return newest;
  }

  #one(event: JobEvent): void {
    if (event.seq <= this.lastSeq) return;
    this.lastSeq = event.seq;
    this.events.push(event);
    this.marks.events += 1;
    const at = Date.parse(event.at);
    this.at = at;
    if (this.began === null) {
      this.began = at;
      this.#queuedSince = at;
    }
    const data = event.data as Data;
    const [kind, what = ""] = event.type.split(".", 2);
    if (kind === "step") this.#step(event, what, at, data);
    else if (kind === "job") this.#job(event, what, at, data);
    else if (kind === "attempt") this.#attempt(event, at, data);
    else if (kind === "approval") this.marks.approvals += 1;
    else if (event.type === "model.tokens") this.#tokens(event, at, data);
    else if (event.type === "model.call") this.#call(event, at, data);
    else if (event.type === "progress") this.#progress(event, data);
    else if (event.type === "artifact") {
      this.artifacts.set(String(data.name), num(data.size));
      this.marks.state += 1;
    }
  }

  #job(event: JobEvent, what: string, at: number, data: Data): void {
    this.marks.state += 1;
    const state = STATES[what] ?? STATE_NAMES.find((name) => name === what);
    if (!state) return;
    this.waitingFor = str(data.waiting_for);
    if (what === "started") {
      this.retryAt = null;
      this.attempts.push({
        attempt: event.attempt,
        worker: str(data.worker),
        waitedFrom: this.#queuedSince,
        began: at,
        ended: null,
        outcome: null,
        afterStep: null,
        why: null,
      });
    }
    if (what === "queued") this.forkedFrom = str(data.forked_from);
    if (what === "retried") this.trouble = null;
    if (what === "succeeded") this.supersededBy = str(data.superseded_by);
    if (TROUBLE.has(what)) this.#inTrouble(event, at, data);
    this.#move(state, at);
    if (state !== "queued" && state !== "running") this.#endAttempt(what, at, data);
  }

  #attempt(event: JobEvent, at: number, data: Data): void {
    const last = this.attempts.at(-1);
    if (event.type === "attempt.resumed") {
      if (last) last.afterStep = typeof data.after_step === "number" ? data.after_step : null;
    } else if (REASONS.has(event.type)) this.#reason = str(data.why) ?? str(data.where);
    else if (event.type in ATTEMPT_ENDS) {
      const outcome = ATTEMPT_ENDS[event.type]!;
      if (outcome !== "handed_back") this.#inTrouble(event, at, data);
      if (str(data.retry_at)) this.retryAt = Date.parse(String(data.retry_at));
      this.#move("queued", at);
      this.#endAttempt(outcome, at, data);
    }
    this.marks.state += 1;
  }

  #move(state: JobState, at: number): void {
    const last = this.phases.at(-1);
    this.state = state;
    if (state === "queued") this.#queuedSince = at;
    if (last?.state === state) return;
    if (last) last.to = at;
    this.phases.push({ state, from: at, to: TERMINAL.has(state) ? at : null });
  }

  #endAttempt(outcome: string, at: number, data: Data): void {
    const last = this.attempts.at(-1);
    if (last && last.ended === null) {
      last.ended = at;
      last.outcome = outcome;
      last.why = str((data.error as Data | undefined)?.message) ?? str(data.why) ?? this.#reason;
    }
    this.#reason = null;
    const state = outcome === "succeeded" ? "done" : outcome === "paused" || outcome === "waiting" ? "interrupted" : "broken";
    for (const task of this.#open.values()) this.#endTask(task, state, at);
    this.#open.clear();
    this.#speaking.clear();
    this.marks.steps += 1;
    this.marks.speeches += 1;
  }

  /** The first error stays; what its attempt says of it when it ends is better than what the step said. */
  #inTrouble(event: JobEvent, at: number, data: Data): void {
    const error = (typeof data.error === "object" && data.error !== null ? data.error : {}) as Data;
    const told: Trouble = {
      code: str(error.code) ?? (event.type === "step.failed" ? "step_failed" : event.type.replace(".", "_")),
      message: str(error.message) ?? str(data.error) ?? str(data.why) ?? "",
      kind: str(error.kind),
      step: str(event.step) ?? str(error.step),
      attempt: event.attempt,
      seq: event.seq,
      at,
    };
    if (this.trouble === null) this.trouble = told;
    else if (this.trouble.kind === null && this.trouble.attempt === told.attempt && (told.step === null || told.step === this.trouble.step)) {
      this.trouble = { ...told, message: told.message || this.trouble.message, step: this.trouble.step, seq: this.trouble.seq, at: this.trouble.at };
    }
  }

  #view(path: string): StepView {
    let view = this.steps.get(path);
    if (!view) {
      const cut = path.lastIndexOf("/");
      const parent = cut < 0 ? null : path.slice(0, cut);
      const name = path.slice(cut + 1);
      view = { path, name, parent, tasks: [], calls: [], progress: null, runs: new Map(), newest: null, mark: 0 };
      this.steps.set(path, view);
      const named = this.#named.get(name);
      if (named) named.push(view);
      else this.#named.set(name, [view]);
    }
    return view;
  }

  /** Something of a step has changed: those that it is inside of show it, too. */
  #touch(view: StepView): void {
    this.marks.steps += 1;
    for (let each: StepView | undefined = view; each; each = each.parent === null ? undefined : this.steps.get(each.parent)) each.mark += 1;
  }

  #beginTask(view: StepView, task: Task): void {
    let runs = view.runs.get(task.attempt);
    if (!runs) {
      runs = { attempt: task.attempt, tasks: [], counts: { ...NONE }, from: task.began, to: task.began };
      view.runs.set(task.attempt, runs);
      view.newest = runs;
    }
    runs.tasks.push(task);
    runs.counts[task.state] += 1;
    view.tasks.push(task);
    this.tasks.push(task);
    this.#open.set(task.id, task);
    this.#touch(view);
  }

  #endTask(task: Task, state: StepState, at: number): void {
    const view = this.#view(task.step);
    const runs: Runs | undefined = view.runs.get(task.attempt);
    if (runs) {
      runs.counts[task.state] -= 1;
      runs.counts[state] += 1;
      runs.to = Math.max(runs.to, at);
    }
    task.state = state;
    task.ended = at;
    this.#touch(view);
  }

  #step(event: JobEvent, what: string, at: number, data: Data): void {
    const path = event.step ?? "?";
    const view = this.#view(path);
    const id = String(data.id ?? `${path}#${event.seq}`);
    if (what === "started") {
      this.#beginTask(view, {
        id,
        step: path,
        attempt: event.attempt,
        state: "running",
        began: at,
        ended: null,
        input: data.input,
        output: undefined,
        error: null,
        cached: false,
        startedSeq: event.seq,
        endedSeq: null,
      });
      return;
    }
    const task = this.#open.get(id);
    if (!task) return;
    this.#open.delete(id);
    task.endedSeq = event.seq;
    task.output = data.output;
    task.cached = data.cached === true;
    view.progress = null;
    this.#endTask(task, ENDS[what] ?? "done", at);
    if (what === "failed") {
      task.error = String(data.error ?? "");
      this.#inTrouble(event, at, data);
      this.marks.state += 1;
    }
  }

  #progress(event: JobEvent, data: Data): void {
    const view = this.stepOf(event.step);
    if (!view) return;
    view.progress = { done: num(data.done), total: num(data.total), what: str(data.what) ?? "" };
    this.telling = view;
    this.#touch(view);
  }

  #tokens(event: JobEvent, at: number, data: Data): void {
    this.marks.speeches += 1;
    const message = String(data.message ?? "");
    let speech = this.#speaking.get(message);
    if (speech === undefined) {
      speech = { message, step: event.step ?? null, attempt: event.attempt, text: "", since: at, call: null };
      this.#speaking.set(message, speech);
      this.speeches.push(speech);
    }
    speech.text += String(data.text ?? "");
  }

  #call(event: JobEvent, at: number, data: Data): void {
    const view = this.#runningStep(event.step) ?? this.stepOf(event.step);
    const call: ModelCall = {
      seq: event.seq,
      at,
      attempt: event.attempt,
      step: view?.path ?? event.step ?? null,
      model: str(data.model) ?? "?",
      prompt: Array.isArray(data.prompt) ? (data.prompt as ModelCall["prompt"]) : [],
      answer: str(data.answer) ?? "",
      error: str(data.error),
      inputTokens: num(data.input_tokens),
      outputTokens: num(data.output_tokens),
      cachedTokens: num(data.cached_tokens),
      cost: num(data.cost),
      milliseconds: num(data.milliseconds),
      replayed: data.replayed === true,
    };
    this.calls.push(call);
    if (view) {
      view.calls.push(call);
      this.#touch(view);
    }
    if (!call.replayed) {
      this.callsMade += 1;
      this.tokens.input += call.inputTokens;
      this.tokens.output += call.outputTokens;
      this.tokens.cached += call.cachedTokens;
    }
    this.marks.calls += 1;
    this.marks.speeches += 1;
    const spoken = this.#spokenBy(call);
    if (spoken) {
      spoken.call = call;
      this.#speaking.delete(spoken.message);
    } else {
      const { step, attempt, answer: text } = call;
      this.speeches.push({ message: `call ${event.seq}`, step, attempt, text, since: at - call.milliseconds, call });
    }
  }

  /** The speech that a call has ended: of its step the one that ends as its answer does, else the oldest. */
  #spokenBy(call: ModelCall): Speech | undefined {
    const open = [...this.#speaking.values()].filter(
      (speech) => speech.attempt === call.attempt && (speech.step === call.step || speech.step?.endsWith(`/${call.step}`)),
    );
    return open.find((speech) => speech.text === call.answer) ?? open[0];
  }

  /** A call names the node that it is in without its sub-graphs: the running step that ends with that name. */
  #runningStep(step: string | null | undefined): StepView | undefined {
    if (!step) return undefined;
    for (const task of [...this.#open.values()].reverse()) {
      if (task.step === step || task.step.endsWith(`/${step}`)) return this.steps.get(task.step);
    }
    return undefined;
  }
}

const lastSeqOf = (view: StepView | undefined) => view?.tasks.at(-1)?.startedSeq ?? 0;
const NONE: Record<StepState, number> = { pending: 0, running: 0, done: 0, failed: 0, interrupted: 0, broken: 0 };
const ENDS: Record<string, StepState> = { failed: "failed", interrupted: "interrupted" };
const TERMINAL = new Set<JobState>(["succeeded", "failed", "cancelled", "dead", "budget_exhausted"]);
