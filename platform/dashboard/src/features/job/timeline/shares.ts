import type { ModelCall, Phase, StepView, Task } from "../records";

export const KINDS = ["queued", "retry", "held", "models", "steps", "between"] as const;
/** What time goes by with: before the first attempt, between attempts, held; and of what ran, in models, in steps, in neither. */
export type Kind = (typeof KINDS)[number];
export interface Share {
  kind: Kind;
  milliseconds: number;
}
type Span = readonly [from: number, to: number];

interface Told {
  phases: readonly Phase[];
  calls: readonly ModelCall[];
  tasks: readonly Task[];
  steps: ReadonlyMap<string, StepView>;
}

/** Where the time of a job has gone: adds up to all that has passed. What ran side by side counts once. */
export function sharesOf({ phases, calls, tasks, steps }: Told, now: number): Share[] {
  const sums: Record<Kind, number> = { queued: 0, retry: 0, held: 0, models: 0, steps: 0, between: 0 };
  const running: Span[] = [];
  phases.forEach((phase, index) => {
    const span: Span = [phase.from, phase.to ?? Math.max(now, phase.from)];
    const length = span[1] - span[0];
    if (phase.state === "running") running.push(span);
    else if (phase.state === "queued") sums[phases[index - 1]?.state === "running" ? "retry" : "queued"] += length;
    else sums.held += length;
  });
  const asked = both(merged(calls.filter((call) => !call.replayed).map((call) => [call.at - call.milliseconds, call.at])), running);
  const outer = new Set([...steps.values()].map((step) => step.parent));
  const worked = both(merged([...asked, ...tasks.filter((task) => !outer.has(task.step)).map((task) => spanOf(task, now))]), running);
  sums.models = total(asked);
  sums.steps = Math.max(0, total(worked) - sums.models);
  sums.between = Math.max(0, total(running) - total(worked));
  return KINDS.map((kind) => ({ kind, milliseconds: sums[kind] }));
}

/** The steps that took longest, without those that only have others inside of them. */
export function longestSteps(steps: ReadonlyMap<string, StepView>, now: number, most: number): { step: string; milliseconds: number }[] {
  const outer = new Set([...steps.values()].map((step) => step.parent));
  return [...steps.values()]
    .filter((step) => !outer.has(step.path))
    .map((step) => ({ step: step.path, milliseconds: coveredBy(step.tasks, now) }))
    .sort((a, b) => b.milliseconds - a.milliseconds)
    .slice(0, most);
}

/** How long at least one of some tasks ran. */
export function coveredBy(tasks: readonly Task[], now: number): number {
  return total(merged(tasks.map((task) => spanOf(task, now))));
}

/** How long at least one of some calls was under way. */
export function coveredByCalls(calls: readonly ModelCall[]): number {
  return total(merged(calls.map((call) => [call.at - call.milliseconds, call.at])));
}

const spanOf = (task: Task, now: number): Span => [task.began, task.ended ?? Math.max(now, task.began)];
const total = (spans: readonly Span[]) => spans.reduce((sum, [from, to]) => sum + to - from, 0);

/** The same time without overlaps, in order. */
function merged(spans: readonly Span[]): Span[] {
  const found: [number, number][] = [];
  for (const [from, to] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = found.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else found.push([from, to]);
  }
  return found;
}

/** What is in both; each is in order and without overlaps. */
function both(some: readonly Span[], others: readonly Span[]): Span[] {
  const found: Span[] = [];
  let [a, b] = [0, 0];
  while (a < some.length && b < others.length) {
    const [one, other] = [some[a]!, others[b]!];
    const from = Math.max(one[0], other[0]);
    const to = Math.min(one[1], other[1]);
    if (from < to) found.push([from, to]);
    if (one[1] < other[1]) a += 1;
    else b += 1;
  }
  return found;
}
