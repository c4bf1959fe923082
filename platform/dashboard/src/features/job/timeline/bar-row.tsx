import { memo } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { STEP_LOOKS } from "@/ui/state";
import type { Task } from "../records";
import { TRACK } from "./attempt";
import { density, ticks, type BarsItem } from "./rows";
import { coveredBy } from "./shares";

const BUCKETS = 160;
const TALL = 26;

interface Props {
  item: BarsItem;
  selected: boolean;
  opened: boolean;
  onOpen(): void;
  onPoint(tasks: Task[]): void;
  onSelect(step: string, attempt: number): void;
}

/** One lane of a step: its name, a bar for each task with the calls of models in it, and how long it took. */
export function BarRow({ item, selected, opened, onOpen, onPoint, onSelect }: Props) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const select = () => onSelect(item.step, item.attempt);
  const many = item.grouped || (opened && item.lane === 0);
  return (
    <div className={cx("relative h-full hover:bg-hover/50", selected && "!bg-accent-soft/70")}>
      {item.lane === 0 && (
        <>
          <div className="absolute inset-y-0 left-0 flex w-[8.5rem] items-center gap-2 pr-2 sm:w-[13rem]" style={{ paddingLeft: `${1 + item.depth * 0.9}rem` }}>
            <button
              type="button"
              onClick={select}
              title={item.step}
              data-step={item.step}
              className={cx("min-w-0 truncate text-left text-[0.82rem] hover:underline", item.outer && "font-medium")}
            >
              {item.step.slice(item.step.lastIndexOf("/") + 1)}
            </button>
            {many && (
              <button type="button" onClick={onOpen} aria-expanded={opened} className="shrink-0 rounded border border-line bg-surface px-1 text-[0.72rem] text-soft hover:text-ink">
                {opened ? t("timeline.group") : t("timeline.ungroup", { count: item.tasks.length })}
              </button>
            )}
          </div>
          <span className="absolute inset-y-0 right-0 flex w-[4.75rem] items-center justify-end pr-4 text-[0.78rem] text-soft tabular-nums">
            {format.duration(coveredBy(item.ofStep, item.to))}
          </span>
        </>
      )}
      <div className={cx(TRACK, "relative h-full")} style={gridOf(item)}>
        {item.grouped ? (
          <Histogram item={item} onPoint={onPoint} onSelect={select} />
        ) : (
          item.tasks.map((task) => (
            <Bar
              key={task.startedSeq}
              task={task}
              state={task.state}
              left={share(task.began, item)}
              width={Math.max(0, share(task.ended ?? item.to, item) - share(task.began, item))}
              outer={item.outer}
              onPoint={onPoint}
              onSelect={onSelect}
            />
          ))
        )}
        {!item.grouped && <Calls item={item} />}
      </div>
    </div>
  );
}

/** Lines at the times of the axis, through all rows. */
function gridOf(item: BarsItem) {
  const span = item.to - item.from;
  const part = ((ticks(span)[1] ?? span) / span) * 100;
  return { backgroundImage: "linear-gradient(to right, var(--line) 1px, transparent 1px)", backgroundSize: `${part}% 100%` };
}

const share = (at: number, item: BarsItem) => ((at - item.from) / (item.to - item.from)) * 100;

interface BarProps {
  task: Task;
  state: Task["state"];
  left: number;
  width: number;
  /** It has steps inside of it, which have bars of their own: a bracket over them. */
  outer: boolean;
  onPoint(tasks: Task[]): void;
  onSelect(step: string, attempt: number): void;
}

const Bar = memo(function Bar({ task, state, left, width, outer, onPoint, onSelect }: BarProps) {
  const { t } = useTranslation(["job", "common"]);
  const format = useFormat();
  const look = STEP_LOOKS[state];
  const words = [task.step, t(`common:step_state.${state}`), task.ended !== null && format.duration(task.ended - task.began)];
  const strength = outer ? 75 : state === "done" ? 40 : 65;
  return (
    <button
      type="button"
      aria-label={words.filter(Boolean).join(", ")}
      data-state={state}
      onPointerEnter={() => onPoint([task])}
      onFocus={() => onPoint([task])}
      onClick={() => onSelect(task.step, task.attempt)}
      className="group absolute inset-y-0 min-w-[4px]"
      style={{ left: `${left}%`, width: `${width}%` }}
    >
      <span
        aria-hidden
        className={cx(
          "absolute inset-x-0 rounded-[4px] group-hover:brightness-95",
          outer ? "inset-y-[11px]" : "inset-y-[5px]",
          task.ended === null && "animate-pulse",
          state === "broken" && "border border-dashed",
          state === "failed" && "border",
        )}
        style={{ background: `color-mix(in srgb, ${look.color} ${strength}%, var(--surface))`, borderColor: look.color }}
      />
    </button>
  );
});

/** When models were called: as long as a call took, drawn into the bars. */
const Calls = memo(function Calls({ item }: { item: BarsItem }) {
  return (
    <>
      {item.calls.map((call) => {
        const left = Math.max(0, share(call.at - call.milliseconds, item));
        return (
          <span
            key={call.seq}
            aria-hidden
            className="pointer-events-none absolute inset-y-[9px] min-w-[2px] rounded-[2px] bg-waiting/80"
            style={{ left: `${left}%`, width: `${Math.max(0, share(call.at, item) - left)}%` }}
          />
        );
      })}
    </>
  );
});

/** A step that ran many times: how many of its tasks ran at a time. */
function Histogram({ item, onPoint, onSelect }: { item: BarsItem; onPoint(tasks: Task[]): void; onSelect(): void }) {
  const { t } = useTranslation("job");
  const counts = density(item.tasks, item.from, item.to, BUCKETS);
  const most = Math.max(1, ...counts);
  const failed = item.tasks.some((task) => task.state === "failed");
  const color = failed ? "var(--bad)" : item.tasks.some((task) => task.ended === null) ? "var(--running)" : "var(--good)";
  return (
    <button
      type="button"
      aria-label={t("timeline.many", { step: item.step, count: item.tasks.length, most })}
      onPointerEnter={() => onPoint(item.tasks)}
      onFocus={() => onPoint(item.tasks)}
      onClick={onSelect}
      className="absolute inset-0"
    >
      <svg aria-hidden viewBox={`0 0 ${BUCKETS} ${TALL}`} preserveAspectRatio="none" className="size-full">
        {counts.map((count, index) =>
          count === 0 ? null : (
            <rect
              key={index}
              x={index}
              width={1.02}
              y={TALL - 2 - (count / most) * (TALL - 6)}
              height={(count / most) * (TALL - 6) + 1}
              fill={`color-mix(in srgb, ${color} 45%, var(--surface))`}
            />
          ),
        )}
      </svg>
    </button>
  );
}
