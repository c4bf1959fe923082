import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { TextArea } from "@/ui/field";
import { useForm, type PartProps } from "./context";
import { OneField, useHint } from "./parts";
import { Unreadable } from "./schema";

const shownAs = (value: unknown) => {
  if (value instanceof Unreadable) return value.text;
  return value === undefined ? "" : JSON.stringify(value, null, 2);
};

/** What somebody has written as JSON: nothing, a value, or what is no JSON yet. */
export function readJson(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return new Unreadable(text, "json");
  }
}

/** The text of a value that is edited as JSON: what was typed stays as it is until the value becomes another one. */
export function useJsonText(value: unknown, onChange: (value: unknown) => void): [string, (text: string) => void] {
  const [text, setText] = useState(() => shownAs(value));
  const own = useRef(value);
  useEffect(() => {
    if (own.current === value) return;
    own.current = value;
    setText(shownAs(value));
  }, [value]);
  return [
    text,
    (next) => {
      setText(next);
      own.current = readJson(next);
      onChange(own.current);
    },
  ];
}

/** A part of which the schema says too little for a control of its own. */
export function JsonPart(part: PartProps) {
  const { t } = useTranslation("submit");
  const { disabled } = useForm();
  const known = useHint(part.schema);
  const [text, change] = useJsonText(part.value, part.onChange);
  const given = part.schema.default ?? part.schema.examples?.[0];
  return (
    <OneField part={part} hint={[known, t("form.hint.json")].filter(Boolean).join(" ")} below>
      {(control) => (
        <TextArea
          {...control}
          rows={3}
          className="max-h-96 font-mono text-[0.8rem] [field-sizing:content]"
          spellCheck={false}
          disabled={disabled}
          placeholder={given == null ? "{ }" : JSON.stringify(given, null, 2)}
          value={text}
          onChange={(event) => change(event.target.value)}
        />
      )}
    </OneField>
  );
}
