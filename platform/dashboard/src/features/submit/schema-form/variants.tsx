import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { Select } from "@/ui/field";
import { useForm, type PartProps } from "./context";
import { Part } from "./part";
import { Group } from "./parts";
import { plain, typeOf, type Schema } from "./schema";
import { initial, isOfType, variantIndex } from "./values";

function nameOfVariant(schema: Schema, root: Schema, index: number): string {
  const { schema: inner } = plain(schema, root);
  if (inner.title) return inner.title;
  const constant = Object.values(inner.properties ?? {}).map((each) => plain(each, root).schema.const).find((each) => typeof each === "string");
  return (constant as string | undefined) ?? inner.format ?? typeOf(inner) ?? String(index + 1);
}

/** A value of one of several kinds: which, then the value. */
export function Variants(part: PartProps) {
  const { t } = useTranslation("submit");
  const { root, disabled } = useForm();
  const id = useId();
  const all = part.schema.anyOf ?? [];
  const [chosen, setChosen] = useState<number | null>(null);
  const fits = (index: number) => part.value === undefined || isOfType(part.value, plain(all[index] ?? {}, root).schema);
  // What somebody has chosen counts as long as the value can be that.
  const index = chosen !== null && fits(chosen) ? chosen : part.value === undefined ? -1 : variantIndex(part.value, part.schema, root);
  const shown = index < 0 ? (part.required ? 0 : -1) : index;
  const variant = all[shown];
  const choose = (next: number) => {
    setChosen(next < 0 ? null : next);
    const given = all[next];
    part.onChange(given ? initial(given, root) : undefined);
  };
  return (
    <Group part={part} boxed>
      <label htmlFor={id} className="sr-only">
        {t("form.kind_of", { label: part.label })}
      </label>
      <Select id={id} className="mb-3 max-w-60 last:mb-0" disabled={disabled} value={shown} onChange={(event) => choose(Number(event.target.value))}>
        {!part.required && <option value={-1}>{t("form.none")}</option>}
        {all.map((each, at) => (
          <option key={at} value={at}>
            {nameOfVariant(each, root, at)}
          </option>
        ))}
      </Select>
      {variant && (
        <Part
          key={shown}
          schema={variant}
          name={part.name}
          label={nameOfVariant(variant, root, shown)}
          path={part.path}
          value={part.value}
          onChange={part.onChange}
          required
        />
      )}
    </Group>
  );
}
