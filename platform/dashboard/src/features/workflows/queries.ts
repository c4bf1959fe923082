import { queryOptions } from "@tanstack/react-query";
import { api, got, type Workflow } from "@/api/client";

/** A workflow as the list shows it: without its schemas, which may be long. */
export type ListedWorkflow = Pick<Workflow, "name" | "version" | "description" | "queue" | "kind" | "workers" | "created_at">;

const FIELDS = ["name", "version", "description", "queue", "kind", "workers", "created_at"] as const;

// A worker that comes or goes is no event of the project's feed.
const refetchInterval = 30_000;

export const workflowsQuery = queryOptions({
  queryKey: ["system", "workflows"],
  queryFn: async () =>
    (await got(api.GET("/api/v1/workflows", { params: { query: { fields: [...FIELDS] } } }))) as ListedWorkflow[],
  refetchInterval,
});

export const workflowQuery = (name: string, version?: string) =>
  queryOptions({
    queryKey: ["system", "workflow", name, version ?? null],
    queryFn: () => got(api.GET("/api/v1/workflows/{name}", { params: { path: { name }, query: version ? { version } : {} } })),
  });

export const versionsQuery = (name: string) =>
  queryOptions({
    queryKey: ["system", "versions", name],
    queryFn: () => got(api.GET("/api/v1/workflows/{name}/versions", { params: { path: { name } } })),
    refetchInterval,
  });
