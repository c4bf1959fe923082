import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { Badge, JOB_LOOKS, STEP_LOOKS, type Look } from "@/ui/state";
import { ticks, type AttemptItem } from "./rows";

const LOOKS: Record<string, Look> = {
  ...JOB_LOOKS,
  lost: STEP_LOOKS.broken,
  handed_back: STEP_LOOKS.pending,
};
export const TRACK = "mr-[4.75rem] ml-[8.5rem] sm:ml-[13rem]";

/** Which attempt, how it ended, how long the job had waited for it, and the axis of its steps. */
export function AttemptHead({ item }: { item: AttemptItem }) {
  const { t } = useTranslation(["job", "common"]);
  const format = useFormat();
  const { attempt, from, to, waited } = item;
  const outcome = attempt.outcome ?? "running";
  const known = outcome in JOB_LOOKS ? t(`common:state.${outcome}`) : t(`job:outcome.${outcome}`);
  const span = to - from;
  const look = LOOKS[outcome] ?? STEP_LOOKS.pending;
  return (
    <div className={cx("flex h-full flex-col justify-between bg-sunken/60 pt-2.5", attempt.attempt > 1 && "border-t border-line")}>
      <div className="flex items-center gap-x-3 overflow-hidden px-4 whitespace-nowrap">
        <h3>{t("job:trouble.attempt", { attempt: attempt.attempt })}</h3>
        <Badge look={look}>{known}</Badge>
        {waited * 100 > span && <Shares waited={waited} ran={span} look={look} />}
        <span className="text-[0.8rem] text-soft tabular-nums">
          {t("job:timeline.waited", { time: format.duration(waited) })} · {t("job:timeline.ran", { time: format.duration(span) })}
          <span className="hidden sm:inline"> · {format.full(from)}</span>
        </span>
        {attempt.why && <span className="min-w-0 truncate text-[0.8rem] text-soft" title={attempt.why}>{attempt.why}</span>}
      </div>
      <div aria-hidden className={cx(TRACK, "relative h-5 border-b border-line text-[0.7rem] text-soft")}>
        {ticks(span).map((at, index) => (
          <span
            key={at}
            // Every other one where there is no room for all.
            className={cx("absolute bottom-0 border-l border-line-strong/50 pl-1 whitespace-nowrap tabular-nums", index % 2 === 1 && "max-sm:hidden")}
            style={{ left: `${(at / span) * 100}%` }}
          >
            {at === 0 ? "0" : format.duration(at)}
          </span>
        ))}
      </div>
    </div>
  );
}

/** Waiting and running, drawn apart: hatched is the wait. */
function Shares({ waited, ran, look }: { waited: number; ran: number; look: Look }) {
  const part = waited + ran > 0 ? (waited / (waited + ran)) * 100 : 0;
  return (
    <svg aria-hidden viewBox="0 0 100 8" preserveAspectRatio="none" className="hidden h-2 w-24 shrink-0 sm:block">
      <defs>
        <pattern id="wait" width="4" height="8" patternUnits="userSpaceOnUse">
          <rect width="2" height="8" fill="var(--line-strong)" />
        </pattern>
      </defs>
      <rect x="0" width={part} height="8" fill="url(#wait)" />
      <rect x={part} width={100 - part} height="8" fill={look.color} />
    </svg>
  );
}
