import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useMemo, useRef, type ReactNode } from "react";
import { ROOT, type Job } from "@/api/client";
import { setConnection } from "./connection";
import { openStream, type Frame } from "./stream";

/** A job as the feed tells of it: all but its input and output. */
export type ChangedJob = Omit<Job, "input" | "output">;

type Listener = (jobs: ChangedJob[]) => void;
interface Feed {
  listen(listener: Listener): () => void;
  /** A page that has a stream of its own takes the tab's only one; returns how to give it back. */
  hold(): () => void;
}

const FeedContext = createContext<Feed | null>(null);

/** Everything that shows jobs: asked for again when more has changed than was told. */
export function refetchLists(client: QueryClient): void {
  for (const key of ["jobs", "counts", "approvals", "system", "documents", "threads"]) void client.invalidateQueries({ queryKey: [key] });
}

/** The project's feed of changes, open while no page of the tab has a stream of its own. */
export function ChangesProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const listeners = useRef(new Set<Listener>());
  const stop = useRef<(() => void) | null>(null);
  const held = useRef(0);

  const feed = useMemo(() => {
    const take = (frames: Frame[]) => {
      for (const frame of frames) {
        if (frame.event === "hello" || frame.event === "many") refetchLists(client);
        else if (frame.event === "jobs") {
          const jobs = (JSON.parse(frame.data) as { jobs: ChangedJob[] }).jobs;
          for (const listener of listeners.current) listener(jobs);
          void client.invalidateQueries({ queryKey: ["counts"] });
        } else if (frame.event === "approvals") {
          const { pending } = JSON.parse(frame.data) as { pending: number };
          client.setQueryData(["pending"], pending);
          void client.invalidateQueries({ queryKey: ["approvals"] });
        }
      }
    };
    const open = () => {
      if (held.current > 0 || stop.current) return;
      stop.current = openStream({
        url: `${ROOT}/api/v1/changes`,
        onFrames: take,
        onState: setConnection,
      });
    };
    const close = () => {
      stop.current?.();
      stop.current = null;
    };
    return {
      open,
      close,
      listen: (listener: Listener) => {
        listeners.current.add(listener);
        return () => listeners.current.delete(listener);
      },
      hold: () => {
        held.current += 1;
        close();
        return () => {
          held.current -= 1;
          // The next page may hold it, too: not opened only to be closed.
          setTimeout(open);
        };
      },
    };
  }, [client]);

  useEffect(() => {
    // Effects of children run first: a page that holds the stream has said so.
    feed.open();
    return feed.close;
  }, [feed]);

  return <FeedContext value={feed}>{children}</FeedContext>;
}

function useFeed(): Feed {
  const feed = useContext(FeedContext);
  if (!feed) throw new Error("outside of ChangesProvider");
  return feed;
}

/** Calls `listener` with jobs of the project that have changed. */
export function useChangedJobs(listener: Listener): void {
  const feed = useFeed();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => feed.listen((jobs) => latest.current(jobs)), [feed]);
}

/** Keep the tab's one stream for this page's own while it is shown. */
export function useOwnStream(): void {
  const feed = useFeed();
  useEffect(() => feed.hold(), [feed]);
}
