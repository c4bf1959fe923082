import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { readJson, Unreadable } from "@/features/submit/schema-form";
import { Field, TextArea } from "@/ui/field";
import { Notice } from "@/ui/notices";
import type { Question } from "./question";

export type Outcome = { outcome: "done"; result?: unknown } | { outcome: "retry" };

/** Something was begun outside and nobody knows its end: a person looks, and says whether it was done. */
export function EffectForm({ question, disabled, may, onChange }: {
  question: Question;
  disabled: boolean;
  may: boolean;
  /** Null: not enough is said. */
  onChange(outcome: Outcome | null): void;
}) {
  const { t } = useTranslation("approvals");
  const name = useId();
  const [outcome, setOutcome] = useState<"done" | "retry" | null>(null);
  const [text, setText] = useState("");
  const result = readJson(text);
  const tell = (next: typeof outcome, value: unknown) => {
    setOutcome(next);
    if (next === "retry") onChange({ outcome: "retry" });
    else if (next === null || value instanceof Unreadable) onChange(null);
    else onChange(value === undefined ? { outcome: "done" } : { outcome: "done", result: value });
  };
  return (
    <div className="space-y-3">
      <p className="text-sm">
        {t("effect.what")} <code className="font-mono text-[0.95em] break-all">{question.text}</code>
      </p>
      <p className="text-sm text-soft">{t("effect.hint")}</p>
      {typeof question.details.refused === "string" && <Notice kind="warning" title={question.details.refused} />}
      {may && (
        <fieldset disabled={disabled} className="space-y-2">
          <legend className="sr-only">{t("decide.legend")}</legend>
          {(["done", "retry"] as const).map((each) => (
            <label key={each} className="flex min-h-11 cursor-pointer items-start gap-2.5 rounded-md border border-line bg-surface p-2.5 text-sm hover:bg-hover has-[input:checked]:border-accent has-[input:checked]:bg-accent-soft">
              <input type="radio" name={name} className="mt-1 accent-accent" checked={outcome === each} onChange={() => tell(each, result)} />
              <span>
                <span className="font-medium">{t(`effect.${each}`)}</span>
                <span className="block text-soft">{t(`effect.${each}_hint`)}</span>
              </span>
            </label>
          ))}
        </fieldset>
      )}
      {outcome === "done" && (
        <Field label={t("effect.result")} hint={t("effect.result_hint")} error={result instanceof Unreadable ? t("edit.no_json") : undefined} className="mb-0">
          {(control) => (
            <TextArea
              {...control}
              rows={2}
              spellCheck={false}
              disabled={disabled}
              className="font-mono text-[0.85rem] [field-sizing:content]"
              value={text}
              onChange={(event) => {
                setText(event.target.value);
                tell("done", readJson(event.target.value));
              }}
            />
          )}
        </Field>
      )}
    </div>
  );
}
