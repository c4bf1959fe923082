import { useState } from "react";
import { useTranslation } from "react-i18next";
import { usePreferences } from "@/lib/preferences";
import { fromWallTime, toWallTime } from "@/lib/wall-time";
import { Input, TextArea } from "@/ui/field";
import { described } from "@/ui/described";
import { useForm, type PartProps } from "./context";
import { kindOf } from "./kinds";
import { OneField, useHint } from "./parts";
import { Unreadable } from "./schema";

const placeholder = (part: PartProps) => {
  const { default: given, examples } = part.schema;
  const shown = given ?? examples?.[0];
  return typeof shown === "string" || typeof shown === "number" ? String(shown) : undefined;
};

export function TextInput(part: PartProps) {
  const { root, disabled } = useForm();
  const value = typeof part.value === "string" ? part.value : "";
  const change = (text: string) => part.onChange(text === "" ? undefined : text);
  const long = kindOf(part.schema, part.name, root) === "long" || value.includes("\n");
  return (
    <OneField part={part}>
      {(control) =>
        long ? (
          <TextArea
            {...control}
            rows={(part.schema.maxLength ?? Infinity) <= 500 ? 2 : 4}
            className="max-h-96 [field-sizing:content]"
            disabled={disabled}
            placeholder={placeholder(part)}
            value={value}
            onChange={(event) => change(event.target.value)}
          />
        ) : (
          <Input
            {...control}
            disabled={disabled}
            placeholder={placeholder(part)}
            value={value}
            onChange={(event) => change(event.target.value)}
            spellCheck={part.schema.pattern || part.schema.format ? false : undefined}
          />
        )
      }
    </OneField>
  );
}

const numberIn = (text: string) => (text.trim() === "" ? NaN : Number(text.trim().replace(",", ".")));

export function NumberInput(part: PartProps) {
  const { disabled } = useForm();
  const [typed, setTyped] = useState("");
  const { value } = part;
  const known = value instanceof Unreadable ? value.text : typeof value === "number" ? String(value) : "";
  // `1.` and `1.0` are 1, but whoever types `1.05` gets there through them.
  const shown = typeof value === "number" && numberIn(typed) === value ? typed : known;
  const change = (text: string) => {
    setTyped(text);
    const number = numberIn(text);
    part.onChange(text.trim() === "" ? undefined : Number.isFinite(number) ? number : new Unreadable(text, "number"));
  };
  return (
    <OneField part={part}>
      {(control) => (
        <Input
          {...control}
          className="max-w-60"
          inputMode={part.schema.type === "integer" ? "numeric" : "decimal"}
          disabled={disabled}
          placeholder={placeholder(part)}
          value={shown}
          onChange={(event) => change(event.target.value)}
        />
      )}
    </OneField>
  );
}

export function Checked(part: PartProps) {
  const { disabled, errors } = useForm();
  const hint = useHint({ ...part.schema, default: undefined });
  const error = errors.at(part.path);
  const value = part.value ?? part.schema.default;
  return (
    <div>
      <label className="flex items-start gap-2.5 text-sm">
        <input
          type="checkbox"
          className="mt-1 size-4 accent-(--accent)"
          disabled={disabled}
          checked={value === true}
          onChange={(event) => part.onChange(event.target.checked)}
        />
        <span>
          <span className="font-medium">{part.label}</span>
          {part.name !== part.label && <code className="ml-2 text-[0.75rem] text-soft">{part.name}</code>}
          {hint && <span className="block text-[0.8rem] text-soft">{described(hint)}</span>}
        </span>
      </label>
      {error && <p className="mt-1 text-[0.8rem] font-medium text-bad">{error}</p>}
    </div>
  );
}

export function Moments(part: PartProps) {
  const { t } = useTranslation("submit");
  const { disabled } = useForm();
  const { zone } = usePreferences();
  const known = useHint(part.schema);
  const value = typeof part.value === "string" ? part.value : "";
  const day = part.schema.format === "date";
  const change = (text: string) => {
    if (text === "") part.onChange(undefined);
    else part.onChange(day ? text : (fromWallTime(text, zone) ?? undefined));
  };
  const where = day || zone === "local" ? null : t("form.hint.zone", { zone });
  return (
    <OneField part={part} hint={[known, where].filter(Boolean).join(" ") || undefined}>
      {(control) => (
        <Input
          {...control}
          className="max-w-60"
          type={day ? "date" : "datetime-local"}
          disabled={disabled}
          value={day ? value : toWallTime(value, zone)}
          onChange={(event) => change(event.target.value)}
        />
      )}
    </OneField>
  );
}

/** What can be nothing else: shown, and sent by itself where it must be. */
export function Constant(part: PartProps) {
  const { t } = useTranslation("submit");
  const { disabled } = useForm();
  const text = typeof part.schema.const === "string" ? part.schema.const : JSON.stringify(part.schema.const);
  if (part.required || part.schema.default !== undefined) {
    return (
      <OneField part={part}>
        {({ id }) => (
          <output id={id} className="block font-mono text-sm">
            {text}
          </output>
        )}
      </OneField>
    );
  }
  return (
    <label className="flex items-center gap-2.5 text-sm">
      <input
        type="checkbox"
        className="size-4 accent-(--accent)"
        disabled={disabled}
        checked={part.value !== undefined}
        onChange={(event) => part.onChange(event.target.checked ? part.schema.const : undefined)}
      />
      {t("form.constant", { label: part.label, value: text })}
    </label>
  );
}
