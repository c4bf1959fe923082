import { useTranslation } from "react-i18next";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { isOver, STEP_LOOKS, type StepState } from "@/ui/state";
import type { JobModel } from "../model";
import { runsOf, stateOf } from "../records";

/** How a step stands, in what a list and a picture have room for. */
export interface Status {
  state: StepState;
  /** How often it has run in that attempt. */
  runs: number;
  /** So many of them have ended. */
  ended: number;
  attempt: number;
  began: number;
  /** Null while it runs. */
  took: number | null;
  progress: string | null;
  /** The step inside of it that runs now. */
  inside: string | null;
  /** The job has ended without it. */
  skipped: boolean;
}

export function statusOf(model: JobModel, path: string): Status {
  const view = model.steps.get(path);
  const runs = runsOf(view);
  const state = stateOf(view);
  const open = state === "running";
  return {
    state,
    runs: runs?.tasks.length ?? 0,
    ended: runs ? runs.tasks.length - runs.counts.running : 0,
    attempt: runs?.attempt ?? 0,
    began: runs?.from ?? 0,
    took: open || !runs ? null : runs.to - runs.from,
    progress: view?.progress && view.progress.total > 0 ? `${view.progress.done}/${view.progress.total}` : null,
    inside: open ? runningInside(model, path) : null,
    skipped: state === "pending" && isOver(model.state),
  };
}

function runningInside(model: JobModel, path: string): string | null {
  for (const view of model.steps.values()) {
    if (view.parent === path && (view.newest?.counts.running ?? 0) > 0) return view.name;
  }
  return null;
}

/** Icon, word, time: the same in the picture and in the list. */
export function StatusLine({ status, className }: { status: Status; className?: string }) {
  const look = STEP_LOOKS[status.state];
  const word = useStatusWord();
  return (
    <span className={cx("flex items-center gap-1 text-[0.78rem]", look.text, className)}>
      <look.icon aria-hidden size={13} strokeWidth={2.2} className={cx("shrink-0", look.moving && "animate-spin [animation-duration:1.6s]")} />
      <span>{word(status)}</span>
      {status.runs > 0 && (
        <span className="truncate text-soft tabular-nums">
          · <Duration status={status} />
          {status.progress && ` · ${status.progress}`}
          {status.inside && ` · ${status.inside}`}
        </span>
      )}
    </span>
  );
}

function useStatusWord() {
  const { t } = useTranslation(["common", "job"]);
  return (status: Status) => (status.skipped ? t("job:step.skipped") : t(`common:step_state.${status.state}`));
}

function Duration({ status }: { status: Status }) {
  const format = useFormat();
  const now = useNow(status.took === null);
  return <>{format.duration(status.took ?? now - status.began)}</>;
}

/** `×12`, and which attempt where it is not the first. */
export function Marks({ status }: { status: Status }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  return (
    <>
      {status.runs > 1 && (
        <span className="rounded bg-hover px-1 text-[0.75rem] text-soft tabular-nums" title={t("step.runs", { count: status.runs })}>
          ×{format.number(status.runs)}
        </span>
      )}
      {status.attempt > 1 && (
        <span className="rounded bg-hover px-1 text-[0.75rem] whitespace-nowrap text-soft tabular-nums" title={t("trouble.attempt", { attempt: status.attempt })}>
          {t("step.attempt_short", { attempt: status.attempt })}
        </span>
      )}
    </>
  );
}
