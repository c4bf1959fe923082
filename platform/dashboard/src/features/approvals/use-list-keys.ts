import { useEffect } from "react";
import { isTyping } from "./use-decision-keys";

/** `j` and `k` go down and up a list, as the arrow keys cannot: they scroll. */
export function useListKeys(items: readonly { id: string }[], open: string | undefined, go: (id: string) => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.key !== "j" && event.key !== "k") || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      const at = items.findIndex((each) => each.id === open);
      const next = items[event.key === "j" ? at + 1 : Math.max(0, at - 1)];
      if (!next) return;
      event.preventDefault();
      go(next.id);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [items, open, go]);
}
