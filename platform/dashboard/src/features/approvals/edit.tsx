import { useState } from "react";
import { useTranslation } from "react-i18next";
import { SchemaForm, Unreadable, useJsonText, type Schema } from "@/features/submit/schema-form";
import { Button } from "@/ui/button";
import { Field, TextArea } from "@/ui/field";

interface Props {
  label: string;
  schema: Schema;
  value: unknown;
  disabled: boolean;
  onChange(value: unknown): void;
}

/** Change a value by a form of its schema, or as JSON. */
export function Edit({ label, schema, value, disabled, onChange }: Props) {
  const { t } = useTranslation("approvals");
  const hasForm = Object.keys(schema).length > 0;
  const [asJson, setAsJson] = useState(!hasForm);
  return (
    <div>
      {asJson ? (
        <AsJson label={label} value={value} disabled={disabled} onChange={onChange} />
      ) : (
        <SchemaForm schema={schema} value={value} onChange={onChange} disabled={disabled} showAll />
      )}
      {hasForm && (
        <Button small tone="quiet" className="-ml-2" disabled={value instanceof Unreadable} onClick={() => setAsJson(!asJson)}>
          {t(asJson ? "edit.as_form" : "edit.as_json")}
        </Button>
      )}
    </div>
  );
}

function AsJson({ label, value, disabled, onChange }: Omit<Props, "schema">) {
  const { t } = useTranslation("approvals");
  const [text, setText] = useJsonText(value, onChange);
  return (
    <Field label={label} error={value instanceof Unreadable ? t("edit.no_json") : undefined}>
      {(control) => (
        <TextArea
          {...control}
          rows={6}
          spellCheck={false}
          disabled={disabled}
          className="max-h-96 font-mono text-[0.85rem] [field-sizing:content]"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      )}
    </Field>
  );
}
