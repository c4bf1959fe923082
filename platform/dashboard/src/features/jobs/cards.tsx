import type { Virtualizer } from "@tanstack/react-virtual";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { ShortId } from "@/ui/copy";
import { Ago } from "@/ui/time";
import { AboutLink, RunCell, StateCell } from "./cells";
import { Check, type ListProps } from "./list";

export const CARD_HEIGHT = 112;

/** The list where a table has no room. */
export function JobCards({ virtualizer, ids, listed, selection, faded, selectable }: ListProps & { virtualizer: Virtualizer<Window, Element> }) {
  const { t } = useTranslation("jobs");
  const { scrollMargin } = virtualizer.options;
  return (
    <ul aria-label={t("title")} className="relative" style={{ height: virtualizer.getTotalSize() }}>
      {virtualizer.getVirtualItems().map((item) => {
        const row = listed.rows.get(ids[item.index] ?? "");
        if (!row) return null;
        const selected = selection.has(row.id);
        return (
          <li
            key={row.id}
            data-job={row.id}
            data-state={row.state}
            className="absolute inset-x-0 pb-2"
            style={{ height: item.size, transform: `translateY(${item.start - scrollMargin}px)` }}
          >
            <div className={cx("relative flex h-full flex-col justify-between rounded-lg border border-line p-3 text-sm", selected ? "bg-accent-soft/60" : "bg-surface", faded(row) && "opacity-55")}>
              <div className="flex items-center gap-2">
                {selectable && (
                  <Check label={t("select_one", { id: row.id.slice(-8) })} checked={selected} onToggle={() => selection.toggle(row.id, ids, false)} />
                )}
                <span className="min-w-0 flex-1">
                  <StateCell row={row} />
                </span>
                <Ago at={row.created_at} className="text-[0.8rem] text-soft" />
              </div>
              <div className="truncate">
                <AboutLink row={row} className="font-medium" />
              </div>
              <div className="flex items-center gap-2 text-[0.8rem] text-soft">
                <span className="truncate">{row.workflow}</span>
                <ShortId id={row.id} />
                <span className="ml-auto tabular-nums">
                  <RunCell row={row} />
                </span>
              </div>
            </div>
          </li>
        );
      })}
    </ul>
  );
}
