import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { useNow } from "@/lib/clock";
import { Empty } from "@/ui/notices";
import { isOver } from "@/ui/state";
import { useModel } from "../journal";
import { usePlace } from "../place";
import type { Task } from "../records";
import { AttemptHead } from "./attempt";
import { BarRow } from "./bar-row";
import { Details } from "./details";
import { groupKey, rowsOf, type Item } from "./rows";
import { Where } from "./where";

const HEIGHTS = { attempt: 66, bars: 28, grouped: 36 };
const heightOf = (item: Item | undefined) => (item?.kind === "attempt" ? HEIGHTS.attempt : item?.grouped ? HEIGHTS.grouped : HEIGHTS.bars);

/** When each step ran, attempt by attempt. */
export default memo(function TimelinePane({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const { look, go } = usePlace();
  const { model, mark } = useModel("steps", "state", "calls");
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [pointed, setPointed] = useState<Task[]>([]);
  const now = Math.max(useNow(!isOver(job.state)), model.at ?? 0);
  const items = useMemo(
    () => rowsOf(model.attempts, model.tasks, model.calls, opened, now),
    // `mark` stands for the model.
    [model, mark, opened, now],
  );
  const select = useCallback((step: string, attempt: number) => go({ step, attempt }), [go]);
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => box.current,
    estimateSize: (index) => heightOf(items[index]),
    overscan: 12,
  });
  // Sizes are known beforehand: they are asked for again when other rows stand there.
  const shape = items.map((item) => heightOf(item)).join();
  useLayoutEffect(() => rows.measure(), [rows, shape]);
  if (items.length === 0) return <Empty title={t("timeline.empty")}>{t("timeline.empty_hint")}</Empty>;
  const toggle = (key: string) => {
    const next = new Set(opened);
    if (!next.delete(key)) next.add(key);
    setOpened(next);
  };
  return (
    <>
      <Where model={model} now={now} onSelect={(step) => go({ step, attempt: undefined })} />
      <div className="overflow-hidden rounded-lg border border-line bg-surface">
      <div ref={box} tabIndex={0} role="region" aria-label={t("timeline.label")} className="max-h-[min(70vh,46rem)] overflow-x-hidden overflow-y-auto">
        <div className="relative" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((row) => {
            const item = items[row.index]!;
            return (
              <div key={keyOf(item)} className="absolute inset-x-0" style={{ transform: `translateY(${row.start}px)`, height: row.size }}>
                {item.kind === "attempt" ? (
                  <AttemptHead item={item} />
                ) : (
                  <BarRow
                    item={item}
                    selected={look.step === item.step && (look.attempt ?? item.attempt) === item.attempt}
                    opened={opened.has(groupKey(item.attempt, item.step))}
                    onOpen={() => toggle(groupKey(item.attempt, item.step))}
                    onPoint={setPointed}
                    onSelect={select}
                  />
                )}
              </div>
            );
          })}
        </div>
      </div>
      <Details tasks={pointed} />
      </div>
    </>
  );
});

function keyOf(item: Item): string {
  return item.kind === "attempt" ? `attempt ${item.attempt.attempt}` : `${groupKey(item.attempt, item.step)} ${item.grouped ? "all" : item.lane}`;
}
