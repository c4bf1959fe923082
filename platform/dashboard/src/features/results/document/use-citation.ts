import { useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect } from "react";

/** Opens a citation of a job's document by its number, in the address; undefined closes the pane. */
export function useCitation(jobId: string): (citation: number | undefined) => void {
  const navigate = useNavigate();
  return useCallback(
    (citation) =>
      void navigate({
        to: "/jobs/$jobId",
        params: { jobId },
        search: (old) => ({ ...old, citation }),
        replace: true,
        resetScroll: false,
      }),
    [navigate, jobId],
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** `[` and `]` go to the citation before and after, Escape closes the one that is open. */
export function useCitationKeys(count: number, open: number | undefined, go: (citation: number | undefined) => void): void {
  useEffect(() => {
    if (count === 0) return undefined;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.key === "]") go(Math.min(count, (open ?? 0) + 1));
      else if (event.key === "[") go(Math.max(1, (open ?? count + 1) - 1));
      else if (event.key === "Escape" && open !== undefined) go(undefined);
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [count, open, go]);
}
