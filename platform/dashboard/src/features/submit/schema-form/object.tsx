import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { described } from "@/ui/described";
import { under } from "./check";
import { useForm, type PartProps } from "./context";
import { MapPart } from "./map";
import { Part } from "./part";
import { useHint } from "./parts";
import { furtherOf, isObject, plain, type Schema, type Values } from "./schema";

interface FieldsProps {
  schema: Schema;
  path: string;
  value: Values;
  onChange(value: unknown): void;
}

/** The fields of an object: those that must be filled in first, then the others, each in the schema's order. */
export function Fields({ schema, path, value, onChange }: FieldsProps) {
  const { t } = useTranslation("submit");
  const { root } = useForm();
  const required = new Set(schema.required);
  const names = Object.keys(schema.properties ?? {});
  // A required part with a default has to be sent, but not to be thought about.
  const first = names.filter((name) => required.has(name) && plain(schema.properties?.[name] ?? {}, root).schema.default === undefined);
  const ordered = [...first, ...names.filter((name) => !first.includes(name))];
  const set = (name: string, next: unknown) => {
    const { [name]: _, ...rest } = value;
    onChange(next === undefined ? rest : { ...value, [name]: next });
  };
  const further = furtherOf(schema);
  const known = schema.properties ?? {};
  const beside = Object.fromEntries(Object.entries(value).filter(([name]) => !(name in known)));
  return (
    <>
      {ordered.map((name) => (
        <Part
          key={name}
          schema={known[name] ?? {}}
          name={name}
          path={under(path, name)}
          value={value[name]}
          onChange={(next) => set(name, next)}
          required={required.has(name)}
        />
      ))}
      {further && (
        <MapPart
          schema={{ additionalProperties: further }}
          name=""
          label={t("form.further")}
          path={path}
          value={beside}
          onChange={(next) => {
            const own = Object.fromEntries(Object.entries(value).filter(([name]) => name in known));
            onChange({ ...own, ...(isObject(next) ? next : {}) });
          }}
          required={false}
          nullable={false}
        />
      )}
    </>
  );
}

/** An object within the value: open when it must be filled in, or is; else it opens when somebody wants it. */
export function ObjectPart(part: PartProps) {
  const { t } = useTranslation("submit");
  const { errors } = useForm();
  const hint = useHint(part.schema);
  const value = isObject(part.value) ? part.value : {};
  const filled = Object.keys(value).length > 0;
  const [opened, setOpened] = useState(part.required || filled);
  const wrong = errors.has(part.path);
  const open = opened || wrong;
  return (
    <details
      open={open}
      onToggle={(event) => setOpened(event.currentTarget.open)}
      className="group rounded-lg border border-line [&>summary]:list-none"
    >
      <summary className="flex items-start gap-2 rounded-lg px-3 py-2 hover:bg-hover">
        <ChevronRight aria-hidden size={16} className="mt-0.5 shrink-0 text-soft transition-transform group-open:rotate-90" />
        <span className="min-w-0">
          <span className="text-sm font-medium">{part.label}</span>
          {part.required && <span aria-hidden className="text-bad"> *</span>}
          {part.name && part.name !== part.label && <code className="ml-2 text-[0.75rem] text-soft">{part.name}</code>}
          {!open && filled && <span className="ml-2 text-[0.8rem] text-soft">{t("form.filled", { count: Object.keys(value).length })}</span>}
          {hint && <span className="block text-[0.8rem] text-soft">{described(hint)}</span>}
        </span>
      </summary>
      {open && (
        <div className="border-t border-line p-3">
          <Fields schema={part.schema} path={part.path} value={value} onChange={part.onChange} />
          {errors.at(part.path) && <p className="mt-2 text-[0.8rem] font-medium text-bad">{errors.at(part.path)}</p>}
        </div>
      )}
    </details>
  );
}
