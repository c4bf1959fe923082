import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, got, type JobState } from "@/api/client";
import { useChangedJobs, type ChangedJob } from "@/live/changes";

/** How far a document's job is. */
export interface Ingest {
  state: JobState;
  step: string | null;
  progress: { done: number; total: number } | null;
  /** The newest event that was read. */
  seq: number;
}

const LIMIT = 200;
const key = (jobId: string) => ["ingest", jobId];

const ingestQuery = (jobId: string, before: () => Ingest | undefined) =>
  queryOptions({
    queryKey: key(jobId),
    staleTime: Infinity,
    queryFn: async (): Promise<Ingest> => {
      const path = { job_id: jobId };
      const known = before();
      const [job, events] = await Promise.all([
        got(api.GET("/api/v1/jobs/{job_id}", { params: { path } })),
        got(api.GET("/api/v1/jobs/{job_id}/journal", { params: { path, query: { after: known?.seq ?? 0, limit: LIMIT } } })),
      ]);
      const now: Ingest = { state: job.state, step: known?.step ?? null, progress: known?.progress ?? null, seq: known?.seq ?? 0 };
      for (const event of events) {
        now.seq = event.seq;
        if (event.type === "step.started") {
          now.step = event.step ?? null;
          now.progress = null;
        } else if (event.type === "progress") now.progress = { done: Number(event.data.done), total: Number(event.data.total) };
      }
      return now;
    },
  });

/** How far the job of a document is, live: its journal is read on whenever the feed says that it has grown. */
export function useIngest(jobId: string | null | undefined): Ingest | undefined {
  const client = useQueryClient();
  const { data } = useQuery({
    ...ingestQuery(jobId ?? "", () => client.getQueryData<Ingest>(key(jobId ?? ""))),
    enabled: !!jobId,
  });
  useChangedJobs((jobs: ChangedJob[]) => {
    const job = jobs.find((each) => each.id === jobId);
    if (!job) return;
    const known = client.getQueryData<Ingest>(key(job.id));
    if (known) client.setQueryData(key(job.id), { ...known, state: job.state });
    void client.invalidateQueries({ queryKey: key(job.id) });
  });
  return data;
}
