import { ApiError, ROOT, tellSignedOut, type Schemas } from "@/api/client";

interface Options {
  signal: AbortSignal;
  /** From 0 to 1. */
  onProgress(share: number): void;
}

/** Stores a file for a job to take, and tells how much of it has been sent: which `fetch` cannot. */
export function uploadFile(file: File, { signal, onProgress }: Options): Promise<Schemas["Upload"]> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    signal.addEventListener("abort", stop);
    request.open("POST", `${ROOT}/api/v1/uploads`);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 201) return resolve(request.response as Schemas["Upload"]);
      if (request.status === 401) tellSignedOut();
      reject(ApiError.from(request.status, request.response, request.getResponseHeader("x-request-id"), request.statusText));
    };
    request.onerror = () => reject(new ApiError(0, "unreachable", file.name, null, []));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", stop);
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}
