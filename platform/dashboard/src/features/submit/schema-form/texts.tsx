import { X } from "lucide-react";
import { useState, type ClipboardEvent, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { useForm, type PartProps } from "./context";
import { OneField } from "./parts";

export const textsIn = (part: PartProps): string[] => {
  const value = part.value ?? part.schema.default;
  return Array.isArray(value) ? value.map(String) : [];
};

/** A list of short texts, as words in a box: Enter adds one, Backspace takes the last away, pasted lines are one each. */
export function Texts(part: PartProps) {
  const all = textsIn(part);
  return (
    <OneField part={part} below>
      {(control) => <TextBox control={control} part={part} all={all} />}
    </OneField>
  );
}

interface BoxProps {
  control: { id: string; "aria-describedby": string | undefined; "aria-invalid": boolean | undefined };
  part: PartProps;
  all: string[];
  list?: string;
}

export function TextBox({ control, part, all, list }: BoxProps) {
  const { t } = useTranslation("submit");
  const { disabled } = useForm();
  const [typed, setTyped] = useState("");
  const set = (next: string[]) => part.onChange(next.length > 0 || part.schema.default !== undefined ? next : undefined);
  const add = (texts: string[]) => {
    const fresh = texts.map((text) => text.trim()).filter((text) => text !== "" && !all.includes(text));
    setTyped("");
    if (fresh.length > 0) set([...all, ...fresh]);
  };
  const pressed = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      add([typed]);
    } else if (event.key === "Backspace" && typed === "" && all.length > 0) set(all.slice(0, -1));
  };
  const pasted = (event: ClipboardEvent) => {
    const lines = event.clipboardData.getData("text").split(/\r?\n/);
    if (lines.length < 2) return;
    event.preventDefault();
    add(lines);
  };
  return (
    <div className="flex flex-wrap items-center gap-1.5 rounded-md border border-line-strong/60 bg-surface p-1.5 focus-within:outline-2 focus-within:outline-offset-1 focus-within:outline-(--focus) hover:border-line-strong">
      {all.map((text) => (
        <span key={text} className="inline-flex max-w-full items-center gap-1 rounded bg-hover pl-2 text-sm">
          <span className="truncate">{text}</span>
          <button
            type="button"
            disabled={disabled}
            aria-label={t("form.remove_one", { what: text })}
            className="rounded p-1 text-soft hover:text-ink"
            onClick={() => set(all.filter((each) => each !== text))}
          >
            <X aria-hidden size={13} />
          </button>
        </span>
      ))}
      <input
        {...control}
        list={list}
        className="min-h-6 min-w-40 flex-1 bg-transparent px-1 text-sm outline-none"
        disabled={disabled}
        placeholder={t("form.add_text")}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={pressed}
        onPaste={pasted}
        onBlur={() => add([typed])}
      />
    </div>
  );
}
