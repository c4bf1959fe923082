import { useId } from "react";
import { useTranslation } from "react-i18next";
import { Value } from "@/features/results/value";
import { cx } from "@/lib/cx";
import { Field, Select, TextArea } from "@/ui/field";
import { Changes } from "./changes-view";
import { Edit } from "./edit";
import { FreeAnswer } from "./free-answer";
import { KIND_ICONS } from "./kinds";
import type { Action, Kind, Question } from "./question";
import { editedArgs, formSchema, type Draft } from "./verdicts";

interface Props {
  question: Question;
  action: Action;
  /** Counts from 1, where there are several. */
  number: number | null;
  draft: Draft;
  disabled: boolean;
  /** Decisions may be made here, and not only read. */
  may: boolean;
  onChange(changes: Partial<Draft>): void;
}

/** One proposed action with its exact arguments, and what is decided about it. */
export function VerdictForm({ question, action, number, draft, disabled, may, onChange }: Props) {
  const { t } = useTranslation("approvals");
  const isEdited = draft.kind === "edit";
  return (
    <section
      aria-label={action.name ?? t("action.label")}
      className={cx(number !== null && "rounded-lg border border-line bg-surface p-4")}
    >
      {(action.name || number !== null) && (
        <h3 className="flex flex-wrap items-baseline gap-x-2">
          {number !== null && <span className="text-soft">{number}.</span>}
          <code className="font-mono text-[1.05em] break-all">{action.name ?? t("action.label")}</code>
        </h3>
      )}
      {action.description && <p className="mt-0.5 text-sm break-words whitespace-pre-wrap text-soft">{action.description}</p>}
      {action.args !== undefined && !isEdited && (
        <div className="mt-2 rounded-md border border-line bg-ground px-3 py-1.5 text-sm">
          <Value value={action.args} />
        </div>
      )}
      {may && (
        <>
          <Choice kinds={action.allowed} question={question} value={draft.kind} disabled={disabled} onChange={(kind) => onChange({ kind })} />
          <div className="mt-3 space-y-3 empty:hidden">
            {isEdited && <EditPart question={question} action={action} draft={draft} disabled={disabled} onChange={onChange} />}
            {draft.kind === "reject" && question.kind === "actions" && (
              <Field label={t("reject.message")} hint={t("reject.message_hint")} className="mb-0">
                {(control) => (
                  <TextArea {...control} rows={2} disabled={disabled} value={draft.message} onChange={(event) => onChange({ message: event.target.value })} />
                )}
              </Field>
            )}
            {draft.kind === "answer" && <AnswerPart question={question} draft={draft} disabled={disabled} onChange={onChange} />}
            {question.kind === "open" && (draft.kind === "approve" || draft.kind === "reject") && (
              <p className="text-[0.8rem] text-soft">{t("open.gets", { value: String(draft.kind === "approve") })}</p>
            )}
          </div>
        </>
      )}
    </section>
  );
}

function Choice({ kinds, question, value, disabled, onChange }: {
  kinds: Kind[];
  question: Question;
  value: Kind | null;
  disabled: boolean;
  onChange(kind: Kind): void;
}) {
  const { t } = useTranslation("approvals");
  const name = useId();
  return (
    <fieldset disabled={disabled} className="mt-3">
      <legend className="sr-only">{t("decide.legend")}</legend>
      <div className="flex flex-wrap gap-2">
        {kinds.map((kind) => {
          const Icon = KIND_ICONS[kind];
          const isChosen = value === kind;
          return (
            <label
              key={kind}
              className={cx(
                "inline-flex min-h-11 flex-1 cursor-pointer items-center justify-center gap-1.5 rounded-md border px-3 text-sm font-medium whitespace-nowrap sm:min-h-9 sm:flex-none",
                "has-[input:focus-visible]:outline-2 has-[input:focus-visible]:outline-offset-2 has-[input:focus-visible]:outline-[var(--focus)]",
                isChosen
                  ? kind === "reject"
                    ? "border-bad bg-bad-soft text-bad"
                    : "border-accent bg-accent-soft text-accent-text"
                  : "border-line bg-surface text-soft hover:bg-hover hover:text-ink",
              )}
            >
              <input
                type="radio"
                name={name}
                data-kind={kind}
                className="sr-only"
                checked={isChosen}
                onChange={() => onChange(kind)}
              />
              <Icon aria-hidden size={16} />
              {t(question.kind === "breakpoint" ? "kind.go_on" : `kind.${kind}`)}
            </label>
          );
        })}
      </div>
    </fieldset>
  );
}

type PartProps = Pick<Props, "question" | "draft" | "disabled" | "onChange">;

function EditPart({ question, action, draft, disabled, onChange }: PartProps & { action: Action }) {
  const { t } = useTranslation("approvals");
  return (
    <>
      <Edit
        label={t("edit.args")}
        schema={formSchema(action.schema, action.args)}
        value={draft.args}
        disabled={disabled}
        onChange={(args) => onChange({ args })}
      />
      <div>
        <h4 className="mb-1 text-[0.8rem] font-medium text-soft">{t("changes.label")}</h4>
        <Changes before={action.args} after={editedArgs(action, draft.args)} />
      </div>
      {question.kind === "open" && <p className="text-[0.8rem] text-soft">{t("open.gets_edited")}</p>}
    </>
  );
}

function AnswerPart({ question, draft, disabled, onChange }: PartProps) {
  const { t } = useTranslation("approvals");
  if (question.answerSchema) {
    return <Edit label={t("answer.label")} schema={question.answerSchema} value={draft.answer === "" ? undefined : draft.answer} disabled={disabled} onChange={(answer) => onChange({ answer })} />;
  }
  if (question.options.length > 0) {
    return (
      <Field label={t("answer.label")} className="mb-0">
        {(control) => (
          <Select
            {...control}
            disabled={disabled}
            value={question.options.findIndex((option) => option === draft.answer)}
            onChange={(event) => onChange({ answer: question.options[Number(event.target.value)] })}
          >
            {question.options.map((option, index) => (
              <option key={index} value={index}>
                {option}
              </option>
            ))}
          </Select>
        )}
      </Field>
    );
  }
  return <FreeAnswer isText={question.kind === "actions"} disabled={disabled} onChange={(answer) => onChange({ answer })} />;
}
