import { createContext, useContext, useEffect, useMemo, useSyncExternalStore } from "react";
import { ROOT, type ApiError, type JobEvent } from "@/api/client";
import { useOwnStream } from "@/live/changes";
import { setConnection } from "@/live/connection";
import { openStream, type StreamState } from "@/live/stream";
import { isOver } from "@/ui/state";
import { JobModel, type Part } from "./model";

const A_FRAME = 16;
const LONGEST_REST = 400;

/** The journal of a job read as a stream into a model: from its beginning, then live, lossless over lost connections. */
export class Journal {
  readonly model = new JobModel();
  stream: StreamState = "connecting";
  error: ApiError | undefined;
  /** Counts changes of `stream` and `error`. */
  turns = 0;
  #listeners = new Set<() => void>();
  #stop: (() => void) | null = null;
  #dirty = false;
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly jobId: string) {}

  /** Begin, or go on after something that makes a job that had ended go on. */
  open(): void {
    this.#stop?.();
    this.#stop = openStream({
      url: `${ROOT}/api/v1/jobs/${this.jobId}/events`,
      lastId: this.model.lastSeq > 0 ? String(this.model.lastSeq) : undefined,
      onFrames: (frames) => {
        const events: JobEvent[] = [];
        for (const frame of frames) if (frame.data) events.push(JSON.parse(frame.data) as JobEvent);
        this.model.take(events);
        this.#changed();
      },
      // A stream ends only with a job's last event: one that was closed in the middle is opened again.
      isOver: () => isOver(this.model.state),
      onState: (stream, error) => {
        setConnection(stream);
        this.stream = stream;
        this.error = error;
        this.turns += 1;
        this.#changed();
      },
    });
  }

  close(): void {
    this.#stop?.();
    this.#stop = null;
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = 0;
    this.#timer = undefined;
    this.#dirty = false;
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  // However much comes, it is drawn once a frame; a hidden tab draws no frames, and is told by the timer.
  #changed(): void {
    this.#dirty = true;
    if (this.#frame || this.#timer) return;
    if (document.hidden) this.#timer = setTimeout(this.#tell, 100);
    else this.#frame = requestAnimationFrame(this.#tell);
  }

  // The page is then left in peace for as long as it took to draw: a flood takes at most half of the time there is.
  #tell = () => {
    const began = performance.now();
    const rest = () => {
      const took = performance.now() - began;
      this.#timer = setTimeout(rested, took > A_FRAME ? Math.min(took, LONGEST_REST) : 0);
    };
    const rested = () => {
      this.#timer = undefined;
      if (this.#dirty) this.#changed();
    };
    this.#dirty = false;
    this.#frame = 0;
    this.#timer = setTimeout(rest);
    for (const listener of this.#listeners) listener();
  };
}

const JournalContext = createContext<Journal | null>(null);
export const JournalProvider = JournalContext;

/** A job's journal, open as long as whoever asks for it is shown. */
export function useOpenJournal(jobId: string): Journal {
  useOwnStream();
  const journal = useMemo(() => new Journal(jobId), [jobId]);
  useEffect(() => {
    journal.open();
    return () => journal.close();
  }, [journal]);
  return journal;
}

/** The journal of the job whose page this is. */
export function useJournal(): Journal {
  const journal = useContext(JournalContext);
  if (!journal) throw new Error("outside of a job's page");
  return journal;
}

/** The model of the job, drawn again when a part of it has changed; `mark` is another each time. */
export function useModel(...parts: Part[]): { model: JobModel; mark: number } {
  const journal = useJournal();
  const mark = useSyncExternalStore(journal.subscribe, () => {
    let sum = 0;
    for (const part of parts) sum += journal.model.marks[part];
    return sum;
  });
  return { model: journal.model, mark };
}

/** The model, drawn again when one step of it has changed, or something inside of that, or the job has ended. */
export function useStep(path: string): JobModel {
  const { model, subscribe } = useJournal();
  useSyncExternalStore(subscribe, () => (model.steps.get(path)?.mark ?? 0) * 2 + Number(isOver(model.state)));
  return model;
}

/** How the stream of the journal is doing. */
export function useStream(): { stream: StreamState; error: ApiError | undefined } {
  const journal = useJournal();
  useSyncExternalStore(journal.subscribe, () => journal.turns);
  return { stream: journal.stream, error: journal.error };
}
