import { useTranslation } from "react-i18next";
import type { Approval } from "@/api/client";
import { Value } from "@/features/results/value";
import { Facts } from "@/ui/layout";
import { Badge } from "@/ui/state";
import { Moment } from "@/ui/time";
import { Changes } from "./changes-view";
import { APPROVAL_LOOKS, KIND_ICONS } from "./kinds";
import type { Question } from "./question";
import { readDecision, type Decided } from "./verdicts";

export function ApprovalBadge({ state }: { state: Approval["state"] }) {
  const { t } = useTranslation("approvals");
  return <Badge look={APPROVAL_LOOKS[state]}>{t(`state.${state}`)}</Badge>;
}

/** What was decided, by whom, when, and whether the graph has it. */
export function Audit({ approval, question }: { approval: Approval; question: Question }) {
  const { t } = useTranslation("approvals");
  const decided = approval.state === "pending" || approval.state === "withdrawn" ? [] : readDecision(question, approval.decision);
  return (
    <div className="rounded-lg border border-line bg-surface p-4">
      {decided.map((each, index) => (
        <Verdict key={index} decided={each} question={question} index={index} />
      ))}
      <Facts
        facts={[
          [t("audit.state"), <ApprovalBadge state={approval.state} />],
          ...(approval.decided_by ? [[t("audit.by"), approval.decided_by] as [string, string]] : []),
          ...(approval.decided_at ? [[t("audit.at"), <Moment at={approval.decided_at} />] as [string, React.ReactNode]] : []),
          ...(approval.comment ? [[t("audit.comment"), <span className="whitespace-pre-wrap">{approval.comment}</span>] as [string, React.ReactNode]] : []),
          ...(approval.state === "withdrawn"
            ? []
            : [[t("audit.applied"), approval.applied_at ? <Moment at={approval.applied_at} /> : t("audit.not_yet")] as [string, React.ReactNode]]),
        ]}
      />
    </div>
  );
}

function Verdict({ decided, question, index }: { decided: Decided; question: Question; index: number }) {
  const { t } = useTranslation("approvals");
  const action = question.actions[index];
  const known = decided.kind !== "other" && decided.kind !== "expired";
  const Icon = known ? KIND_ICONS[decided.kind as keyof typeof KIND_ICONS] : null;
  return (
    <div className="mb-3 border-b border-line pb-3 text-sm">
      <p className="flex flex-wrap items-center gap-1.5 font-medium">
        {Icon && <Icon aria-hidden size={16} className={decided.kind === "reject" ? "text-bad" : "text-good"} />}
        {t(`decided.${decided.kind}`)}
        {action?.name && <code className="font-mono font-normal text-soft">{action.name}</code>}
      </p>
      {decided.value !== undefined && (
        <div className="mt-1.5">
          {decided.kind === "edit" && action ? <Changes before={action.args} after={decided.value} /> : <Value value={decided.value} />}
        </div>
      )}
    </div>
  );
}
