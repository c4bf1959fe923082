import { useTranslation } from "react-i18next";
import type { JobState } from "@/api/client";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { JOB_LOOKS, JOB_STATES } from "@/ui/state";
import type { Counts } from "./use-jobs";

interface Props {
  counts: Counts | undefined;
  chosen: JobState[] | undefined;
  onChoose(states: JobState[] | undefined): void;
}

/** How many jobs are in each state; a press shows those only, another one shows all again. */
export function StateCounts({ counts, chosen, onChoose }: Props) {
  const { t } = useTranslation(["jobs", "common"]);
  const toggle = (state: JobState) => {
    const next = chosen?.includes(state) ? chosen.filter((each) => each !== state) : [...(chosen ?? []), state];
    onChoose(next.length > 0 ? next : undefined);
  };
  // A state without jobs takes no room, unless it has been asked for.
  const shown = JOB_STATES.filter((state) => (counts?.counts[state] ?? 0) > 0 || chosen?.includes(state));
  return (
    <div role="group" aria-label={t("states")} className="-mx-4 flex gap-1.5 overflow-x-auto px-4 py-1 sm:mx-0 sm:flex-wrap sm:overflow-visible sm:px-0">
      <Chip on={!chosen} count={counts?.total} onPress={() => onChoose(undefined)}>
        {t("all_states")}
      </Chip>
      {shown.map((state) => (
        <Chip key={state} state={state} on={chosen?.includes(state) ?? false} count={counts?.counts[state] ?? 0} onPress={() => toggle(state)}>
          {t(`common:state.${state}`)}
        </Chip>
      ))}
    </div>
  );
}

function Chip({ state, on, count, onPress, children }: {
  state?: JobState;
  on: boolean;
  count: number | undefined;
  onPress(): void;
  children: string;
}) {
  const format = useFormat();
  const look = state && JOB_LOOKS[state];
  const Icon = look?.icon;
  return (
    <button
      type="button"
      aria-pressed={on}
      data-count={state ?? "all"}
      onClick={onPress}
      className={cx(
        "inline-flex h-8 shrink-0 items-center gap-1.5 rounded-full border px-3 text-[0.85rem] whitespace-nowrap transition-colors",
        on ? "border-transparent bg-ink text-surface" : "border-line bg-surface hover:bg-hover",
      )}
    >
      {Icon && <Icon aria-hidden size={14} className={on ? undefined : look.text} />}
      {children}
      <span className={cx("tabular-nums", on ? "opacity-80" : "text-soft")}>{count === undefined ? "…" : format.number(count)}</span>
    </button>
  );
}
