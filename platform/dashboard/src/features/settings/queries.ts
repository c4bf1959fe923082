import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, got, type Schemas } from "@/api/client";

export type Project = Schemas["ProjectView"];
export type Key = Schemas["Key"];

// Under `counts`, as what runs and waits changes with every job.
export const projectQuery = queryOptions({
  queryKey: ["counts", "project"],
  queryFn: () => got(api.GET("/api/v1/project")),
});

export const keysQuery = infiniteQueryOptions({
  queryKey: ["keys"],
  initialPageParam: null as string | null,
  queryFn: ({ pageParam }) => got(api.GET("/api/v1/keys", { params: { query: pageParam ? { cursor: pageParam } : {} } })),
  getNextPageParam: (last) => last.next ?? undefined,
});
