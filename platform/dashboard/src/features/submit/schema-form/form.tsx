import { useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { FieldError } from "@/api/client";
import { check } from "./check";
import { FormContext, type Form } from "./context";
import { Errors } from "./errors";
import { Fields } from "./object";
import { Part } from "./part";
import { isObject, plain, type Schema } from "./schema";
import { kindOf } from "./kinds";
import { pruned } from "./values";

interface Props {
  schema: Schema;
  /** What has been filled in; begin with `initial(schema)`, send `pruned(value, schema)`. */
  value: unknown;
  onChange(value: unknown): void;
  /** What the API has said, by place in the value: see `placed`. What is changed afterwards loses its error. */
  errors?: readonly FieldError[];
  /** Show all that is wrong, as after an attempt to send; otherwise of those parts only that somebody has been in. */
  showAll?: boolean;
  disabled?: boolean;
}

const NONE: readonly FieldError[] = [];
const touches = (one: string, other: string) => one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);

/** A form made of a JSON Schema. What no control is made for can be written as JSON. */
export function SchemaForm({ schema, value, onChange, errors = NONE, showAll = false, disabled = false }: Props) {
  const said = useMisses(schema, value);
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const [edited, setEdited] = useState<{ of: readonly FieldError[]; paths: readonly string[] }>({ of: errors, paths: [] });

  const touch = useCallback((path: string) => {
    setTouched((before) => (before.has(path) ? before : new Set(before).add(path)));
  }, []);
  const edit = useCallback(
    (path: string) => {
      setEdited((before) => ({ of: errors, paths: before.of === errors ? [...new Set([...before.paths, path])] : [path] }));
    },
    [errors],
  );
  const shown = useMemo(() => {
    const changed = edited.of === errors ? edited.paths : [];
    return new Errors([
      ...errors.filter((error) => !changed.some((path) => touches(error.path, path))),
      ...said.filter((error) => showAll || touched.has(error.path)),
    ]);
  }, [said, errors, edited, showAll, touched]);
  const form = useMemo<Form>(() => ({ root: schema, errors: shown, disabled, touch, edit }), [schema, shown, disabled, touch, edit]);

  const whole = plain(schema, schema).schema;
  const fields = kindOf(whole, "", schema) === "object";
  return (
    <FormContext value={form}>
      {fields ? (
        <Fields schema={whole} path="" value={isObject(value) ? value : {}} onChange={onChange} />
      ) : (
        <Part schema={schema} name="" path="" value={value} onChange={onChange} required />
      )}
      {fields && shown.at("") && (
        <p role="alert" className="text-[0.8rem] font-medium text-bad">
          {shown.at("")}
        </p>
      )}
    </FormContext>
  );
}

/** What of a form's value does not fit its schema, in words. Empty: it can be sent. */
export function useMisses(schema: Schema, value: unknown): FieldError[] {
  const { t } = useTranslation("submit");
  return useMemo(
    () =>
      check(pruned(value, schema), schema).map(({ path, code, params }) => ({
        path,
        message: t(`form.miss.${code}`, params),
      })),
    [schema, value, t],
  );
}
