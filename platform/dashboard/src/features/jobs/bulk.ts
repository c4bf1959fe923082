import { api, got, type JobState, type Schemas } from "@/api/client";
import { JOB_STATES, isOver } from "@/ui/state";
import { NEWEST } from "./filters";
import { fetchIds, type Wanted } from "./rows";

export type Act = "cancel" | "retry";

/** States in which something can be done; jobs in others are refused. */
export const DOABLE: Record<Act, readonly JobState[]> = {
  cancel: JOB_STATES.filter((state) => !isOver(state)),
  retry: ["failed", "dead", "budget_exhausted"],
};

export interface Refusal {
  id: string;
  code: string;
  detail: string;
}

export interface Outcome {
  done: number;
  refusals: Refusal[];
}

/** Which jobs: these, or all that fit the filters. */
export type Target = { ids: readonly string[] } | { wanted: Wanted };

/** The states of a target of filters in which it can be done. */
export function doableStates(act: Act, wanted: Wanted): JobState[] {
  return DOABLE[act].filter((state) => !wanted.states || wanted.states.includes(state));
}

const AT_ONCE = 200;

async function ask(act: Act, ids: string[], outcome: Outcome, signal: AbortSignal): Promise<void> {
  const call = act === "cancel" ? api.POST("/api/v1/jobs/cancel", { body: { ids }, signal }) : api.POST("/api/v1/jobs/retry", { body: { ids }, signal });
  const { results }: Schemas["BatchAnswer"] = await got(call);
  for (const result of results) {
    if (result.error) outcome.refusals.push({ id: result.id ?? "", code: result.error.code, detail: result.error.detail });
    else outcome.done += 1;
  }
}

/** Does it to all of them, some at a time, and tells how far it is. What is thrown has stopped it in the middle. */
export async function doToAll(act: Act, target: Target, tell: (outcome: Outcome) => void, signal: AbortSignal): Promise<Outcome> {
  const outcome: Outcome = { done: 0, refusals: [] };
  if ("ids" in target) {
    for (let at = 0; at < target.ids.length; at += AT_ONCE) {
      await ask(act, target.ids.slice(at, at + AT_ONCE), outcome, signal);
      tell({ ...outcome });
    }
    return outcome;
  }
  const states = doableStates(act, target.wanted);
  if (states.length === 0) return outcome;
  // Newest first by ids: what comes meanwhile is not met, and what has changed its state is not met twice.
  const wanted: Wanted = { ...target.wanted, states, sort: NEWEST };
  let cursor: string | null = null;
  do {
    const page: { ids: string[]; next: string | null } = await fetchIds(wanted, cursor, signal);
    if (page.ids.length > 0) await ask(act, page.ids, outcome, signal);
    tell({ ...outcome });
    cursor = page.next;
  } while (cursor !== null);
  return outcome;
}
