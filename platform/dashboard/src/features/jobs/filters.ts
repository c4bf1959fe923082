import type { Job, JobState, Schemas } from "@/api/client";

/** What the address says of the list. Times are moments, or how far back: `24h`, `7d`. */
export interface Search {
  state?: JobState[] | undefined;
  workflow?: string | undefined;
  thread?: string | undefined;
  parent?: string | undefined;
  schedule?: string | undefined;
  created_by?: string | undefined;
  after?: string | undefined;
  before?: string | undefined;
  sort?: Schemas["JobSort"] | undefined;
}

export type Sort = Schemas["JobSort"];
export const NEWEST: Sort = "-created_at";
export const SORTS: readonly Sort[] = ["-created_at", "created_at", "-finished_at", "finished_at", "-priority"];
/** How far back one may look with one choice. */
export const SPANS = ["1h", "24h", "7d", "30d"] as const;

/** The filters but for the state, as the API takes them. */
export interface Query {
  workflow?: string;
  thread_id?: string;
  parent_id?: string;
  schedule_id?: string;
  created_by?: string;
  created_after?: string;
  created_before?: string;
}

const HOUR = 3_600_000;
const SPAN = /^(\d+)([hd])$/;

/** The moment that a time of the address means, counted back from `now`; null when it means none. */
export function moment(text: string, now: number): string | null {
  const [, count, unit] = SPAN.exec(text) ?? [];
  if (count) return new Date(now - Number(count) * (unit === "d" ? 24 * HOUR : HOUR)).toISOString();
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}

export function queryOf(search: Search, now: number): Query {
  const query: Query = {};
  if (search.workflow) query.workflow = search.workflow;
  if (search.thread) query.thread_id = search.thread;
  if (search.parent) query.parent_id = search.parent;
  if (search.schedule) query.schedule_id = search.schedule;
  if (search.created_by) query.created_by = search.created_by;
  const after = search.after && moment(search.after, now);
  const before = search.before && moment(search.before, now);
  if (after) query.created_after = after;
  if (before) query.created_before = before;
  return query;
}

/** Whether any filter is set; the order is none. */
export function isFiltered({ sort: _, ...filters }: Search): boolean {
  return Object.values(filters).some((value) => value !== undefined);
}

/** What of a job the filters look at. */
export type Filtered = Pick<Job, "state" | "workflow" | "thread_id" | "created_at"> &
  Partial<Pick<Job, "parent_id" | "schedule_id" | "created_by">>;

/** Whether a job fits the filters, as the API would say. */
export function fits(job: Filtered, states: readonly JobState[] | undefined, query: Query): boolean {
  const created = Date.parse(job.created_at);
  return (
    (!states || states.includes(job.state)) &&
    (!query.workflow || job.workflow === query.workflow) &&
    (!query.thread_id || job.thread_id === query.thread_id) &&
    (!query.parent_id || job.parent_id === query.parent_id) &&
    (!query.schedule_id || job.schedule_id === query.schedule_id) &&
    (!query.created_by || job.created_by === query.created_by) &&
    (!query.created_after || created > Date.parse(query.created_after)) &&
    (!query.created_before || created < Date.parse(query.created_before))
  );
}
