import { api, got, type Job, type JobState } from "@/api/client";
import type { Query, Sort } from "./filters";

const FIELDS = [
  "id",
  "thread_id",
  "workflow",
  "version",
  "state",
  "error",
  "attempts",
  "last_seq",
  "priority",
  "parent_id",
  "waiting_for",
  "available_at",
  "schedule_id",
  "created_at",
  "started_at",
  "finished_at",
  "created_by",
  "cancel_requested_at",
] as const;

/** What the list shows of a job: neither input nor output, which may be large. */
export type Row = Pick<Job, (typeof FIELDS)[number]>;

export interface Page {
  jobs: Row[];
  next: string | null;
}

/** What to list: in which states, by which filters, in which order. */
export interface Wanted {
  states: JobState[] | undefined;
  query: Query;
  sort: Sort;
}

export const PAGE_ROWS = 50;

export async function fetchRows({ states, query, sort }: Wanted, cursor: string | null, signal?: AbortSignal): Promise<Page> {
  const asked = { ...query, state: states, sort, cursor, limit: PAGE_ROWS, fields: [...FIELDS] };
  const page = await got(api.GET("/api/v1/jobs", { params: { query: asked }, signal }));
  return { jobs: page.jobs, next: page.next ?? null };
}

/** The ids of a page of those in `states`: for what is done to all that fit. */
export async function fetchIds(wanted: Wanted, cursor: string | null, signal: AbortSignal): Promise<{ ids: string[]; next: string | null }> {
  const query = { ...wanted.query, state: wanted.states, sort: wanted.sort, cursor, limit: 200, fields: ["id" as const] };
  const page = await got(api.GET("/api/v1/jobs", { params: { query }, signal }));
  return { ids: page.jobs.map((job) => job.id), next: page.next ?? null };
}

/** What of a row changes what it shows. A row that came late says nothing new. */
export function isNewer(row: Pick<Row, "last_seq">, than: Pick<Row, "last_seq">): boolean {
  return row.last_seq >= than.last_seq;
}

/** A row of what the feed tells, without all that it does not show. */
export function asRow(job: Row): Row {
  return Object.fromEntries(FIELDS.map((name) => [name, job[name]])) as unknown as Row;
}

/** How long a job has waited for a worker: since when, and until when. Null: its time has not come. */
export function queueWait(row: Row): { from: string; to: string | null } {
  const { created_at: created, available_at: available, started_at: started } = row;
  const until = started ?? row.finished_at ?? null;
  // What was handed back or retried waits anew from then on; a pause between two attempts is none in the queue.
  const counts = available && available > created && (until === null || available <= until);
  return { from: counts ? available : created, to: until };
}
