import type { AttemptView, ModelCall, Task } from "../records";

export interface AttemptItem {
  kind: "attempt";
  attempt: AttemptView;
  from: number;
  to: number;
  waited: number;
}
export interface BarsItem {
  kind: "bars";
  attempt: number;
  from: number;
  to: number;
  step: string;
  depth: number;
  lane: number;
  /** So many lanes the step has; the first row carries its name. */
  lanes: number;
  tasks: Task[];
  /** Those of all lanes. */
  ofStep: Task[];
  calls: ModelCall[];
  /** There are steps inside of it. */
  outer: boolean;
  /** All tasks of the step in one row, as how many ran at a time. */
  grouped: boolean;
}
export type Item = AttemptItem | BarsItem;

/** From so many tasks on a step is one row until it is opened. */
export const MANY = 20;
export const groupKey = (attempt: number, step: string) => `${attempt} ${step}`;

/**
 * The rows of a timeline: each attempt with an axis of its own, under it its steps, those of sub-graphs under theirs.
 * Tasks of a step that ran at the same time stand in lanes.
 */
export function rowsOf(
  attempts: readonly AttemptView[],
  tasks: readonly Task[],
  calls: readonly ModelCall[],
  opened: ReadonlySet<string>,
  now: number,
): Item[] {
  const items: Item[] = [];
  const byAttempt = grouped(tasks, (task) => task.attempt);
  const callsOf = grouped(calls, (call) => groupKey(call.attempt, call.step ?? ""));
  for (const attempt of attempts) {
    const own = byAttempt.get(attempt.attempt) ?? [];
    const from = attempt.began;
    const to = Math.max(attempt.ended ?? now, from + 1, ...(own.length > 0 && attempt.ended === null ? [own.at(-1)!.began + 1] : []));
    items.push({ kind: "attempt", attempt, from, to, waited: Math.max(0, attempt.began - attempt.waitedFrom) });
    const bySteps = grouped(own, (task) => task.step);
    const outers = new Set([...bySteps.keys()].map((step) => step.slice(0, Math.max(0, step.lastIndexOf("/")))));
    for (const [step, ofStep] of inTreeOrder(bySteps)) {
      const key = groupKey(attempt.attempt, step);
      const common = { kind: "bars" as const, attempt: attempt.attempt, from, to, step, depth: step.split("/").length - 1, ofStep, outer: outers.has(step) };
      const ofCalls = callsOf.get(key) ?? [];
      if (ofStep.length > MANY && !opened.has(key)) {
        items.push({ ...common, lane: 0, lanes: 1, tasks: ofStep, calls: ofCalls, grouped: true });
        continue;
      }
      const lanes = lanesOf(ofStep);
      const callsBy = callsIn(lanes, ofCalls);
      lanes.forEach((lane, index) => {
        items.push({ ...common, lane: index, lanes: lanes.length, tasks: lane, calls: callsBy[index]!, grouped: false });
      });
    }
  }
  return items;
}

function grouped<T, K>(all: readonly T[], keyOf: (each: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const each of all) {
    const key = keyOf(each);
    const group = groups.get(key);
    if (group) group.push(each);
    else groups.set(key, [each]);
  }
  return groups;
}

/** Steps in the order that they began, each followed by those inside of it. */
function inTreeOrder(steps: Map<string, Task[]>): [string, Task[]][] {
  const found: [string, Task[]][] = [];
  const children = grouped([...steps.keys()], (step) => {
    const parent = step.slice(0, Math.max(0, step.lastIndexOf("/")));
    return parent === "" || steps.has(parent) ? parent : "";
  });
  const visit = (parent: string) => {
    for (const step of children.get(parent) ?? []) {
      found.push([step, steps.get(step)!]);
      visit(step);
    }
  };
  visit("");
  return found;
}

/** Tasks side by side: each in the first lane where it does not run into another. */
export function lanesOf(tasks: readonly Task[]): Task[][] {
  const lanes: Task[][] = [];
  for (const task of tasks) {
    const free = lanes.find((lane) => (lane.at(-1)!.ended ?? Infinity) <= task.began);
    if (free) free.push(task);
    else lanes.push([task]);
  }
  return lanes;
}

/** For each lane the calls that were made while a task of it ran, and of no lane before it. */
function callsIn(lanes: readonly Task[][], calls: readonly ModelCall[]): ModelCall[][] {
  const found = lanes.map((): ModelCall[] => []);
  for (const call of calls) {
    const within = lanes.findIndex((lane) => lane.some((task) => task.began <= call.at && call.at <= (task.ended ?? Infinity)));
    found[within]?.push(call);
  }
  return found;
}

/** How many tasks ran at a time, in `buckets` parts of the axis. */
export function density(tasks: readonly Task[], from: number, to: number, buckets: number): number[] {
  const found = new Array<number>(buckets).fill(0);
  const width = (to - from) / buckets;
  for (const task of tasks) {
    const first = Math.max(0, Math.min(buckets - 1, Math.floor((task.began - from) / width)));
    const last = Math.max(first, Math.min(buckets - 1, Math.ceil(((task.ended ?? to) - from) / width) - 1));
    for (let index = first; index <= last; index++) found[index]! += 1;
  }
  return found;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100].map((n) => n * DAY),
];

/** Round times of an axis, in milliseconds from its beginning; at most `most`. */
export function ticks(span: number, most = 6): number[] {
  const step = STEPS.find((each) => span / each <= most) ?? STEPS.at(-1)!;
  const found = [];
  for (let at = 0; at <= span; at += step) found.push(at);
  return found;
}
