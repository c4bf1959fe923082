import { useId, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Field } from "@/ui/field";
import { described } from "@/ui/described";
import { useForm, type PartProps } from "./context";
import type { Schema } from "./schema";

/** What a field is for, its bounds and its default, in a line. */
export function useHint(schema: Schema): ReactNode {
  const { t } = useTranslation("submit");
  const format = useFormat();
  const bound = (value: number | undefined, word: string) =>
    value === undefined ? null : t(`form.hint.${word}`, { bound: format.number(value), count: value });
  const given = schema.default;
  const byDefault =
    given === undefined || given === null || given === "" || typeof given === "object"
      ? null
      : t("form.hint.default", { value: typeof given === "boolean" ? t(`form.${given ? "yes" : "no"}`) : String(given) });
  const example = schema.examples?.[0];
  const facts = [
    schema.description,
    bounds(schema, (from, to) => t("form.hint.between", { from: format.number(from), to: format.number(to) })) ?? [
      bound(schema.minimum, "minimum"),
      bound(schema.maximum, "maximum"),
    ],
    bound(schema.exclusiveMinimum, "above"),
    bound(schema.exclusiveMaximum, "below"),
    schema.maxLength !== undefined && schema.maxLength <= 2_000 ? bound(schema.maxLength, "max_length") : null,
    schema.maxItems !== undefined ? bound(schema.maxItems, "max_items") : null,
    byDefault,
    example === undefined || typeof example === "object" ? null : t("form.hint.example", { value: String(example) }),
  ]
    .flat()
    .filter((fact): fact is string => typeof fact === "string" && fact !== "");
  return facts.length > 0 ? facts.map((fact) => (/[.!?…]$/.test(fact) ? fact : `${fact}.`)).join(" ") : undefined;
}

function bounds(schema: Schema, words: (from: number, to: number) => string): string | null {
  const { minimum, maximum } = schema;
  return minimum !== undefined && maximum !== undefined ? words(minimum, maximum) : null;
}

type Control = { id: string; "aria-describedby": string | undefined; "aria-invalid": boolean | undefined; "aria-required": boolean };

/** A single control with its label, hint and error. */
export function OneField({ part, hint, below, children }: {
  part: PartProps;
  hint?: ReactNode;
  /** Errors within the value are shown here, too. */
  below?: boolean;
  children(control: Control): ReactNode;
}) {
  const { errors } = useForm();
  const known = useHint(part.schema);
  return (
    <Field
      label={<Labelled label={part.label} name={part.name} />}
      hint={hint ?? known}
      error={errors.at(part.path, below)}
      required={part.required}
      className="mb-0"
    >
      {(control) => children({ ...control, "aria-required": part.required })}
    </Field>
  );
}

/** The words of a field and, for who also writes requests by hand, the key. */
function Labelled({ label, name }: { label: string; name: string }) {
  return (
    <>
      {label}
      {name && name !== label && <code className="ml-2 text-[0.75rem] font-normal text-soft">{name}</code>}
    </>
  );
}

/** Several controls that are one field. */
export function Group({ part, hint, below, boxed, children }: {
  part: Pick<PartProps, "schema" | "name" | "label" | "path" | "required">;
  hint?: ReactNode;
  below?: boolean;
  boxed?: boolean;
  children: ReactNode;
}) {
  const { errors } = useForm();
  const id = useId();
  const known = useHint(part.schema);
  const said = hint ?? known;
  const error = errors.at(part.path, below);
  const describedBy = [said && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <fieldset aria-describedby={describedBy || undefined} className="min-w-0">
      <legend className="mb-1 text-sm font-medium">
        <Labelled label={part.label} name={part.name} />
        {part.required && <span aria-hidden className="text-bad"> *</span>}
      </legend>
      {said && boxed && <p id={`${id}-hint`} className="mb-2 text-[0.8rem] text-soft">{described(said)}</p>}
      <div className={boxed ? "rounded-lg border border-line p-3" : undefined}>{children}</div>
      {said && !boxed && <p id={`${id}-hint`} className="mt-1 text-[0.8rem] text-soft">{described(said)}</p>}
      {error && <p id={`${id}-error`} className="mt-1 text-[0.8rem] font-medium text-bad">{error}</p>}
    </fieldset>
  );
}
