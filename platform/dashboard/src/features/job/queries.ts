import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { api, got, type Job, type Schemas } from "@/api/client";
import { useModel } from "./journal";

export type Checkpoint = Schemas["Checkpoint"];
export type Usage = Schemas["Usage"];

const PAGE = 100;

/** The job's row. Its journal says when it has changed. */
export function useJob(jobId: string) {
  return useQuery({
    queryKey: ["job", jobId],
    queryFn: ({ signal }) => got(api.GET("/api/v1/jobs/{job_id}", { params: { path: { job_id: jobId } }, signal })),
    staleTime: 30_000,
  });
}

/** Ask for the row again whenever the journal says that the job is in another state. */
export function useFreshJob(jobId: string): void {
  const client = useQueryClient();
  const { model } = useModel("state");
  const { state, waitingFor } = model;
  const attempts = model.attempts.length;
  const { lastSeq } = model;
  useEffect(() => {
    if (lastSeq === 0) return;
    const known = client.getQueryData<Job>(["job", jobId]);
    if (known?.state === state && known.last_seq >= lastSeq) return;
    void client.invalidateQueries({ queryKey: ["job", jobId] });
    // `lastSeq` is read, not followed: most events change nothing of the row.
  }, [client, jobId, state, waitingFor, attempts]);
}

export function useUsage(jobId: string) {
  return useQuery({
    queryKey: ["job", jobId, "usage"],
    queryFn: ({ signal }) => got(api.GET("/api/v1/jobs/{job_id}/usage", { params: { path: { job_id: jobId } }, signal })),
  });
}

/** The workflow in the version that the job runs: its graph is the one that ran, not today's. `live`: so is who serves it. */
export function useVersion(job: Job, live = false) {
  return useQuery({
    queryKey: ["workflow", job.workflow, job.version],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/workflows/{name}", {
          params: { path: { name: job.workflow }, query: { version: job.version } },
          signal,
        }),
      ),
    staleTime: live ? 0 : 60_000,
    refetchInterval: live ? 5_000 : false,
  });
}

/** Where the job can go on from, newest first, in pages. */
export function useCheckpoints(jobId: string, enabled = true) {
  return useInfiniteQuery({
    queryKey: ["job", jobId, "checkpoints"],
    queryFn: ({ pageParam, signal }) =>
      got(
        api.GET("/api/v1/jobs/{job_id}/checkpoints", {
          params: { path: { job_id: jobId }, query: { limit: PAGE, ...(pageParam ? { before: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page: Checkpoint[]) => (page.length === PAGE ? page.at(-1)!.id : undefined),
    enabled,
  });
}

/** The values of the job's graph at a checkpoint: a worker is asked for them. */
export function useValuesAt(job: Job, checkpointId: string | null) {
  return useQuery({
    queryKey: ["thread", job.thread_id, "state", checkpointId],
    queryFn: ({ signal }) =>
      got(
        api.GET("/api/v1/threads/{thread_id}/state", {
          params: { path: { thread_id: job.thread_id }, query: { checkpoint_id: checkpointId } },
          signal,
        }),
      ),
    enabled: checkpointId !== null,
    staleTime: Infinity,
  });
}

export function useChildCounts(jobId: string, live: boolean) {
  return useQuery({
    queryKey: ["job", jobId, "child-counts"],
    queryFn: ({ signal }) => got(api.GET("/api/v1/jobs/counts", { params: { query: { parent_id: jobId } }, signal })),
    refetchInterval: live ? 2_000 : false,
  });
}

/** The version that is served now, which a retry may go on with. */
export function useCurrentVersion(name: string, enabled: boolean) {
  return useQuery({
    queryKey: ["workflow", name, "current"],
    queryFn: ({ signal }) => got(api.GET("/api/v1/workflows/{name}", { params: { path: { name } }, signal })),
    enabled,
  });
}
