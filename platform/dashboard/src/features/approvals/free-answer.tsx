import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Field, TextArea } from "@/ui/field";

interface Props {
  /** The graph takes nothing but text. */
  isText: boolean;
  disabled: boolean;
  onChange(answer: unknown): void;
}

/** What a text says as JSON that is more than a text: a number, a truth value, a list, an object. */
function dataIn(text: string): unknown {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "string" ? undefined : value;
  } catch {
    return undefined;
  }
}

/** An answer in words, or as data: `3` is a number, unless somebody wants it to be a text. */
export function FreeAnswer({ isText, disabled, onChange }: Props) {
  const { t } = useTranslation("approvals");
  const [text, setText] = useState("");
  const [asText, setAsText] = useState(false);
  const data = isText ? undefined : dataIn(text);
  const take = (next: string, plain: boolean) => {
    setText(next);
    setAsText(plain);
    const value = isText || plain ? undefined : dataIn(next);
    onChange(value === undefined ? next : value);
  };
  const hint = isText ? t("answer.hint_text") : text ? t("open.gets", { value: asText || data === undefined ? JSON.stringify(text) : JSON.stringify(data) }) : t("answer.hint");
  return (
    <div>
      <Field label={t("answer.label")} hint={hint} className="mb-0">
        {(control) => (
          <TextArea
            {...control}
            rows={2}
            className="[field-sizing:content]"
            disabled={disabled}
            value={text}
            onChange={(event) => take(event.target.value, asText)}
          />
        )}
      </Field>
      {data !== undefined && (
        <label className="mt-1 flex items-center gap-2 text-[0.8rem]">
          <input type="checkbox" className="accent-accent" checked={asText} disabled={disabled} onChange={(event) => take(text, event.target.checked)} />
          {t("answer.as_text")}
        </label>
      )}
    </div>
  );
}
