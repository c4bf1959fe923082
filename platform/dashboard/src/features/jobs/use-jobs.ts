import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { api, got, type JobState, type Schemas } from "@/api/client";
import { useChangedJobs } from "@/live/changes";
import { readAbouts } from "./abouts";
import { NEWEST, queryOf, type Query, type Search } from "./filters";
import { JobList } from "./job-list";
import { fetchRows, type Wanted } from "./rows";

/** The filters of the address as the API takes them; the same object as long as they say the same. */
export function useWanted(search: Search): Wanted {
  const key = JSON.stringify(search);
  return useMemo(
    () => ({ states: search.state, query: queryOf(search, Date.now()), sort: search.sort ?? NEWEST }),
    // The key has all of it.
    [key],
  );
}

/** The list that the filters ask for, live. */
export function useJobs(wanted: Wanted) {
  const client = useQueryClient();
  const key = useMemo(() => ["jobs", "head", wanted] as const, [wanted]);
  const head = useQuery({ queryKey: key, queryFn: ({ signal }) => fetchRows(wanted, null, signal) });
  const list = useMemo(() => new JobList(wanted), [wanted]);
  useEffect(() => {
    list.open();
    const stop = new AbortController();
    void readAbouts(wanted, null, stop.signal);
    list.onOverflow = () => void client.invalidateQueries({ queryKey: key });
    return () => {
      stop.abort();
      list.close();
    };
  }, [list, client, key, wanted]);
  useEffect(() => {
    if (head.data) list.takeHead(head.data);
  }, [list, head.data]);
  useChangedJobs((jobs) => list.take(jobs));
  return { list, head, listed: useSyncExternalStore(list.subscribe, list.get) };
}

export interface Counts {
  counts: Partial<Record<JobState, number>>;
  total: number;
}

const SHORTEST_PAUSE = 1_000;
/** Where counting is slow it is done less often: so many times as long as it takes. */
const PAUSES = 10;

/** How many jobs there are in each state, counted again when something has changed, at most once a second. */
export function useCounts(query: Query) {
  const counts = useQuery({
    queryKey: ["job-counts", query],
    queryFn: async ({ signal }): Promise<Counts & { took: number }> => {
      const began = performance.now();
      const found: Schemas["JobCounts"] = await got(api.GET("/api/v1/jobs/counts", { params: { query }, signal }));
      return { counts: found.counts, total: found.total, took: performance.now() - began };
    },
    placeholderData: (before) => before,
  });
  const { refetch } = counts;
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const last = useRef(0);
  const took = counts.data?.took ?? 0;
  const again = () => {
    if (timer.current) return;
    const pause = Math.max(SHORTEST_PAUSE, took * PAUSES);
    timer.current = setTimeout(() => {
      last.current = Date.now();
      timer.current = null;
      void refetch({ cancelRefetch: false });
    }, Math.max(0, last.current + pause - Date.now()));
  };
  useChangedJobs(again);
  useEffect(
    () => () => {
      if (timer.current) clearTimeout(timer.current);
      timer.current = null;
    },
    [],
  );
  return { ...counts, again };
}

/** Whether somebody is at the top of the page. */
export function useAtTop(within: number): boolean {
  const [atTop, setAtTop] = useState(() => window.scrollY <= within);
  useEffect(() => {
    const look = () => setAtTop(window.scrollY <= within);
    window.addEventListener("scroll", look, { passive: true });
    return () => window.removeEventListener("scroll", look);
  }, [within]);
  return atTop;
}
