import { queryOptions, skipToken } from "@tanstack/react-query";
import { api, ApiError, got, ROOT, type Artifact, type Job } from "@/api/client";
import { isOver } from "@/ui/state";
import { cutOut, type TextWindow } from "./document/source-text";

/** Where the content of an artifact is. Its name may have folders. */
export function artifactUrl(jobId: string, name: string): string {
  return `${ROOT}/api/v1/jobs/${jobId}/artifacts/${name.split("/").map(encodeURIComponent).join("/")}`;
}

/** The files a job has made; asked again when it has ended. */
export function artifactsQuery(job: Job) {
  return queryOptions({
    queryKey: ["jobs", job.id, "artifacts", isOver(job.state)],
    queryFn: () => got(api.GET("/api/v1/jobs/{job_id}/artifacts", { params: { path: { job_id: job.id } } })),
    placeholderData: (before: Artifact[] | undefined) => before,
  });
}

export interface Content {
  bytes: Uint8Array<ArrayBuffer>;
  /** Whether that is all of it. */
  isWhole: boolean;
}

async function read(url: string, most: number, signal: AbortSignal): Promise<Content> {
  const response = await fetch(url, { credentials: "same-origin", signal });
  if (!response.ok || !response.body) throw await ApiError.of(response);
  const reader = response.body.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
    if (size > most) {
      await reader.cancel();
      break;
    }
  }
  const bytes = new Uint8Array(Math.min(size, most));
  let at = 0;
  for (const part of parts) {
    bytes.set(part.subarray(0, bytes.length - at), at);
    at += part.length;
  }
  return { bytes, isWhole: size <= most };
}

/** At most so many bytes of a file. The same hash is the same content, whatever the job does. */
export function contentQuery(artifact: Artifact | undefined, most = Infinity) {
  return queryOptions({
    queryKey: ["artifact", artifact?.job_id, artifact?.name, artifact?.sha256, most],
    queryFn: artifact ? ({ signal }) => read(artifactUrl(artifact.job_id, artifact.name), most, signal) : skipToken,
    staleTime: Infinity,
  });
}

/** A JSON file of a job as the value it holds. */
export function jsonQuery(artifact: Artifact | undefined) {
  return queryOptions({
    queryKey: ["artifact", artifact?.job_id, artifact?.name, artifact?.sha256, "json"],
    queryFn: artifact
      ? async ({ signal }): Promise<unknown> => {
          const { bytes } = await read(artifactUrl(artifact.job_id, artifact.name), Infinity, signal);
          return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
        }
      : skipToken,
    staleTime: Infinity,
  });
}

export function documentQuery(id: string) {
  return queryOptions({
    queryKey: ["document", id],
    queryFn: () => got(api.GET("/api/v1/documents/{document_id}", { params: { path: { document_id: id } } })),
  });
}

/** A document's text as its citations count it, or a window of it: a version's text never changes. */
export function textQuery(documentId: string, wanted: [number, number] | null) {
  return queryOptions({
    queryKey: ["document-text", documentId, wanted],
    queryFn: async ({ signal }): Promise<TextWindow> => {
      const response = await fetch(`${ROOT}/api/v1/documents/${documentId}/text`, { credentials: "same-origin", signal });
      if (!response.ok || !response.body) throw await ApiError.of(response);
      return cutOut(response.body, wanted);
    },
    staleTime: Infinity,
  });
}
