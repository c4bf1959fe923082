import type { Checkpoint } from "./queries";
import type { Task } from "./records";

/** Tasks of one graph that ran together: all of them end before the next ones begin. */
export interface Superstep {
  tasks: Task[];
  began: number;
  /** Null while one of them runs. */
  ended: number | null;
}

const scopeOf = (path: string) => {
  const cut = path.lastIndexOf("/");
  return cut < 0 ? "" : path.slice(0, cut);
};

/** The tasks by the graph they are in: `""` is the outermost. */
export function byScope(tasks: readonly Task[]): Map<string, Task[]> {
  const scopes = new Map<string, Task[]>();
  for (const task of tasks) {
    const scope = scopeOf(task.step);
    const mine = scopes.get(scope);
    if (mine) mine.push(task);
    else scopes.set(scope, [task]);
  }
  return scopes;
}

/**
 * The supersteps of one graph, in order; `tasks` are its own in the order that they began. What a later attempt runs
 * again after a superstep that was not finished belongs to that superstep.
 */
export function supersteps(tasks: readonly Task[]): Superstep[] {
  const found: Superstep[] = [];
  let barrier = 0; // seq by which everything of the current superstep has ended
  for (const task of tasks) {
    const last = found.at(-1);
    const open = last && (last.ended === null || task.startedSeq < barrier);
    const goesOn = last && last.tasks.at(-1)!.attempt !== task.attempt && last.tasks.some((each) => each.state !== "done");
    const end = task.endedSeq ?? Infinity;
    if (last && (open || goesOn)) {
      last.tasks.push(task);
      last.ended = task.ended === null ? null : Math.max(last.ended ?? 0, task.ended);
      barrier = goesOn ? end : Math.max(barrier, end);
    } else {
      found.push({ tasks: [task], began: task.began, ended: task.ended });
      barrier = end;
    }
  }
  return found;
}

/** A place that a job can go on from: what ran just before it, and what comes next. */
export interface Place {
  checkpoint: Checkpoint;
  after: string[];
  next: string[];
}

/**
 * What the checkpoints of a job stand between, newest first. `steps` are the supersteps of its outermost graph. The
 * checkpoint of a superstep is written when its last task has ended: the next one where each has one, else of those that
 * are left the nearest in time.
 */
export function places(checkpoints: readonly Checkpoint[], steps: readonly Superstep[]): Place[] {
  const found = [...checkpoints]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((checkpoint): Place => ({ checkpoint, after: [], next: [] }));
  const behind = found.filter(({ checkpoint }) => checkpoint.source === "loop" && (checkpoint.step ?? 0) >= 1);
  const isDone = (step: Superstep) => step.ended !== null && step.tasks.some((task) => task.state === "done");
  // As many as there are checkpoints: then time, of which quick steps have too little, says nothing more.
  const isEach = steps.filter(isDone).length === behind.length;
  let from = 0;
  steps.forEach((step, index) => {
    const { ended } = step;
    if (ended === null || !isDone(step)) return;
    const away = (place: Place | undefined) => (place ? Math.abs(Date.parse(place.checkpoint.created_at) - ended) : Infinity);
    let best = from;
    while (!isEach && away(behind[best + 1]) <= away(behind[best])) best += 1;
    const place = behind[best];
    if (!place) return;
    place.after = namesOf(step);
    place.next = steps[index + 1] ? namesOf(steps[index + 1]!) : [];
    from = best + 1;
  });
  const first = steps[0];
  if (first) {
    for (const place of found) {
      const { source, step, created_at } = place.checkpoint;
      const before = source === "input" || (source === "loop" && (step ?? 0) < 1);
      if (before && Date.parse(created_at) <= first.began) place.next = namesOf(first);
    }
  }
  return found.reverse();
}

function namesOf(step: Superstep): string[] {
  return [...new Set(step.tasks.map((task) => task.step))];
}
