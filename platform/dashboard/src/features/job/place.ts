import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useCallback } from "react";

const route = getRouteApi("/frame/jobs/$jobId");

/** What of the job is looked at: all of it stands in the address. */
export interface Look {
  tab?: string | undefined;
  step?: string | undefined;
  attempt?: number | undefined;
  view?: string | undefined;
  file?: string | undefined;
  citation?: number | undefined;
  event?: number | undefined;
}

/** Where in the job's page one is, and how to go elsewhere in it. What is not named stays. */
export function usePlace() {
  const { jobId } = route.useParams();
  const look: Look = route.useSearch();
  const navigate = useNavigate();
  const go = useCallback(
    (change: Look, replace = false) => {
      void navigate({
        to: "/jobs/$jobId",
        params: { jobId },
        search: (before: Look) => ({ ...before, ...change }),
        replace,
        resetScroll: false,
      });
    },
    [navigate, jobId],
  );
  return { jobId, look, go };
}
