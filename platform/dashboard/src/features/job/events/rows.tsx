import { ArrowDownToLine } from "lucide-react";
import { memo, useEffect, useRef, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import type { JobEvent } from "@/api/client";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { useFixedRows } from "../fixed-rows";
import { useFollow } from "../follow";
import type { Filtered } from "./filter";

const ROW = 30;
const SHOWN = 240;
const COLUMNS = "grid grid-cols-[3.4rem_7rem_9.5rem_minmax(0,1fr)] sm:grid-cols-[4rem_7.5rem_2.4rem_11rem_10rem_minmax(0,1fr)] gap-x-3 items-center px-3";

interface Props {
  events: readonly JobEvent[];
  filtered: Filtered;
  chosen: number | undefined;
  /** More may come: the end is kept in view unless one scrolls up. */
  live: boolean;
  onChoose(seq: number): void;
}

/** The rows that are in view of however many. */
export function EventRows({ events, filtered, chosen, live, onChoose }: Props) {
  const { t } = useTranslation("job");
  const box = useRef<HTMLDivElement>(null);
  const { from, to, show } = useFixedRows(box, events.length, ROW);
  const { following, onScroll, toEnd } = useFollow(box, events.length, live && chosen === undefined);
  const followed = useRef<number | undefined>(undefined);
  useEffect(() => {
    const index = chosen === undefined ? -1 : filtered.indexOf(chosen);
    if (index < 0 || followed.current === chosen) return;
    followed.current = chosen;
    show(index);
  });

  const walk = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by === 0 || chosen === undefined) return;
    const next = events[filtered.indexOf(chosen) + by];
    if (!next) return;
    event.preventDefault();
    onChoose(next.seq);
  };

  return (
    <div role="table" aria-label={t("events.label")} aria-rowcount={events.length + 1} className="relative overflow-hidden rounded-lg border border-line bg-surface">
      <div role="rowgroup">
        <div role="row" aria-rowindex={1} className={cx(COLUMNS, "border-b border-line bg-sunken py-1.5 text-[0.78rem] text-soft")}>
          <span role="columnheader">{t("events.seq")}</span>
          <span role="columnheader">{t("events.time")}</span>
          <span role="columnheader" className="hidden sm:block">
            {t("events.attempt")}
          </span>
          <span role="columnheader">{t("events.type")}</span>
          <span role="columnheader" className="hidden sm:block">
            {t("events.step")}
          </span>
          <span role="columnheader">{t("events.data")}</span>
        </div>
      </div>
      <div ref={box} role="rowgroup" tabIndex={0} onKeyDown={walk} onScroll={onScroll} className="h-[min(66vh,42rem)] overflow-auto -outline-offset-2" data-testid="events">
        <div role="presentation" className="relative" style={{ height: events.length * ROW }}>
          {events.slice(from, to).map((event, index) => (
            <Row key={event.seq} event={event} index={from + index} chosen={event.seq === chosen} onChoose={onChoose} />
          ))}
        </div>
      </div>
      {live && !following && (
        <Button small icon={ArrowDownToLine} onClick={toEnd} className="absolute right-5 bottom-3 shadow-card">
          {t("output.to_end")}
        </Button>
      )}
    </div>
  );
}

const TONES: [RegExp, string][] = [
  [/failed$|^job\.dead|lost$|budget_exhausted$/, "text-bad"],
  [/^warning|interrupted$|^approval|paused$|stranded$/, "text-paused"],
  [/succeeded$|finished$/, "text-good"],
  [/^model\./, "text-waiting"],
  [/started$/, "text-running"],
];

const Row = memo(function Row({ event, index, chosen, onChoose }: {
  event: JobEvent;
  index: number;
  chosen: boolean;
  onChoose(seq: number): void;
}) {
  const format = useFormat();
  const tone = TONES.find(([pattern]) => pattern.test(event.type))?.[1];
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-seq={event.seq}
      aria-current={chosen || undefined}
      onClick={() => onChoose(event.seq)}
      className={cx(COLUMNS, "absolute inset-x-0 cursor-pointer text-[0.8rem] hover:bg-hover", chosen && "!bg-accent-soft")}
      style={{ top: index * ROW, height: ROW }}
    >
      <span role="cell">
        <button type="button" className="text-soft tabular-nums underline-offset-2 hover:underline" onClick={() => onChoose(event.seq)}>
          {event.seq}
        </button>
      </span>
      <span role="cell" className="text-soft tabular-nums">
        {format.exact(event.at)}
      </span>
      <span role="cell" className="hidden text-soft tabular-nums sm:block">
        {event.attempt}
      </span>
      <span role="cell" className={cx("truncate font-medium", tone)}>
        {event.type}
      </span>
      <span role="cell" className="hidden truncate font-mono sm:block" title={event.step ?? undefined}>
        {event.step}
      </span>
      <span role="cell" className="truncate font-mono text-soft">
        {shortOf(event)}
      </span>
    </div>
  );
});

const shorts = new WeakMap<JobEvent, string>();

/** The beginning of an event's data, made once: rows come and go while one scrolls. */
function shortOf(event: JobEvent): string {
  let short = shorts.get(event);
  if (short === undefined) {
    short = JSON.stringify(event.data).slice(0, SHOWN);
    shorts.set(event, short);
  }
  return short;
}
