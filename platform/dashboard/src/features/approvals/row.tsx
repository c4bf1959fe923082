import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Approval } from "@/api/client";
import { cx } from "@/lib/cx";
import { useMay } from "@/session/session";
import { Ago } from "@/ui/time";
import { Terms } from "./facts";
import { APPROVAL_LOOKS, KIND_ICONS } from "./kinds";
import { gist, headline, readQuestion, type Question } from "./question";
import { readDecision } from "./verdicts";

interface Props {
  approval: Approval;
  isOpen: boolean;
  isPicked: boolean;
  onPick(on: boolean): void;
}

/** A decided one looks like its decision, when that is the same about all of it. */
function lookOf(approval: Approval, question: Question) {
  const look = { ...APPROVAL_LOOKS[approval.state], word: `state.${approval.state}` };
  if (approval.state !== "decided") return look;
  const [first, ...rest] = readDecision(question, approval.decision).map((each) => each.kind);
  if (!first || rest.some((kind) => kind !== first)) return look;
  return { ...look, ...(first === "reject" ? { icon: KIND_ICONS.reject, text: "text-bad" } : {}), word: `decided.${first}` };
}

/** One approval of the list. Its own rows are drawn only when they come into view. */
export function Row({ approval, isOpen, isPicked, onPick }: Props) {
  const { t } = useTranslation("approvals");
  const may = useMay("approve");
  const question = readQuestion(approval.request);
  const title = headline(question) || t("question");
  const about = gist(question);
  const look = lookOf(approval, question);
  return (
    <li
      data-approval={approval.id}
      data-state={approval.state}
      className={cx(
        "flex items-stretch rounded-lg border bg-surface [contain-intrinsic-size:auto_4.5rem] [content-visibility:auto]",
        isOpen ? "border-accent" : "border-line hover:border-line-strong",
      )}
    >
      {approval.state === "pending" && may && (
        <label className="flex min-w-11 cursor-pointer items-center justify-center">
          <input type="checkbox" className="size-4 accent-accent" checked={isPicked} aria-label={t("pick", { what: title })} onChange={(event) => onPick(event.target.checked)} />
        </label>
      )}
      <Link
        from="/approvals"
        to="/approvals"
        search={(old) => ({ ...old, open: approval.id })}
        resetScroll={false}
        preload={false}
        aria-current={isOpen || undefined}
        className={cx("min-w-0 flex-1 py-2.5 pr-3", !(approval.state === "pending" && may) && "pl-3")}
      >
        <span className="flex items-start gap-2">
          <span className="line-clamp-2 min-w-0 flex-1 font-medium break-words">{title}</span>
          <look.icon role="img" aria-label={t(look.word)} size={16} className={cx("mt-0.5 shrink-0", look.text)} />
        </span>
        {about && <span className="mt-0.5 line-clamp-1 text-sm break-all text-soft">{about}</span>}
        <span className="mt-0.5 flex flex-wrap items-center gap-x-2.5 gap-y-0.5 text-[0.8rem] text-soft">
          <span>
            {approval.workflow}
            {approval.step && ` · ${approval.step}`}
          </span>
          <Ago at={approval.state === "pending" ? approval.created_at : (approval.decided_at ?? approval.created_at)} />
          <Terms approval={approval} />
        </span>
      </Link>
    </li>
  );
}
