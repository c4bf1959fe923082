import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { useMay } from "@/session/session";
import { Button, buttonClass } from "@/ui/button";
import { Notice } from "@/ui/notices";
import { GitFork, RotateCcw, SquarePen } from "lucide-react";
import { useActions } from "../act/context";
import { useModel } from "../journal";
import { usePlace } from "../place";
import type { Trouble } from "../records";
import { ToSystem } from "./situation";

// What can be done about an error: in `job.json` under `remedy`.
const REMEDIES = new Set([
  "attempts_exhausted",
  "budget_exhausted",
  "deadline_exceeded",
  "decision_invalid",
  "input_rejected",
  "invalid_input",
  "model_unavailable",
  "no_evidence",
  "output_refused",
  "process_ended",
  "time_limit_exceeded",
  "too_many_steps",
  "workflow_unavailable",
]);
// What is wrong is what the job was asked for: it would fail again.
const OF_INPUT = new Set(["input_rejected", "invalid_input", "no_evidence"]);
const OF_SYSTEM = new Set(["model_unavailable", "attempts_exhausted", "process_ended", "workflow_unavailable"]);

/** The first error of a job that has ended with one, and what to do now. */
export function TroubleNotice({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const { model } = useModel("state");
  const may = useMay("submit");
  const { open, retryNow, busy } = useActions();
  const first = model.trouble;
  const last = job.error;
  const code = last?.code ?? first?.code ?? job.state;
  const message = first?.message || last?.message || t(`remedy.${job.state}`);
  const differs = last && first && last.message !== first.message && !last.message.includes(first.message);
  const step = first?.step ?? last?.step;
  return (
    <Notice
      kind="error"
      className="mb-4"
      title={message}
      actions={
        <>
          {may && (
            <>
              {job.state === "budget_exhausted" ? (
                <Button tone="primary" small icon={RotateCcw} onClick={() => open("retry")}>
                  {t("act.retry_budget")}
                </Button>
              ) : (
                <Button tone={OF_INPUT.has(code) ? "plain" : "primary"} small icon={RotateCcw} busy={busy} onClick={retryNow}>
                  {step ? t("act.retry_step", { step }) : t("act.retry_last")}
                </Button>
              )}
              <Link
                to="/submit/$workflow"
                params={{ workflow: job.workflow }}
                search={{ from: job.id }}
                className={buttonClass(OF_INPUT.has(code) ? "primary" : "plain", true)}
              >
                <SquarePen aria-hidden size={14} /> {t("act.again_edited")}
              </Link>
              {job.attempts > 0 && (
                <Button small icon={GitFork} onClick={() => open("fork")}>
                  {t("act.fork")}
                </Button>
              )}
            </>
          )}
          {OF_SYSTEM.has(code) && <ToSystem />}
        </>
      }
    >
      <TroubleFacts trouble={first} code={code} step={step ?? null} kind={last?.kind ?? first?.kind ?? null} />
      {differs && <p className="mt-1">{t("trouble.then", { message: last.message })}</p>}
      <p className="mt-1">{t(`remedy.${REMEDIES.has(code) ? code : "other"}`)}</p>
    </Notice>
  );
}

function TroubleFacts({ trouble, code, step, kind }: { trouble: Trouble | null; code: string; step: string | null; kind: string | null }) {
  const { t } = useTranslation("job");
  const { go } = usePlace();
  return (
    <p className="flex flex-wrap gap-x-3 font-mono text-[0.8rem]">
      <span>{kind ? `${code} · ${kind}` : code}</span>
      {step && (
        <button
          type="button"
          className="underline underline-offset-2"
          onClick={() => go({ step, attempt: trouble?.attempt, ...(trouble ? {} : { attempt: undefined }) })}
        >
          {t("trouble.step", { step })}
        </button>
      )}
      {trouble && trouble.attempt > 0 && <span>{t("trouble.attempt", { attempt: trouble.attempt })}</span>}
      {trouble && (
        <button type="button" className="underline underline-offset-2" onClick={() => go({ tab: "events", event: trouble.seq })}>
          {t("trouble.event", { seq: trouble.seq })}
        </button>
      )}
    </p>
  );
}

/** An error that the job has got over so far: it is tried again. */
export function PastTrouble() {
  const { t } = useTranslation("job");
  const { model } = useModel("state");
  const trouble = model.trouble;
  if (!trouble) return null;
  return (
    <Notice kind="warning" className="mb-4" title={t("trouble.past", { message: trouble.message || trouble.code })}>
      <TroubleFacts trouble={trouble} code={trouble.code} step={trouble.step} kind={trouble.kind} />
    </Notice>
  );
}
