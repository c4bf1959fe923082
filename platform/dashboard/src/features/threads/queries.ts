import { infiniteQueryOptions, queryOptions, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api, got, type Job, type Schemas } from "@/api/client";
import { useChangedJobs } from "@/live/changes";

export type Thread = Schemas["Thread"];
export type ThreadStatus = Thread["status"];
/** A thread as the list shows it: without its values, which may be long. */
export type ListedThread = Pick<Thread, "id" | "status" | "workflow" | "metadata" | "state_updated_at" | "created_at">;
/** A job of a thread, without what it was given and what it has given. */
export type ListedJob = Pick<Job, "id" | "workflow" | "state" | "waiting_for" | "created_at" | "started_at" | "finished_at" | "error" | "attempts">;

export const THREAD_STATUSES: readonly ThreadStatus[] = ["busy", "interrupted", "error", "idle"];

const LISTED = ["id", "status", "workflow", "metadata", "state_updated_at", "created_at"] as const;
const JOB = ["id", "workflow", "state", "waiting_for", "created_at", "started_at", "finished_at", "error", "attempts"] as const;

export interface ThreadFilter {
  status?: string | undefined;
  workflow?: string | undefined;
}

interface Page<T> {
  next: string | null;
  rows: T[];
}

export const threadsQuery = ({ status, workflow }: ThreadFilter) =>
  infiniteQueryOptions({
    queryKey: ["threads", "list", status ?? null, workflow ?? null],
    initialPageParam: null as string | null,
    queryFn: async ({ pageParam }): Promise<Page<ListedThread>> => {
      const query = {
        ...(THREAD_STATUSES.includes(status as ThreadStatus) && { status: status as ThreadStatus }),
        ...(workflow && { workflow }),
        ...(pageParam && { cursor: pageParam }),
        fields: [...LISTED],
      };
      const page = await got(api.GET("/api/v1/threads", { params: { query } }));
      return { rows: page.threads, next: page.next ?? null };
    },
    getNextPageParam: (last) => last.next ?? undefined,
  });

export const threadQuery = (id: string) =>
  queryOptions({
    queryKey: ["threads", "one", id],
    queryFn: () => got(api.GET("/api/v1/threads/{thread_id}", { params: { path: { thread_id: id } } })),
  });

export const storageQuery = (id: string) =>
  queryOptions({
    queryKey: ["threads", "storage", id],
    queryFn: () => got(api.GET("/api/v1/threads/{thread_id}/storage", { params: { path: { thread_id: id } } })),
  });

/** The jobs of a thread, newest first. */
export const threadJobsQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: ["threads", "jobs", id],
    initialPageParam: null as string | null,
    queryFn: async ({ pageParam }): Promise<Page<ListedJob>> => {
      const query = { thread_id: id, fields: [...JOB], ...(pageParam && { cursor: pageParam }) };
      const page = await got(api.GET("/api/v1/jobs", { params: { query } }));
      return { rows: page.jobs, next: page.next ?? null };
    },
    getNextPageParam: (last) => last.next ?? undefined,
  });

/** What a job asks people and nobody has decided. */
export const askedQuery = (jobId: string) =>
  queryOptions({
    queryKey: ["approvals", "of", jobId],
    queryFn: async () => {
      const all = await got(api.GET("/api/v1/jobs/{job_id}/approvals", { params: { path: { job_id: jobId } } }));
      return all.filter((approval) => approval.state === "pending");
    },
  });

const CHECKPOINTS = 50;

/** Where a job has stood, newest first, without the values. */
export const checkpointsQuery = (jobId: string) =>
  infiniteQueryOptions({
    queryKey: ["threads", "checkpoints", jobId],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      got(
        api.GET("/api/v1/jobs/{job_id}/checkpoints", {
          params: { path: { job_id: jobId }, query: { limit: CHECKPOINTS, ...(pageParam && { before: pageParam }) } },
        }),
      ),
    getNextPageParam: (last) => (last.length === CHECKPOINTS ? last.at(-1)?.id : undefined),
  });

export interface ThreadState {
  values: unknown;
  next: string[];
  tasks: { name: string; error: string | null; interrupts: { value: unknown }[] }[];
}

/** The values at a checkpoint, which never change. A worker must serve the workflow. */
export const stateQuery = (threadId: string, checkpoint: string) =>
  queryOptions({
    queryKey: ["thread-state", threadId, checkpoint],
    staleTime: Infinity,
    queryFn: async () =>
      (await got(
        api.GET("/api/v1/threads/{thread_id}/state", { params: { path: { thread_id: threadId }, query: { checkpoint_id: checkpoint } } }),
      )) as unknown as ThreadState,
  });

const SETTLED = 700;

/** Threads are asked for again when a job of one of them has changed its state; with an id, only for that one. */
export function useLiveThreads(id?: string): void {
  const client = useQueryClient();
  const known = useRef(new Map<string, string>());
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useChangedJobs((jobs) => {
    const moved = jobs.filter((job) => (!id || job.thread_id === id) && known.current.get(job.id) !== job.state);
    if (moved.length === 0) return;
    for (const job of moved) known.current.set(job.id, job.state);
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void client.invalidateQueries({ queryKey: ["threads"] });
      if (id) void client.invalidateQueries({ queryKey: ["approvals", "of"] });
    }, SETTLED);
  });
}
