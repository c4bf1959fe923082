import { CircleCheck, CircleX, Copy, Equal, Eye, Lock, ShieldAlert, ShieldCheck, ShieldQuestionMark, ShieldX } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Badge, type Look } from "@/ui/state";
import type { Status } from "./conversion";

const quiet = { text: "text-soft", soft: "bg-sunken", color: "var(--ink-soft)" };
const doubt = { text: "text-paused", soft: "bg-paused-soft", color: "var(--paused)" };
const good = { text: "text-good", soft: "bg-good-soft", color: "var(--good)" };
const bad = { text: "text-bad", soft: "bg-bad-soft", color: "var(--bad)" };

/** How the state of a file looks. */
export const STATUS_LOOKS: Record<Status, Look> = {
  broken: { icon: CircleX, ...bad },
  kept: { icon: Lock, ...doubt },
  review: { icon: Eye, ...doubt },
  converted: { icon: CircleCheck, ...good },
  unchanged: { icon: Equal, ...quiet },
  copied: { icon: Copy, ...quiet },
};

export function StatusBadge({ status }: { status: Status }) {
  const { t } = useTranslation("results");
  return <Badge look={STATUS_LOOKS[status]}>{t(`status.${status}`)}</Badge>;
}

const VERDICT_LOOKS: Record<string, Look> = {
  "NOT VERIFIED": { icon: ShieldQuestionMark, ...doubt },
  "NOT COVERED": { icon: ShieldAlert, ...doubt },
  EQUAL: { icon: ShieldCheck, ...good },
  DIFFERENT: { icon: ShieldX, ...bad },
};
const UNKNOWN: Look = { icon: ShieldQuestionMark, ...quiet };

/** Whether a file was shown to do what the original did. A verdict that has no words here is told in its own. */
export function VerdictBadge({ verdict, className }: { verdict: string; className?: string }) {
  const { t } = useTranslation("results");
  return <Badge look={VERDICT_LOOKS[verdict] ?? UNKNOWN} className={className}>{t(`verdict.${verdict}`, { defaultValue: verdict })}</Badge>;
}
