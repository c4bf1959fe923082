import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import type { FieldError } from "@/api/client";
import { cx } from "@/lib/cx";
import { TextArea } from "@/ui/field";
import { Card } from "@/ui/layout";
import { isObject, pruned, SchemaForm, Unreadable, useJsonText, useMisses, type Schema } from "./schema-form";

interface Props {
  schema: Schema;
  value: unknown;
  onChange(value: unknown): void;
  errors: readonly FieldError[];
  showAll: boolean;
}

/** The input as a form or as JSON; what is written in one stands in the other. */
export function InputEditor({ schema, value, onChange, errors, showAll }: Props) {
  const { t } = useTranslation("submit");
  const formable = isObject(schema.properties) && Object.keys(schema.properties).length > 0;
  const [json, setJson] = useState(!formable);
  const show = (asJson: boolean) => {
    // The JSON shows what would be sent; a form cannot show what is no object.
    if (asJson) onChange(pruned(value, schema));
    else if (!isObject(value)) return;
    setJson(asJson);
  };
  const stuck = json && !isObject(value);
  return (
    <section>
      <div className="mb-2 flex items-center justify-between gap-2">
        <h2>{t("input")}</h2>
        {formable && (
          <div role="group" aria-label={t("input_as")} className="flex rounded-md border border-line p-0.5 text-[0.8rem]">
            {[false, true].map((asJson) => (
              <button
                key={String(asJson)}
                type="button"
                aria-pressed={json === asJson}
                disabled={!asJson && stuck}
                title={!asJson && stuck ? t("json_first") : undefined}
                onClick={() => show(asJson)}
                className={cx("rounded px-2.5 py-1", json === asJson ? "bg-hover font-medium" : "text-soft hover:text-ink disabled:opacity-50")}
              >
                {t(asJson ? "as_json" : "as_form")}
              </button>
            ))}
          </div>
        )}
      </div>
      <Card>
        {json ? (
          <JsonInput schema={schema} value={value} onChange={onChange} errors={errors} showAll={showAll} />
        ) : (
          <SchemaForm schema={schema} value={value} onChange={onChange} errors={errors} showAll={showAll} />
        )}
      </Card>
    </section>
  );
}

function JsonInput({ schema, value, onChange, errors, showAll }: Props) {
  const { t } = useTranslation("submit");
  const id = useId();
  const [text, change] = useJsonText(value, (next) => onChange(next === undefined ? {} : next));
  const misses = useMisses(schema, value);
  const shown = value instanceof Unreadable || showAll ? [...errors, ...misses] : errors;
  return (
    <div>
      <label htmlFor={id} className="sr-only">
        {t("input_json")}
      </label>
      <TextArea
        id={id}
        rows={12}
        spellCheck={false}
        className="max-h-[70vh] min-h-60 font-mono text-[0.8rem] leading-relaxed [field-sizing:content]"
        aria-invalid={shown.length > 0 || undefined}
        aria-describedby={`${id}-errors`}
        value={text}
        onChange={(event) => change(event.target.value)}
      />
      <ul id={`${id}-errors`} className="mt-1 space-y-0.5 text-[0.8rem] font-medium text-bad">
        {shown.map(({ path, message }, index) => (
          <li key={index}>
            {path && <code>{path}: </code>}
            {message}
          </li>
        ))}
      </ul>
    </div>
  );
}
