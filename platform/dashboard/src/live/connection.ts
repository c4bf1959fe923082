import { useSyncExternalStore } from "react";
import type { StreamState } from "./stream";

let state: StreamState = "connecting";
const listeners = new Set<() => void>();

/** Say how the tab's one stream is doing; the page's frame shows it. */
export function setConnection(next: StreamState): void {
  if (next === state) return;
  state = next;
  for (const listener of listeners) listener();
}

export function useConnection(): StreamState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}
