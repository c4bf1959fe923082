import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { ArrowUp } from "lucide-react";
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type MouseEvent } from "react";
import { useTranslation } from "react-i18next";
import { useMedia } from "@/lib/media";
import { useShortcuts } from "@/shell/shortcuts";
import { buttonClass } from "@/ui/button";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { CARD_HEIGHT, JobCards } from "./cards";
import { fits } from "./filters";
import type { JobList, Listed } from "./job-list";
import type { Row } from "./rows";
import type { Selection } from "./selection";
import { JobTable, ROW_HEIGHT } from "./table";
import { useAtTop } from "./use-jobs";

export interface ListProps {
  ids: readonly string[];
  listed: Listed;
  selection: Selection;
  selectable: boolean;
  /** The row that the keys are at. */
  active: string | null;
  onActive(id: string): void;
  faded(row: Row): boolean;
}

/** So close to the end the next page is asked for. */
const AHEAD = 15;
const LOOK_PAUSE = 200;
/** Scrolled this far, somebody reads: what comes waits. */
const TOP = 160;

/** The rows of a list: virtualised, the next page as one gets there. */
export function Rows({ list, listed, selection, selectable }: { list: JobList; listed: Listed; selection: Selection; selectable: boolean }) {
  const { t } = useTranslation("jobs");
  const wide = useMedia("(min-width: 48rem)");
  const place = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  const [active, setActive] = useState<string | null>(null);
  const ids = listed.order;
  const atTop = useAtTop(TOP);
  useEffect(() => list.follow(atTop), [list, atTop]);

  useLayoutEffect(() => {
    const top = place.current ? place.current.getBoundingClientRect().top + window.scrollY : 0;
    if (Math.abs(top - margin) > 1) setMargin(top);
  });
  const virtualizer = useWindowVirtualizer({
    count: ids.length,
    estimateSize: () => (wide ? ROW_HEIGHT : CARD_HEIGHT),
    overscan: 12,
    scrollMargin: margin,
    getItemKey: useCallback((index: number) => ids[index] ?? index, [ids]),
  });
  useEffect(() => virtualizer.measure(), [virtualizer, wide]);

  const items = virtualizer.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (listed.more && !listed.loading && !listed.error && last >= ids.length - AHEAD) void list.loadMore();
  }, [list, listed, last, ids.length]);
  const first = items[0]?.index ?? 0;
  useEffect(() => {
    const timer = setTimeout(() => void list.look(ids.slice(first, last + 1)), LOOK_PAUSE);
    return () => clearTimeout(timer);
  }, [list, ids, first, last]);

  const step = (by: number) => {
    const at = active === null ? -1 : ids.indexOf(active);
    const next = Math.min(ids.length - 1, Math.max(0, at + by));
    const id = ids[next];
    if (id === undefined) return;
    virtualizer.scrollToIndex(next, { align: "auto" });
    setActive(id);
  };
  useShortcuts(t("title"), [
    { keys: "j", label: t("keys.next"), run: () => step(1) },
    { keys: "k", label: t("keys.previous"), run: () => step(-1) },
    { keys: "Enter", label: t("keys.open") },
    ...(selectable ? [{ keys: "x", label: t("keys.select"), run: (event: KeyboardEvent) => active && selection.toggle(active, ids, event.shiftKey) }] : []),
  ]);

  const faded = useCallback((row: Row) => !fits(row, list.wanted.states, list.wanted.query), [list]);
  const props = { ids, listed, selection, selectable, active, onActive: setActive, faded, virtualizer };
  return (
    <div ref={place}>
      <div aria-live="polite">
        {listed.fresh > 0 && !atTop && (
          <button
            type="button"
            className={`${buttonClass("primary", true)} fixed top-3 left-1/2 z-30 -translate-x-1/2 rounded-full! shadow-card md:ml-26`}
            onClick={() => window.scrollTo({ top: 0 })}
          >
            <ArrowUp aria-hidden size={14} />
            {t("fresh", { count: listed.fresh })}
          </button>
        )}
      </div>
      {wide ? <JobTable {...props} /> : <JobCards {...props} />}
      {listed.loading && <Skeleton lines={3} className="mt-3" />}
      {listed.error !== null && <ErrorNotice error={listed.error} retry={() => void list.loadMore()} className="mt-3" />}
      {!listed.more && ids.length > 20 && <p className="py-6 text-center text-[0.8rem] text-soft">{t("that_is_all")}</p>}
    </div>
  );
}

export function Check({ label, checked, some, onToggle }: { label: string; checked: boolean; some?: boolean; onToggle(range: boolean): void }) {
  return (
    <input
      type="checkbox"
      aria-label={label}
      checked={checked}
      ref={(box) => {
        if (box) box.indeterminate = !checked && !!some;
      }}
      onChange={() => {}}
      onClick={(event: MouseEvent) => onToggle(event.shiftKey)}
      className="relative z-10 block size-4 accent-(--accent)"
    />
  );
}
