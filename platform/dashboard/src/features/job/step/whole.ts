import type { Job } from "@/api/client";
import { usePlaces } from "../act/checkpoint-select";
import { useValuesAt } from "../queries";
import type { Task } from "../records";
import type { Place } from "../supersteps";

const top = (step: string) => step.split("/", 1)[0]!;

/** The checkpoint that was written behind a task, and the one that it began at. Those of the outermost graph. */
export function placesOf(task: Task | undefined, places: readonly Place[] | undefined): { before: Place | null; after: Place | null } {
  const none = { before: null, after: null };
  if (!task || !places) return none;
  const name = top(task.step);
  const time = (place: Place) => Date.parse(place.checkpoint.created_at);
  const nearest = (found: Place[], to: number) =>
    found.reduce<Place | null>((best, place) => (best && Math.abs(time(best) - to) <= Math.abs(time(place) - to) ? best : place), null);
  const behind = task.ended === null ? [] : places.filter((place) => place.after.includes(name) && time(place) >= task.began);
  const ahead = places.filter((place) => place.next.includes(name));
  return { before: nearest(ahead, task.began), after: nearest(behind, task.ended ?? 0) };
}

/** The state after a task, whole, asked for when it is wanted: an event carries only so much of a large payload. */
export function useStateAfter(job: Job, task: Task | undefined, wanted: boolean) {
  const { places, query } = usePlaces(job.id);
  const { before, after } = placesOf(task, places);
  const state = useValuesAt(job, wanted && after ? after.checkpoint.id : null);
  const values = state.data?.values as Record<string, unknown> | undefined;
  return { before, after, values, state, pending: query.isPending || (wanted && after !== null && state.isPending) };
}
