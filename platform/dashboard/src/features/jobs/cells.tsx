import { Link } from "@tanstack/react-router";
import { CornerDownRight } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useNow } from "@/lib/clock";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { isOver, JobBadge } from "@/ui/state";
import { Took } from "@/ui/time";
import { useAbout } from "./abouts";
import { queueWait, type Row } from "./rows";

/** The state, and what is unusual about how it came there. */
export function StateCell({ row }: { row: Row }) {
  const { t } = useTranslation("jobs");
  const ending = row.cancel_requested_at && !isOver(row.state);
  return (
    <span className="flex items-center gap-2">
      <JobBadge state={row.state} waitingFor={row.waiting_for} />
      {ending ? (
        <span className="text-[0.8rem] text-soft">{t("ending")}</span>
      ) : (
        row.attempts > 1 && (
          <span className="text-[0.8rem] whitespace-nowrap text-soft" title={t("attempts", { count: row.attempts })}>
            <span aria-hidden>×{row.attempts}</span>
            <span className="sr-only">{t("attempts", { count: row.attempts })}</span>
          </span>
        )
      )}
    </span>
  );
}

interface AboutProps {
  row: Row;
  className?: string;
  onFocus?: () => void;
  /** Takes the focus, for who goes through the list by keys. */
  ref?: React.Ref<HTMLAnchorElement>;
}

/** What the job is about, as the link to it; the link covers the whole row. */
export function AboutLink({ row, className, onFocus, ref }: AboutProps) {
  const { t } = useTranslation("jobs");
  const about = useAbout(row.id);
  const error = row.error && row.state !== "succeeded" ? row.error.message : null;
  return (
    <>
      {row.parent_id && (
        <span className="mr-1.5 inline-flex shrink-0 align-[-2px] text-soft" title={t("child_of", { id: row.parent_id.slice(-8) })}>
          <CornerDownRight aria-hidden size={14} />
          <span className="sr-only">{t("child_of", { id: row.parent_id.slice(-8) })}</span>
        </span>
      )}
      <Link
        ref={ref}
        to="/jobs/$jobId"
        params={{ jobId: row.id }}
        onFocus={onFocus}
        className={cx("outline-none after:absolute after:inset-0 focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-(--focus)", className)}
      >
        {about || <span className="font-normal text-soft">{about === undefined ? "…" : t("nothing_told")}</span>}
        <span className="sr-only">, {row.workflow}</span>
      </Link>
      {error && <span className="ml-2 text-bad">{error}</span>}
    </>
  );
}

/** How long it has waited for a worker; before its time: when that is. */
export function WaitCell({ row }: { row: Row }) {
  const format = useFormat();
  const { t } = useTranslation("jobs");
  const later = row.state === "queued" && !!row.available_at;
  const now = useNow(later);
  if (later && row.available_at && Date.parse(row.available_at) > now) {
    return <span title={t("begins", { at: format.full(row.available_at) })}>{format.relative(row.available_at, now)}</span>;
  }
  const { from, to } = queueWait(row);
  return <Took from={from} to={to} />;
}

/** How long it has run, ticking while it does. One that stands still has run for as long as its events say, which the list has not. */
export function RunCell({ row }: { row: Row }) {
  if (!row.started_at || (row.state !== "running" && !isOver(row.state))) return <span>–</span>;
  return <Took from={row.started_at} to={row.finished_at} />;
}

const PREFIXES = ["key:", "subject:", "schedule:"];

/** Who has submitted it; a press shows theirs only. */
export function Who({ row }: { row: Row }) {
  const { t } = useTranslation("jobs");
  const who = row.created_by;
  if (!who) return <span>{row.parent_id ? t("its_parent") : "–"}</span>;
  const prefix = PREFIXES.find((each) => who.startsWith(each));
  const short = who.slice(prefix?.length ?? 0);
  const shown = prefix === "schedule:" ? t("by_schedule", { id: short.slice(-8) }) : short;
  return (
    <Link
      from="/jobs"
      to="/jobs"
      search={(search) => ({ ...search, created_by: who })}
      className="relative z-10 block truncate underline-offset-2 hover:text-ink hover:underline"
      title={t("only_by", { who })}
    >
      {shown}
    </Link>
  );
}
