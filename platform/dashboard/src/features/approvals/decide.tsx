import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Send } from "lucide-react";
import { useRef, useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Approval } from "@/api/client";
import { Value } from "@/features/results/value";
import { useMay } from "@/session/session";
import { Button } from "@/ui/button";
import { Field, TextArea } from "@/ui/field";
import { Empty, ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { Ago } from "@/ui/time";
import { Assign } from "./assign";
import { ApprovalBadge, Audit } from "./decided";
import { EffectForm, type Outcome } from "./effect-form";
import { ApprovalFacts, Terms } from "./facts";
import { headline, readQuestion, type Kind, type Question } from "./question";
import { approvalQuery, decide, isLate, jobApprovalsQuery, refreshApprovals } from "./queries";
import { beginDrafts, bodyOf, commonKind, isSaid, type Body, type Draft } from "./verdicts";
import { useDecisionKeys } from "./use-decision-keys";
import { VerdictForm } from "./verdict-form";

interface Props {
  approval: Approval;
  onDone?(approval: Approval): void;
  /** It stands on the page of its job. */
  isOfJob?: boolean;
  /** `a`, `e` and `r` choose; off where several are on one page. */
  keys?: boolean;
}

/** A question to a person: what exactly is asked, by whom, and the decision. */
export function Decide({ approval: given, onDone, isOfJob = false, keys = false }: Props) {
  // Somebody else may decide it while it is looked at: then it is shown as it is now.
  const { data: approval = given } = useQuery({ ...approvalQuery(given.id), initialData: given });
  const question = readQuestion(approval.request);
  const { t } = useTranslation("approvals");
  const may = useMay("approve");
  const isPending = approval.state === "pending";
  // Outlives the form: what was decided about is not there any more, and why is still to be read.
  const [late, setLate] = useState<string | null>(null);
  return (
    <div data-approval={approval.id} data-state={approval.state}>
      <Heading approval={approval} question={question} />
      {late && (
        <Notice kind="warning" title={t(`late.${late}`)} className="mt-3">
          {t("late.hint")}
        </Notice>
      )}
      <div className="mt-4 grid gap-x-8 gap-y-6 xl:grid-cols-[minmax(0,1fr)_17rem]">
        <div className="min-w-0 space-y-4">
          {question.kind === "breakpoint" && <Breakpoint question={question} />}
          {(question.kind === "open" || question.kind === "actions") && Object.keys(question.details).length > 0 && (
            <div className="rounded-md border border-line bg-ground px-3 py-1.5 text-sm">
              <Value value={question.details} />
            </div>
          )}
          {isPending ? (
            // Another question is another form: nothing that was typed for one is sent for the other.
            <Form
              key={approval.request_sha256}
              approval={approval}
              question={question}
              may={may}
              keys={keys}
              onLate={setLate}
              onDone={(decided) => {
                setLate(null);
                onDone?.(decided);
              }}
            />
          ) : (
            <>
              {question.kind === "effect" && <EffectForm question={question} disabled may={false} onChange={() => undefined} />}
              {question.kind === "actions" && <ReadOnly question={question} />}
              <Audit approval={approval} question={question} />
            </>
          )}
        </div>
        <aside aria-label={t("facts.label")} className="min-w-0 space-y-3 border-line max-xl:border-t max-xl:pt-4 xl:border-l xl:pl-5">
          <ApprovalFacts approval={approval} isOfJob={isOfJob} />
          {isPending && may && <Assign approval={approval} />}
        </aside>
      </div>
    </div>
  );
}

/** What is asked, in the words of the graph; above it, by which workflow and since when. */
function Heading({ approval, question }: { approval: Approval; question: Question }) {
  const { t } = useTranslation("approvals");
  const title = question.kind === "open" || question.kind === "effect" ? question.text : headline(question);
  return (
    <header>
      <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1 text-[0.8rem] text-soft">
        <ApprovalBadge state={approval.state} />
        <span>{approval.workflow}</span>
        <Ago at={approval.created_at} />
        <Terms approval={approval} />
      </p>
      <h2 className="mt-2 text-[1.15rem] leading-snug break-words whitespace-pre-wrap">{title || t("question")}</h2>
    </header>
  );
}

function Breakpoint({ question }: { question: Question }) {
  const { t } = useTranslation("approvals");
  const { steps } = question.details;
  return <p className="text-sm">{t("breakpoint", { steps: Array.isArray(steps) ? steps.join(", ") : String(steps) })}</p>;
}

function ReadOnly({ question }: { question: Question }) {
  const [draft] = useState<Draft>({ kind: null, args: null, message: "", answer: "" });
  return question.actions.map((action, index) => (
    <VerdictForm
      key={index}
      question={question}
      action={action}
      number={question.actions.length > 1 ? index + 1 : null}
      draft={draft}
      disabled
      may={false}
      onChange={() => undefined}
    />
  ));
}

function Form({ approval, question, may, keys, onLate, onDone }: {
  approval: Approval;
  question: Question;
  may: boolean;
  keys: boolean;
  /** Somebody was faster: the code of what the API said. */
  onLate(code: string): void;
  onDone(approval: Approval): void;
}) {
  const { t } = useTranslation("approvals");
  const client = useQueryClient();
  const [drafts, setDrafts] = useState(() => beginDrafts(question));
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [comment, setComment] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const send = useMutation({
    mutationFn: (body: Body) => decide(approval.id, body),
    onSuccess: (decided) => {
      client.setQueryData(approvalQuery(decided.id).queryKey, decided);
      onDone(decided);
    },
    onError: (error) => isLate(error) && onLate(error.code),
    onSettled: () => refreshApprovals(client),
  });
  const change = (index: number, changes: Partial<Draft>) =>
    setDrafts((all) => all.map((draft, place) => (place === index ? { ...draft, ...changes } : draft)));
  const chooseAll = (kind: Kind) => setDrafts((all) => all.map((draft) => ({ ...draft, kind })));
  useDecisionKeys(keys && may, form);

  const said = question.actions.filter((action, index) => isSaid(action, question, drafts[index])).length;
  const isComplete = question.kind === "effect" ? outcome !== null : said === question.actions.length;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isComplete || send.isPending) return;
    if (question.kind !== "effect") send.mutate(bodyOf(approval, question, drafts, comment.trim()));
    else send.mutate({ decision: outcome, decisions: [], request_sha256: approval.request_sha256 || null, ...(comment.trim() ? { comment: comment.trim() } : {}) });
  };
  const isMany = question.actions.length > 1;
  return (
    <form ref={form} onSubmit={submit} className="space-y-4">
      {isMany && may && (
        <div className="flex flex-wrap items-center gap-2">
          <span className="mr-1 text-sm text-soft">{t("decide.each", { count: question.actions.length })}</span>
          {approval.allowed.filter((kind) => kind === "approve" || kind === "reject").map((kind) => (
            <Button key={kind} small onClick={() => chooseAll(kind)}>
              {t(`decide.all_${kind}`)}
            </Button>
          ))}
        </div>
      )}
      {question.kind === "effect" ? (
        <EffectForm question={question} disabled={send.isPending} may={may} onChange={setOutcome} />
      ) : (
        question.actions.map((action, index) => {
          const draft = drafts[index];
          return (
            draft && (
              <VerdictForm
                key={index}
                question={question}
                action={action}
                number={isMany ? index + 1 : null}
                draft={draft}
                disabled={send.isPending}
                may={may}
                onChange={(changes) => change(index, changes)}
              />
            )
          );
        })
      )}
      {may ? (
        <>
          <Field label={t("decide.comment")} hint={t("decide.comment_hint")} className="mb-0">
            {(control) => (
              <TextArea {...control} rows={1} maxLength={10_000} className="[field-sizing:content]" disabled={send.isPending} value={comment} onChange={(event) => setComment(event.target.value)} />
            )}
          </Field>
          {send.isError && !isLate(send.error) && <ErrorNotice error={send.error} />}
          <SendBar drafts={drafts} question={question} isComplete={isComplete} said={said} busy={send.isPending} />
        </>
      ) : (
        <Notice title={t("decide.may_not")}>{t("decide.may_not_hint")}</Notice>
      )}
    </form>
  );
}

