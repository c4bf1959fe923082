import { api, ApiError, got, ROOT, type Schemas } from "@/api/client";
import { isOver } from "@/ui/state";

/** How far the demo is: each part in what is done and what there is to do. */
export interface DemoProgress {
  sent: number;
  read: number;
  of: number;
  submitted: boolean;
}

/** A browser has six connections to a server; one is the feed's. */
const AT_ONCE = 3;
const WAIT_SECONDS = 20;

/** Does `each` with all of them, some at a time, in their order. */
async function inTurns<T>(all: readonly T[], each: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const turns = Array.from({ length: AT_ONCE }, async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await each(one);
  });
  await Promise.all(turns);
}

async function textOf(name: string, signal: AbortSignal): Promise<string> {
  return (await got(api.GET("/api/v1/samples/{name}", { params: { path: { name } }, parseAs: "text", signal }))) as unknown as string;
}

/** Puts a sample document into the collection; the job that takes it in, or null when it is there already. */
async function add(collection: string, name: string, text: string, signal: AbortSignal): Promise<string | null> {
  const body = new FormData();
  body.append("file", new File([text], name, { type: "text/plain" }));
  const path = `${ROOT}/api/v1/collections/${encodeURIComponent(collection)}/documents`;
  const response = await fetch(path, { method: "POST", body, credentials: "same-origin", signal });
  if (!response.ok) throw await ApiError.of(response);
  return ((await response.json()) as Schemas["Added"]).job?.id ?? null;
}

/** Until the job has ended. Throws when the document could not be taken in. */
async function taken(jobId: string, name: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const query = { wait: WAIT_SECONDS, fields: ["state" as const, "error" as const] };
    const job = await got(api.GET("/api/v1/jobs/{job_id}", { params: { path: { job_id: jobId }, query }, signal }));
    if (job.state === "succeeded") return;
    if (isOver(job.state)) throw new Error(`${name}: ${job.error?.message ?? job.state}`);
  }
}

/** What `mutirao demo` does: takes in the sample documents and submits the report on them. Gives the report's job. */
export async function runDemo(tell: (progress: DemoProgress) => void, signal: AbortSignal): Promise<string> {
  const samples = await got(api.GET("/api/v1/samples", { signal }));
  const progress: DemoProgress = { sent: 0, read: 0, of: samples.documents.length, submitted: false };
  tell({ ...progress });
  await inTurns(samples.documents, async ({ name }) => {
    const jobId = await add(samples.collection, name, await textOf(name, signal), signal);
    progress.sent += 1;
    tell({ ...progress });
    if (jobId) await taken(jobId, name, signal);
    progress.read += 1;
    tell({ ...progress });
  });
  const job = await got(api.POST("/api/v1/jobs", { body: { workflow: samples.workflow, input: samples.input } as Schemas["JobRequest"], signal }));
  tell({ ...progress, submitted: true });
  return job.id;
}
