import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "./client";

const RETRIES = 2;

/** What is asked again by itself: what was not reached or broke, never what was refused. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      gcTime: 5 * 60_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) =>
        failures < RETRIES && error instanceof ApiError && (error.unreachable || error.status >= 502),
    },
    mutations: { retry: false },
  },
});
