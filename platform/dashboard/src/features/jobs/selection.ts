import { useCallback, useMemo, useRef, useState } from "react";

export interface Selection {
  ids: ReadonlySet<string>;
  /** All that fit the filters, also those that have not been read. */
  all: boolean;
  has(id: string): boolean;
  /** Selects or lets go of one; with `range`, of all from the one before to it. */
  toggle(id: string, order: readonly string[], range: boolean): void;
  select(ids: readonly string[]): void;
  selectAll(): void;
  clear(): void;
}

const NONE: ReadonlySet<string> = new Set();

/** The ids from one to the other, in the order of the list. */
export function between(order: readonly string[], one: string, other: string): string[] {
  const from = order.indexOf(one);
  const to = order.indexOf(other);
  if (from < 0 || to < 0) return [other];
  return order.slice(Math.min(from, to), Math.max(from, to) + 1);
}

export function useSelection(): Selection {
  const [ids, setIds] = useState(NONE);
  const [all, setAll] = useState(false);
  const anchor = useRef<string | null>(null);

  const toggle = useCallback((id: string, order: readonly string[], range: boolean) => {
    setAll(false);
    const from = anchor.current;
    anchor.current = id;
    setIds((before) => {
      const next = new Set(before);
      const on = !before.has(id);
      for (const each of range && from ? between(order, from, id) : [id]) {
        if (on) next.add(each);
        else next.delete(each);
      }
      return next;
    });
  }, []);
  const select = useCallback((chosen: readonly string[]) => {
    setAll(false);
    setIds(new Set(chosen));
  }, []);
  const clear = useCallback(() => {
    anchor.current = null;
    setAll(false);
    setIds(NONE);
  }, []);
  const selectAll = useCallback(() => setAll(true), []);
  return useMemo(
    () => ({ ids, all, has: (id: string) => all || ids.has(id), toggle, select, selectAll, clear }),
    [ids, all, toggle, select, selectAll, clear],
  );
}
