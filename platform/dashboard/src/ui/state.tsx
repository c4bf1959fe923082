import {
  Ban,
  CircleCheck,
  CircleDashed,
  CircleDot,
  CirclePause,
  CircleX,
  Clock,
  Coins,
  Hourglass,
  LoaderCircle,
  Skull,
  Unplug,
  type LucideIcon,
} from "lucide-react";
import { useTranslation } from "react-i18next";
import type { JobState } from "@/api/client";
import { cx } from "@/lib/cx";

export interface Look {
  icon: LucideIcon;
  text: string;
  soft: string;
  /** For SVG and inline styles. */
  color: string;
  moving?: boolean;
}

/** How each state of a job looks: never by colour alone. */
export const JOB_LOOKS: Record<JobState, Look> = {
  queued: { icon: Clock, text: "text-queued", soft: "bg-queued-soft", color: "var(--queued)" },
  running: { icon: LoaderCircle, text: "text-running", soft: "bg-running-soft", color: "var(--running)", moving: true },
  waiting: { icon: Hourglass, text: "text-waiting", soft: "bg-waiting-soft", color: "var(--waiting)" },
  paused: { icon: CirclePause, text: "text-paused", soft: "bg-paused-soft", color: "var(--paused)" },
  stranded: { icon: Unplug, text: "text-stranded", soft: "bg-stranded-soft", color: "var(--stranded)" },
  succeeded: { icon: CircleCheck, text: "text-good", soft: "bg-good-soft", color: "var(--good)" },
  failed: { icon: CircleX, text: "text-bad", soft: "bg-bad-soft", color: "var(--bad)" },
  cancelled: { icon: Ban, text: "text-ended", soft: "bg-ended-soft", color: "var(--ended)" },
  dead: { icon: Skull, text: "text-bad", soft: "bg-bad-soft", color: "var(--bad)" },
  budget_exhausted: { icon: Coins, text: "text-spent", soft: "bg-spent-soft", color: "var(--spent)" },
};

export const JOB_STATES = Object.keys(JOB_LOOKS) as JobState[];
export const ENDED_STATES: readonly JobState[] = ["succeeded", "failed", "cancelled", "dead", "budget_exhausted"];
export const isOver = (state: JobState) => ENDED_STATES.includes(state);

/** Where a step of an attempt is. */
export type StepState = "pending" | "running" | "done" | "failed" | "interrupted" | "broken";

export const STEP_LOOKS: Record<StepState, Look> = {
  pending: { icon: CircleDashed, text: "text-soft", soft: "bg-sunken", color: "var(--ink-soft)" },
  running: JOB_LOOKS.running,
  done: JOB_LOOKS.succeeded,
  failed: JOB_LOOKS.failed,
  interrupted: JOB_LOOKS.paused,
  // It had begun when its attempt ended: a later attempt runs it again.
  broken: { icon: CircleDot, text: "text-stranded", soft: "bg-stranded-soft", color: "var(--stranded)" },
};

export function Badge({ look, children, className }: { look: Look; children: string; className?: string }) {
  const Icon = look.icon;
  return (
    <span
      className={cx(
        "inline-flex items-center gap-1.5 rounded-full px-2 py-0.5 text-[0.8rem] font-medium whitespace-nowrap",
        look.text,
        look.soft,
        className,
      )}
    >
      <Icon aria-hidden size={13} strokeWidth={2.4} className={cx(look.moving && "animate-spin [animation-duration:1.6s]")} />
      {children}
    </span>
  );
}

/** The state of a job as icon, word and colour. A paused one that waits for a decision says so. */
export function JobBadge({ state, waitingFor, className }: { state: JobState; waitingFor?: string | null; className?: string }) {
  const { t } = useTranslation();
  const word = state === "paused" && waitingFor === "approval" ? t("state.needs_approval") : t(`state.${state}`);
  return (
    <Badge look={JOB_LOOKS[state]} className={className}>
      {word}
    </Badge>
  );
}

export function StepBadge({ state, className }: { state: StepState; className?: string }) {
  const { t } = useTranslation();
  return (
    <Badge look={STEP_LOOKS[state]} className={className}>
      {t(`step_state.${state}`)}
    </Badge>
  );
}
