import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema";

/** Where the page lives: `/ui/`, or `/prefix/ui/` behind a proxy. */
export const PAGE = new URL(document.baseURI).pathname;
/** Where the API lives: beside the page. */
export const ROOT = PAGE.replace(/\/ui\/$/, "");

export type Schemas = components["schemas"];
export type Job = Schemas["Job"];
export type JobState = Schemas["JobState"];
export type JobEvent = Schemas["Event"];
export type Approval = Schemas["Approval"];
export type Artifact = Schemas["Artifact"];
export type Attempt = Schemas["Attempt"];
export type Workflow = Schemas["CataloguedWorkflow"];
export type Worker = Schemas["Worker"];
export type Document = Schemas["Document"];
export type Collection = Schemas["Collection"];

/** One error of a request's body or parameters: where, and why. */
export interface FieldError {
  path: string;
  message: string;
}

/** What the API says when it does not do what it was asked: its problem details, or that it was not reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly requestId: string | null,
    readonly errors: FieldError[],
  ) {
    super(detail);
    this.name = "ApiError";
  }

  /** Nothing answered: the server is away or the connection is lost. */
  get unreachable(): boolean {
    return this.status === 0;
  }

  static async of(response: Response): Promise<ApiError> {
    const body: unknown = await response
      .clone()
      .json()
      .catch(() => null);
    return ApiError.from(response.status, body, response.headers.get("x-request-id"), response.statusText);
  }

  static from(status: number, body: unknown, requestId: string | null, fallback: string): ApiError {
    const told = (body ?? {}) as Record<string, unknown>;
    const errors = Array.isArray(told.errors) ? told.errors : [];
    return new ApiError(
      status,
      typeof told.code === "string" ? told.code : `http_${status}`,
      typeof told.detail === "string" ? told.detail : fallback || `HTTP ${status}`,
      typeof told.request_id === "string" ? told.request_id : requestId,
      errors.map((error: Record<string, unknown>) => ({
        path: String(error.path ?? error.loc ?? ""),
        message: String(error.message ?? error.msg ?? ""),
      })),
    );
  }
}

const listeners = new Set<() => void>();
/** Calls `listener` whenever the API answers that nobody is signed in; returns how to stop that. */
export function onSignedOut(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
export function tellSignedOut(): void {
  for (const listener of listeners) listener();
}

const errors: Middleware = {
  async onResponse({ response }) {
    if (response.ok || response.status === 304) return undefined;
    const error = await ApiError.of(response);
    if (response.status === 401 && !response.url.endsWith("/api/v1/session")) tellSignedOut();
    throw error;
  },
  onError({ error }) {
    if (error instanceof ApiError || (error instanceof DOMException && error.name === "AbortError")) return undefined;
    return new ApiError(0, "unreachable", String(error instanceof Error ? error.message : error), null, []);
  },
};

/** The API, typed by its OpenAPI document. Every call throws an `ApiError` when the answer is not a success. */
export const api = createClient<paths, "application/json">({ baseUrl: ROOT || window.location.origin, credentials: "same-origin" });
api.use(errors);

/** The data of an answer that is there, as every answer that is none has been thrown. */
export async function got<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T;
}
