import type { Job } from "@/api/client";
import { isOver } from "@/ui/state";

/** What may be done to a job. */
export type Move = "cancel" | "pause" | "resume" | "retry" | "fork";

/** The moves that the API would make now: see `TRANSITIONS` and `moves.py` of the platform. */
export function movesOf(job: Job): ReadonlySet<Move> {
  const moves = new Set<Move>();
  const { state } = job;
  const pauseAsked = job.pause_requested_at != null;
  if (!isOver(state) && job.cancel_requested_at == null) {
    moves.add("cancel");
    if ((state === "paused" && job.waiting_for === "request") || pauseAsked) moves.add("resume");
    else if (state !== "paused") moves.add("pause");
  }
  if (["failed", "dead", "budget_exhausted", "stranded"].includes(state)) moves.add("retry");
  if (job.attempts > 0) moves.add("fork");
  return moves;
}
