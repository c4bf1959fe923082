import { queryOptions } from "@tanstack/react-query";
import { api, ApiError, got, ROOT, type Schemas } from "@/api/client";

export type Queue = Schemas["System"]["queues"][number];

/** Jobs that wait for a queue that no worker serves. */
export type Starved = Schemas["System"]["starved"][number];

export interface Ready {
  status: "ready" | "not_ready";
  parts: Record<string, { ok: boolean; detail: string | null }>;
}

export interface LoadError {
  source: string;
  message: string;
  trace?: string;
  /** `warning`: something of the project is not honoured, and the rest runs. */
  level?: "error" | "warning";
}

// Heartbeats, and whether parts answer, are no events. A page that is hidden does not ask.
const refetchInterval = 10_000;

export const workersQuery = queryOptions({
  queryKey: ["system", "workers"],
  queryFn: () => got(api.GET("/api/v1/workers")),
  refetchInterval,
});

export const statusQuery = queryOptions({
  queryKey: ["system", "status"],
  queryFn: () => got(api.GET("/api/v1/system")),
  refetchInterval,
});

/** Whether every part answers: 503 is an answer, too. */
export const readyQuery = queryOptions({
  queryKey: ["system", "ready"],
  queryFn: async ({ signal }): Promise<Ready> => {
    const response = await fetch(`${ROOT}/readyz`, { credentials: "same-origin", signal });
    const body: unknown = await response
      .clone()
      .json()
      .catch(() => null);
    if (body && typeof body === "object" && "parts" in body) return body as Ready;
    throw await ApiError.of(response);
  },
  refetchInterval,
});
