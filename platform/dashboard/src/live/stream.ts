import { createParser } from "eventsource-parser";
import { ApiError, tellSignedOut } from "@/api/client";
import { backoff, LONGEST_PAUSE } from "@/lib/backoff";

/** `connecting`: for the first time. `lost`: it was there, and is tried again. `refused`: it will not come by itself. */
export type StreamState = "connecting" | "live" | "lost" | "ended" | "refused" | "asleep";

export interface Frame {
  id: string | undefined;
  event: string;
  data: string;
}

export interface StreamOptions {
  url: string;
  /** Resume after this one. */
  lastId?: string | undefined;
  /** All frames that came in one piece of the network, in order. */
  onFrames(frames: Frame[]): void;
  onState(state: StreamState, error?: ApiError): void;
  /** Whether a stream that the server has closed is over; otherwise it is opened again. */
  isOver?(): boolean;
}

// A server that says nothing at all, not even its heartbeat, for so long is not there.
const SILENCE = 45_000;
// A tab that is not looked at gives its connection back: a browser has six for each host.
const ASLEEP_AFTER = 3_000;

// A tab that is looked at tells the hidden ones to give theirs back at once: it may be the seventh.
const tabs = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("mutirao.streams");

/**
 * Server-sent events that survive: reopened after the last id that was seen, with growing pauses, at once when the
 * network or the tab comes back. Closed while the tab is hidden, and not opened before it is looked at. Returns how to
 * stop it.
 */
export function openStream(options: StreamOptions): () => void {
  const stopped = new AbortController();
  let lastId = options.lastId;
  let current: AbortController | null = null;
  let wake: (() => void) | null = null;

  const again = () => wake?.();
  let dozing: ReturnType<typeof setTimeout> | undefined;
  const sleep = () => {
    if (document.hidden) current?.abort("asleep");
  };
  const turned = () => {
    clearTimeout(dozing);
    if (document.hidden) dozing = setTimeout(sleep, ASLEEP_AFTER);
    else {
      tabs?.postMessage("awake");
      again();
    }
  };
  window.addEventListener("online", again);
  document.addEventListener("visibilitychange", turned);
  tabs?.addEventListener("message", sleep);

  const pause = (milliseconds: number | null) =>
    new Promise<void>((resolve) => {
      const timer = milliseconds === null ? undefined : setTimeout(resolve, milliseconds);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  async function once(): Promise<void> {
    current = new AbortController();
    const connection = current;
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (lastId !== undefined) headers["last-event-id"] = lastId;
    const silent = () => connection.abort("silent");
    let silence = setTimeout(silent, SILENCE);
    try {
      const response = await fetch(options.url, {
        headers,
        credentials: "same-origin",
        cache: "no-store",
        signal: AbortSignal.any([stopped.signal, connection.signal]),
      });
      if (!response.ok || response.body === null) throw await ApiError.of(response);
      options.onState("live");
      let frames: Frame[] = [];
      const parser = createParser({
        onEvent(event) {
          if (event.id !== undefined) lastId = event.id;
          frames.push({ id: event.id, event: event.event ?? "message", data: event.data });
        },
      });
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(silent, SILENCE);
        parser.feed(decoder.decode(value, { stream: true }));
        if (frames.length > 0) {
          const these = frames;
          frames = [];
          options.onFrames(these);
        }
      }
    } finally {
      clearTimeout(silence);
    }
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!stopped.signal.aborted) {
      if (document.hidden) {
        options.onState("asleep");
        await pause(null);
        failures = 0;
        continue;
      }
      const began = Date.now();
      let error: ApiError | undefined;
      try {
        await once();
        if (options.isOver?.()) return options.onState("ended");
      } catch (caught) {
        if (stopped.signal.aborted) return;
        error = caught instanceof ApiError ? caught : undefined;
        if (error?.status === 401) tellSignedOut();
        if (error && error.status >= 400 && error.status < 500 && error.status !== 429 && error.status !== 408) {
          return options.onState("refused", error);
        }
      }
      if (document.hidden) continue;
      failures = Date.now() - began > LONGEST_PAUSE ? 0 : failures + 1;
      options.onState("lost", error);
      await pause(backoff(failures - 1) * (0.7 + Math.random() * 0.6));
    }
  }

  options.onState("connecting");
  if (!document.hidden) tabs?.postMessage("awake");
  void run();
  return () => {
    stopped.abort();
    clearTimeout(dozing);
    wake?.();
    window.removeEventListener("online", again);
    document.removeEventListener("visibilitychange", turned);
    tabs?.removeEventListener("message", sleep);
  };
}