/** The button says what it does; on a phone it stays at the bottom. */
function SendBar({ drafts, question, isComplete, said, busy }: {
  drafts: Draft[];
  question: Question;
  isComplete: boolean;
  said: number;
  busy: boolean;
}) {
  const { t } = useTranslation("approvals");
  const kind = question.kind === "effect" ? null : commonKind(drafts);
  const count = drafts.length;
  const word =
    question.kind === "effect"
      ? t("send.effect")
      : question.kind === "breakpoint"
        ? t("kind.go_on")
        : kind
          ? t(`send.${kind}`, { count })
          : t("send.mixed", { count });
  return (
    <div className="flex flex-wrap items-center justify-end gap-x-3 gap-y-1 max-md:sticky max-md:bottom-[calc(3.6rem+env(safe-area-inset-bottom))] max-md:-mx-4 max-md:border-t max-md:border-line max-md:bg-surface max-md:px-4 max-md:py-2.5">
      {count > 1 && !isComplete && (
        <span className="text-[0.8rem] text-soft" role="status">
          {t("decide.said", { said, count })}
        </span>
      )}
      <Button
        type="submit"
        data-send
        tone={kind === "reject" ? "danger" : "primary"}
        icon={Send}
        busy={busy}
        disabled={!isComplete}
        className="max-md:min-h-11 max-md:flex-1"
      >
        {busy ? t("send.busy") : word}
      </Button>
    </div>
  );
}

/** All that a job asks and has asked: what waits first, with its form. */
export function JobApprovals({ jobId }: { jobId: string }) {
  const { t } = useTranslation("approvals");
  const { data, error, refetch } = useQuery(jobApprovalsQuery(jobId));
  if (error) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton lines={4} />;
  if (data.length === 0) return <Empty title={t("empty.job")}>{t("empty.job_hint")}</Empty>;
  const pending = data.filter((each) => each.state === "pending");
  const over = data.filter((each) => each.state !== "pending").reverse();
  return (
    <div className="space-y-4">
      {pending.map((approval) => (
        <article key={approval.id} className="rounded-lg border border-paused/50 bg-surface p-4">
          <Decide approval={approval} isOfJob keys={pending.length === 1} />
        </article>
      ))}
      {over.map((approval) => (
        <article key={approval.id} className="rounded-lg border border-line bg-surface p-4">
          <Decide approval={approval} isOfJob />
        </article>
      ))}
    </div>
  );
}
