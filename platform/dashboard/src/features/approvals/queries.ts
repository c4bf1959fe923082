import { infiniteQueryOptions, queryOptions, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { api, ApiError, got, type Approval, type Schemas } from "@/api/client";

export type ApprovalState = Schemas["ApprovalState"];
export const STATES: readonly ApprovalState[] = ["pending", "decided", "expired", "withdrawn"];
/** In the address, for those that nobody is to decide. */
export const NOBODY = "~nobody";

export interface Filters {
  state?: ApprovalState | "all" | undefined;
  workflow?: string | undefined;
  assignee?: string | undefined;
}

const PAGE = 50;

/** The inbox: what waits, the most urgent first; what is over, the newest first. */
export function inboxQuery({ state = "pending", workflow, assignee }: Filters) {
  return infiniteQueryOptions({
    queryKey: ["approvals", "inbox", state, workflow ?? null, assignee ?? null],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      got(
        api.GET("/api/v1/approvals", {
          params: {
            query: {
              state: state === "all" ? [...STATES] : [state],
              sort: state === "pending" ? "expires" : "-created",
              limit: PAGE,
              ...(pageParam ? { cursor: pageParam } : {}),
              ...(workflow ? { workflow } : {}),
              ...(assignee === NOBODY ? { unassigned: true } : assignee ? { assignee } : {}),
            },
          },
        }),
      ),
    getNextPageParam: (page) => page.next ?? undefined,
  });
}

export function approvalQuery(id: string) {
  return queryOptions({
    queryKey: ["approvals", "one", id],
    queryFn: () => got(api.GET("/api/v1/approvals/{approval_id}", { params: { path: { approval_id: id } } })),
  });
}

export function jobApprovalsQuery(jobId: string) {
  return queryOptions({
    queryKey: ["approvals", "job", jobId],
    queryFn: () => got(api.GET("/api/v1/jobs/{job_id}/approvals", { params: { path: { job_id: jobId } } })),
  });
}

export function decide(id: string, body: Schemas["DecisionRequest"]): Promise<Approval> {
  return got(api.POST("/api/v1/approvals/{approval_id}", { params: { path: { approval_id: id } }, body }));
}

export function decideMany(body: Schemas["BulkDecisionRequest"]): Promise<Schemas["DecisionResults"]> {
  return got(api.POST("/api/v1/approvals/decide", { body }));
}

/** Changes a pending approval as it was read: refused when somebody has changed it meanwhile. */
export function change(approval: Approval, changes: Schemas["ApprovalChanges"]): Promise<Approval> {
  return got(
    api.PATCH("/api/v1/approvals/{approval_id}", {
      params: { path: { approval_id: approval.id }, header: { "if-match": `"${approval.revision}"` } },
      body: changes,
    }),
  );
}

/** Whether it was refused because somebody else was faster. */
export function isLate(error: unknown): error is ApiError {
  return error instanceof ApiError && ["already_decided", "approval_changed", "precondition_failed"].includes(error.code);
}

/** All that shows approvals, asked again. */
export function refreshApprovals(client: QueryClient): void {
  for (const key of ["approvals", "pending", "counts", "jobs"]) void client.invalidateQueries({ queryKey: [key] });
}

export function useRefreshApprovals(): () => void {
  const client = useQueryClient();
  return () => refreshApprovals(client);
}
