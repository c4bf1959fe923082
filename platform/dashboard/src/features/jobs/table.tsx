import type { VirtualItem, Virtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { ShortId } from "@/ui/copy";
import { Ago } from "@/ui/time";
import { AboutLink, RunCell, StateCell, WaitCell, Who } from "./cells";
import { Check, type ListProps } from "./list";
import type { Row } from "./rows";

export const ROW_HEIGHT = 42;

const HEADS: { word: string; className: string }[] = [
  { word: "state", className: "w-42" },
  { word: "workflow", className: "w-40 lg:w-44 2xl:w-60" },
  { word: "about", className: "" },
  { word: "id", className: "hidden w-22 xl:table-cell" },
  { word: "created", className: "w-26" },
  { word: "wait", className: "hidden w-20 text-right lg:table-cell" },
  { word: "run", className: "w-26 text-right" },
  { word: "who", className: "hidden w-34 pl-4! lg:table-cell" },
];

interface Props extends ListProps {
  virtualizer: Virtualizer<Window, Element>;
}

export function JobTable({ virtualizer, ids, listed, selection, active, onActive, faded, selectable }: Props) {
  const { t } = useTranslation("jobs");
  const items = virtualizer.getVirtualItems();
  const { scrollMargin } = virtualizer.options;
  const above = items[0] ? items[0].start - scrollMargin : 0;
  const below = virtualizer.getTotalSize() - (items.at(-1)?.end ?? scrollMargin) + scrollMargin;
  // Rows stay as they are when others come: what they are given is the same every time.
  const order = useRef(ids);
  useEffect(() => {
    order.current = ids;
  }, [ids]);
  const { toggle } = selection;
  const onToggle = useCallback((id: string, range: boolean) => toggle(id, order.current, range), [toggle]);
  const loaded = ids.filter((id) => selection.has(id)).length;
  return (
    <table className="w-full table-fixed border-separate border-spacing-0 text-sm" aria-rowcount={listed.more ? -1 : ids.length + 1}>
      <caption className="sr-only">{t("title")}</caption>
      <thead className="sticky top-0 z-20">
        <tr className="h-9 text-left text-[0.8rem] text-soft [&>th]:border-b [&>th]:border-line [&>th]:bg-ground [&>th]:px-2 [&>th]:font-medium">
          {selectable && (
            <th scope="col" className="w-9">
              <Check
                label={t("select_page")}
                checked={loaded > 0 && loaded === ids.length}
                some={loaded > 0}
                onToggle={() => (loaded === ids.length ? selection.clear() : selection.select(ids))}
              />
            </th>
          )}
          {HEADS.map((head) => (
            <th key={head.word} scope="col" className={head.className}>
              {t(`head.${head.word}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {above > 0 && <tr aria-hidden style={{ height: above }} />}
        {items.map((item: VirtualItem) => {
          const row = listed.rows.get(ids[item.index] ?? "");
          if (!row) return null;
          return (
            <JobRow
              key={row.id}
              row={row}
              index={item.index}
              selectable={selectable}
              selected={selection.has(row.id)}
              active={active === row.id}
              faded={faded(row)}
              arrived={listed.arrived.has(row.id)}
              onToggle={onToggle}
              onActive={onActive}
            />
          );
        })}
        {below > 0 && <tr aria-hidden style={{ height: below }} />}
      </tbody>
    </table>
  );
}

interface RowProps {
  row: Row;
  index: number;
  selectable: boolean;
  selected: boolean;
  active: boolean;
  faded: boolean;
  arrived: boolean;
  onToggle(id: string, range: boolean): void;
  onActive(id: string): void;
}

const JobRow = memo(function JobRow({ row, index, selectable, selected, active, faded, arrived, onToggle, onActive }: RowProps) {
  const { t } = useTranslation("jobs");
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    if (active) link.current?.focus({ preventScroll: true });
  }, [active]);
  return (
    <tr
      data-job={row.id}
      data-state={row.state}
      aria-rowindex={index + 2}
      style={{ height: ROW_HEIGHT }}
      className={cx(
        "relative transition-[opacity,background-color] duration-300 [&>td]:border-b [&>td]:border-line/70 [&>td]:px-2",
        selected ? "bg-accent-soft/60" : "hover:bg-hover/60",
        faded && "opacity-55",
        arrived && "starting:bg-accent-soft starting:opacity-0",
      )}
    >
      {selectable && (
        <td>
          <Check label={t("select_one", { id: row.id.slice(-8) })} checked={selected} onToggle={(range) => onToggle(row.id, range)} />
        </td>
      )}
      <td>
        <StateCell row={row} />
      </td>
      <td className="truncate">
        <span title={row.version}>{row.workflow}</span> <span className="hidden font-mono text-[0.75rem] text-soft 2xl:inline">{row.version.slice(0, 7)}</span>
      </td>
      <td className="truncate">
        <AboutLink ref={link} row={row} className="font-medium" onFocus={() => onActive(row.id)} />
      </td>
      <td className="hidden xl:table-cell">
        <ShortId id={row.id} />
      </td>
      <td className="truncate text-soft">
        <Ago at={row.created_at} />
      </td>
      <td className="hidden text-right text-soft tabular-nums lg:table-cell">
        <WaitCell row={row} />
      </td>
      <td className={cx("text-right whitespace-nowrap tabular-nums", row.state === "running" ? "text-running" : "text-soft")}>
        <RunCell row={row} />
      </td>
      <td className="hidden truncate pl-4! text-soft lg:table-cell">
        <Who row={row} />
      </td>
    </tr>
  );
});
