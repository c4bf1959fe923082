import { Link } from "@tanstack/react-router";
import { AlarmClock, UserRound } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Approval } from "@/api/client";
import { ShortId } from "@/ui/copy";
import { Facts } from "@/ui/layout";
import { Ago, Moment } from "@/ui/time";

const LINK = "text-accent-text underline-offset-2 hover:underline";

/** Who asks, since when, whom, until when, and what happens then. */
export function ApprovalFacts({ approval, isOfJob }: { approval: Approval; isOfJob: boolean }) {
  const { t } = useTranslation("approvals");
  const facts: [ReactNode, ReactNode][] = [];
  if (!isOfJob) {
    facts.push([
      t("facts.job"),
      <Link to="/jobs/$jobId" params={{ jobId: approval.job_id }} className={LINK}>
        {approval.workflow} <ShortId id={approval.job_id} />
      </Link>,
    ]);
    facts.push([
      t("facts.thread"),
      <Link to="/threads/$threadId" params={{ threadId: approval.thread_id }} className={LINK}>
        <ShortId id={approval.thread_id} />
      </Link>,
    ]);
  }
  if (approval.step) {
    facts.push([
      t("facts.step"),
      <Link to="/jobs/$jobId" params={{ jobId: approval.job_id }} search={{ step: approval.step }} className={LINK}>
        <code className="font-mono text-[0.95em]">{approval.step}</code>
      </Link>,
    ]);
  }
  facts.push([t("facts.asked"), <Ago at={approval.created_at} />]);
  if (approval.state === "pending") {
    facts.push([t("facts.assignee"), approval.assignee ?? <span className="text-soft">{t("facts.anybody")}</span>]);
    facts.push([t("facts.expires"), <Expiry approval={approval} />]);
    if (approval.remind_at || approval.reminders > 0) facts.push([t("facts.reminders"), <Reminders approval={approval} />]);
  }
  return <Facts facts={facts} />;
}

function Expiry({ approval }: { approval: Approval }) {
  const { t } = useTranslation("approvals");
  if (!approval.expires_at) return <span className="text-soft">{t("facts.never")}</span>;
  return (
    <span>
      <Ago at={approval.expires_at} className="font-medium" /> (<Moment at={approval.expires_at} />
      ). {t(`expiry.${approval.on_expiry}`, { who: approval.escalate_to })}
    </span>
  );
}

function Reminders({ approval }: { approval: Approval }) {
  const { t } = useTranslation("approvals");
  return (
    <span>
      {t("facts.reminded", { count: approval.reminders })}
      {approval.remind_at && (
        <>
          {"; "}
          {t("facts.next_reminder")} <Ago at={approval.remind_at} />
        </>
      )}
    </span>
  );
}

/** In a row of the inbox: whose it is, and until when. */
export function Terms({ approval }: { approval: Approval }) {
  return (
    <>
      {approval.assignee && (
        <span className="inline-flex min-w-0 items-center gap-1">
          <UserRound aria-hidden size={13} />
          <span className="truncate">{approval.assignee}</span>
        </span>
      )}
      {approval.state === "pending" && approval.expires_at && (
        <span className="inline-flex items-center gap-1 font-medium text-stranded">
          <AlarmClock aria-hidden size={13} />
          <Ago at={approval.expires_at} />
        </span>
      )}
    </>
  );
}
