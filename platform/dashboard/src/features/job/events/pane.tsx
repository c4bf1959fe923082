import { Download } from "lucide-react";
import { memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Job, JobEvent } from "@/api/client";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { Json } from "@/ui/json";
import { Empty, Skeleton } from "@/ui/notices";
import { isOver } from "@/ui/state";
import { useModel } from "../journal";
import { usePlace } from "../place";
import { ALL, Filtered, jsonLines, type Filter } from "./filter";
import { Filters } from "./filters";
import { EventRows } from "./rows";

/** The job's journal: filtered, found by number, one event in full, taken away as lines. */
export default memo(function EventsPane({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const { look, go } = usePlace();
  const { model } = useModel("events");
  const [filter, setFilter] = useState<Filter>(ALL);
  const filtered = useMemo(() => new Filtered(filter), [filter, model]);
  const shown = filtered.grow(model.events);
  const chosen = look.event === undefined ? undefined : model.events[look.event - 1];
  const choose = useCallback((seq: number) => go({ event: seq }, true), [go]);
  useShown(chosen, filtered, setFilter);
  if (model.events.length === 0) return <Skeleton lines={8} />;
  return (
    <>
      <div className="mb-2 flex flex-wrap items-end justify-between gap-3">
        <Filters events={model.events} filter={filter} onChange={setFilter} />
        <span className="flex items-center gap-3 text-[0.85rem] text-soft">
          <span role="status">{t("events.count", { count: shown.length, shown: format.number(shown.length), all: format.number(model.events.length) })}</span>
          <Button small icon={Download} onClick={() => download(`${job.workflow}-${job.id}.jsonl`, jsonLines(shown))}>
            {t("events.download")}
          </Button>
        </span>
      </div>
      <div className={cx("grid items-start gap-3", chosen && "lg:grid-cols-[minmax(0,1fr)_minmax(20rem,38%)]")}>
        {shown.length === 0 ? (
          <Empty title={t("events.none")} actions={<Button onClick={() => setFilter({ ...ALL, tokens: true })}>{t("events.show_all")}</Button>}>
            {t("events.none_hint")}
          </Empty>
        ) : (
          <EventRows events={shown} filtered={filtered} chosen={chosen?.seq} live={!isOver(job.state)} onChoose={choose} />
        )}
        {chosen && <Chosen event={chosen} onClose={() => go({ event: undefined }, true)} />}
      </div>
    </>
  );
});

function Chosen({ event, onClose }: { event: JobEvent; onClose(): void }) {
  const { t } = useTranslation("job");
  const { go } = usePlace();
  return (
    <section aria-label={t("events.event", { seq: event.seq })}>
      <div className="mb-2 flex items-center justify-between gap-2">
        <h2>{t("events.event", { seq: event.seq })}</h2>
        <span className="flex gap-1">
          {event.step && (
            <Button small tone="quiet" onClick={() => go({ step: event.step ?? undefined, attempt: event.attempt || undefined })}>
              {t("events.to_step")}
            </Button>
          )}
          <Button small tone="quiet" onClick={onClose}>
            {t("step.close")}
          </Button>
        </span>
      </div>
      <Json key={event.seq} value={event} label={event.type} />
    </section>
  );
}

/** An event that is linked to is shown, whatever is filtered: once, then filters are free again. */
function useShown(chosen: JobEvent | undefined, filtered: Filtered, setFilter: (filter: Filter) => void): void {
  const shown = useRef<number | undefined>(undefined);
  useEffect(() => {
    if (!chosen || shown.current === chosen.seq) return;
    shown.current = chosen.seq;
    if (filtered.indexOf(chosen.seq) < 0) setFilter({ ...ALL, tokens: chosen.type === "model.tokens" });
  }, [chosen, filtered, setFilter]);
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url));
}
