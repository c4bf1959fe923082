import type { StepView, Task } from "../records";
import { stateOf } from "../records";
import { byScope, supersteps, type Superstep } from "../supersteps";
import { END, START, type Shape } from "./shape";

export const edgeKey = (scope: string, source: string, target: string) => `${scope}:${source}→${target}`;

/**
 * Which edges the job has gone along, and how often: `edgeKey` → times. Read off the order of the tasks: an edge was taken
 * when its target ran in the superstep after its source.
 */
export function takenEdges(
  shapes: ReadonlyMap<string, Shape>,
  steps: ReadonlyMap<string, StepView>,
  tasks: readonly Task[],
  succeeded: boolean,
): Map<string, number> {
  const taken = new Map<string, number>();
  for (const [scope, own] of byScope(tasks)) {
    const shape = shapes.get(scope);
    if (!shape) continue;
    const ran = supersteps(own);
    const ended = scope === "" ? succeeded : stateOf(steps.get(scope)) === "done";
    const nameOf = (task: Task) => task.step.slice(scope ? scope.length + 1 : 0);
    const pairs = new Map<string, number>();
    ran.forEach((step, index) => {
      for (const [pair, times] of transitions(ran[index - 1], step, nameOf)) pairs.set(pair, (pairs.get(pair) ?? 0) + times);
    });
    const last = ran.at(-1);
    for (const { source, target } of shape.edges) {
      let times = pairs.get(`${source}→${target}`) ?? 0;
      if (source === START && ran[0]?.tasks.some((task) => nameOf(task) === target)) times = 1;
      if (target === END && ended && last?.tasks.some((task) => nameOf(task) === source)) times = 1;
      if (times > 0) taken.set(edgeKey(scope, source, target), times);
    }
  }
  return taken;
}

/** `source→target` of one superstep into the next, and inside of one where sub-graphs that run beside each other blur it. */
function transitions(before: Superstep | undefined, step: Superstep, nameOf: (task: Task) => string): Map<string, number> {
  const found = new Map<string, number>();
  const targets = new Set(step.tasks.map(nameOf));
  for (const source of new Set(before?.tasks.map(nameOf))) {
    for (const target of targets) found.set(`${source}→${target}`, 1);
  }
  if (targets.size < 2) return found;
  const firstEnd = new Map<string, number>();
  for (const task of step.tasks) {
    const name = nameOf(task);
    if (task.endedSeq !== null) firstEnd.set(name, Math.min(firstEnd.get(name) ?? Infinity, task.endedSeq));
  }
  for (const task of step.tasks) {
    const target = nameOf(task);
    for (const [source, end] of firstEnd) if (source !== target && end < task.startedSeq) found.set(`${source}→${target}`, 1);
  }
  return found;
}
