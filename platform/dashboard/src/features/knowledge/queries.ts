import { infiniteQueryOptions, queryOptions, useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";
import { api, ApiError, got, ROOT, type Document } from "@/api/client";
import { decoded } from "@/lib/spans";
import { useChangedJobs } from "@/live/changes";

const PAGE = 200;

export const collectionsQuery = queryOptions({
  queryKey: ["documents", "collections"],
  queryFn: () => got(api.GET("/api/v1/collections")),
});

/** Documents of a collection by name; one that does not exist yet has none. */
export const documentsQuery = (collection: string) =>
  infiniteQueryOptions({
    queryKey: ["documents", "of", collection],
    initialPageParam: 0,
    queryFn: async ({ pageParam }): Promise<Document[]> => {
      try {
        return await got(
          api.GET("/api/v1/collections/{collection}/documents", {
            params: { path: { collection }, query: { limit: PAGE, offset: pageParam } },
          }),
        );
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return [];
        throw error;
      }
    },
    getNextPageParam: (last, all) => (last.length === PAGE ? all.length * PAGE : undefined),
  });

export const documentQuery = (id: string) =>
  queryOptions({
    queryKey: ["documents", "one", id],
    queryFn: () => got(api.GET("/api/v1/documents/{document_id}", { params: { path: { document_id: id } } })),
  });

/** A text never changes: its document's next version is another document. */
export const textQuery = (document: Document) =>
  queryOptions({
    queryKey: ["text", document.text_sha256],
    staleTime: Infinity,
    queryFn: async ({ signal }) => {
      const response = await fetch(`${ROOT}/api/v1/documents/${document.id}/text`, { credentials: "same-origin", signal });
      if (!response.ok) throw await ApiError.of(response);
      return decoded(await response.arrayBuffer());
    },
  });

/** A passage that a search has found: `mutirao_agents.context.Passage`. */
export interface Hit {
  chunk_id: string;
  document: { id: string; name: string; version: number; media_type: string; language: string | null };
  page: number;
  start: number;
  end: number;
  heading: string;
  text: string;
  score: number;
  keyword_rank: number | null;
  dense_rank: number | null;
}

export interface Found {
  hits: Hit[];
  jobId: string;
  milliseconds: number;
}

/** A search is a job: it is made once for each query, and again only when somebody asks. */
export const searchQuery = (collection: string, query: string, limit: number) =>
  queryOptions({
    queryKey: ["search", collection, query, limit],
    staleTime: Infinity,
    retry: false,
    queryFn: async ({ signal }): Promise<Found> => {
      const began = performance.now();
      const result = await got(api.POST("/api/v1/search", { body: { collections: [collection], query, limit }, signal }));
      return { hits: result.hits as unknown as Hit[], jobId: result.job_id, milliseconds: performance.now() - began };
    },
  });

const KEEPERS = ["knowledge.ingest", "knowledge.forget", "knowledge.reindex"];
const SETTLED = 400;

/** Documents are asked for again when a job that keeps them has changed its state. */
export function useLiveDocuments(): void {
  const client = useQueryClient();
  const known = useRef(new Map<string, string>());
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useChangedJobs((jobs) => {
    const moved = jobs.filter((job) => KEEPERS.includes(job.workflow) && known.current.get(job.id) !== job.state);
    if (moved.length === 0) return;
    for (const job of moved) known.current.set(job.id, job.state);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => void client.invalidateQueries({ queryKey: ["documents"] }), SETTLED);
  });
}
