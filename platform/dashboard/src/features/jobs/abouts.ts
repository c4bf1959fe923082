import { useEffect, useSyncExternalStore } from "react";
import { ROOT } from "@/api/client";
import { about, aboutOfPart } from "./about";
import { PAGE_ROWS, type Wanted } from "./rows";

// The list is read without inputs, as one may be of megabytes. What a job is about stands in its input all the same: it is
// read beside the list, a page at once, and no further than this; where that is not enough, for each row that is looked at.
const MOST_OF_PAGE = 256_000;
const MOST_OF_JOB = 16_000;
const AT_ONCE = 4;
const MOST_KEPT = 20_000;

const known = new Map<string, string>();
const listeners = new Set<() => void>();
const waiting = new Set<string>();
let reading = 0;

function tell(): void {
  for (const listener of listeners) listener();
}

function keep(id: string, text: string): void {
  if (known.size >= MOST_KEPT) known.clear();
  known.set(id, text);
}

/** The beginning of an answer: its text, and whether that is all. */
async function beginning(path: string, most: number, signal?: AbortSignal): Promise<{ text: string; whole: boolean } | null> {
  const response = await fetch(`${ROOT}/api/v1/${path}`, { credentials: "same-origin", signal });
  if (!response.ok || !response.body) return null;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { text, whole: true };
    text += decoder.decode(value, { stream: true });
    if (text.length > most) {
      void reader.cancel();
      return { text, whole: false };
    }
  }
}

/** What the jobs of a page are about, in one request; of a page with large inputs nothing. */
export async function readAbouts({ states, query, sort }: Wanted, cursor: string | null, signal?: AbortSignal): Promise<void> {
  const asked = new URLSearchParams({ ...query, sort, limit: String(PAGE_ROWS), fields: "id,input,metadata" });
  for (const state of states ?? []) asked.append("state", state);
  if (cursor) asked.set("cursor", cursor);
  try {
    const answer = await beginning(`jobs?${asked.toString()}`, MOST_OF_PAGE, signal);
    if (!answer?.whole) return;
    const { jobs } = JSON.parse(answer.text) as { jobs: { id: string; input: unknown; metadata: unknown }[] };
    for (const job of jobs) keep(job.id, about(job.input, job.metadata));
    tell();
  } catch {
    // Each row asks for itself.
  }
}

async function readOne(id: string): Promise<void> {
  reading += 1;
  try {
    const answer = await beginning(`jobs/${id}?fields=input,metadata`, MOST_OF_JOB);
    if (answer?.whole) {
      const { input, metadata } = JSON.parse(answer.text) as { input: unknown; metadata: unknown };
      keep(id, about(input, metadata));
    } else keep(id, answer ? aboutOfPart(answer.text) : "");
  } catch {
    keep(id, "");
  } finally {
    reading -= 1;
    tell();
    readWaiting();
  }
}

function readWaiting(): void {
  for (const id of waiting) {
    if (reading >= AT_ONCE) return;
    waiting.delete(id);
    if (!known.has(id)) void readOne(id);
  }
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

// A page that is being read has them all in a moment.
const PATIENCE = 250;

/** What a job that is shown is about; undefined: not known yet. */
export function useAbout(id: string): string | undefined {
  const text = useSyncExternalStore(subscribe, () => known.get(id));
  useEffect(() => {
    if (text !== undefined) return;
    const timer = setTimeout(() => {
      waiting.add(id);
      readWaiting();
    }, PATIENCE);
    return () => {
      clearTimeout(timer);
      waiting.delete(id);
    };
  }, [id, text]);
  return text;
}
