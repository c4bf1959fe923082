import { useMemo, useSyncExternalStore } from "react";
import { queryClient } from "@/api/query";
import { ApiError, ROOT, tellSignedOut, type Document, type Job } from "@/api/client";

/** `same`: the collection has had a file of this name and content. */
export type UploadState = "waiting" | "sending" | "stored" | "same" | "failed";

export interface Upload {
  id: number;
  collection: string;
  file: File;
  state: UploadState;
  /** Bytes that have left. */
  sent: number;
  error: ApiError | null;
  document: Document | null;
  jobId: string | null;
}

const AT_ONCE = 2;

let uploads: readonly Upload[] = [];
let next = 1;
const requests = new Map<number, XMLHttpRequest>();
const listeners = new Set<() => void>();

function set(now: readonly Upload[]): void {
  uploads = now;
  for (const listener of listeners) listener();
}

function change(id: number, what: Partial<Upload>): void {
  set(uploads.map((each) => (each.id === id ? { ...each, ...what } : each)));
}

/** Send files to a collection, two at a time. It goes on whatever page is shown. */
export function upload(collection: string, files: readonly File[]): void {
  const added = files.map((file): Upload => ({ id: next++, collection, file, state: "waiting", sent: 0, error: null, document: null, jobId: null }));
  set([...uploads, ...added]);
  sendMore();
}

export function tryAgain(id: number): void {
  change(id, { state: "waiting", sent: 0, error: null });
  sendMore();
}

/** Take an upload off the list; one that has not come through is given up. */
export function dismiss(id: number): void {
  requests.get(id)?.abort();
  requests.delete(id);
  set(uploads.filter((each) => each.id !== id));
  sendMore();
}

/** Take off the list what has come through. */
export function dismissStored(collection: string): void {
  set(uploads.filter((each) => each.collection !== collection || (each.state !== "stored" && each.state !== "same")));
}

function sendMore(): void {
  for (const each of uploads) {
    if (requests.size >= AT_ONCE) return;
    if (each.state === "waiting" && !requests.has(each.id)) send(each);
  }
}

// `fetch` does not tell how much of a body has left.
function send({ id, collection, file }: Upload): void {
  const request = new XMLHttpRequest();
  requests.set(id, request);
  request.open("POST", `${ROOT}/api/v1/collections/${encodeURIComponent(collection)}/documents`);
  request.responseType = "json";
  request.upload.onprogress = (event) => change(id, { sent: Math.round((event.loaded / event.total) * file.size) });
  request.onload = () => {
    const { status, response } = request;
    if (status === 401) tellSignedOut();
    if (status >= 200 && status < 300) {
      const { document, job } = response as { document: Document; job: Job | null };
      end(id, { state: job ? "stored" : "same", sent: file.size, document, jobId: job?.id ?? null });
      void queryClient.invalidateQueries({ queryKey: ["documents"] });
    } else end(id, { state: "failed", error: ApiError.from(status, response, request.getResponseHeader("x-request-id"), request.statusText) });
  };
  request.onerror = () => end(id, { state: "failed", error: new ApiError(0, "unreachable", "", null, []) });
  const body = new FormData();
  body.append("file", file, file.name);
  request.send(body);
  change(id, { state: "sending" });
}

function end(id: number, what: Partial<Upload>): void {
  requests.delete(id);
  change(id, what);
  sendMore();
}

export function useUploads(collection: string): Upload[] {
  const all = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => uploads,
  );
  return useMemo(() => all.filter((each) => each.collection === collection), [all, collection]);
}
