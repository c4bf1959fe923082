import { useTranslation } from "react-i18next";
import { Checked, Constant, Moments, NumberInput, TextInput } from "./scalars";
import { Choice, Choices } from "./choices";
import { CollectionName, CollectionNames } from "./collections";
import { useForm, type PartProps } from "./context";
import { JsonPart } from "./json-part";
import { kindOf, type Kind } from "./kinds";
import { ListPart } from "./list";
import { MapPart } from "./map";
import { ObjectPart } from "./object";
import { nameOf, plain, type Schema } from "./schema";
import { Texts } from "./texts";
import { UploadPart } from "./upload";
import { Variants } from "./variants";

const CONTROLS: Record<Kind, (props: PartProps) => React.ReactNode> = {
  boolean: Checked,
  choice: Choice,
  choices: Choices,
  collection: CollectionName,
  collections: CollectionNames,
  constant: Constant,
  date: Moments,
  datetime: Moments,
  integer: NumberInput,
  json: JsonPart,
  list: ListPart,
  long: TextInput,
  map: MapPart,
  number: NumberInput,
  object: ObjectPart,
  text: TextInput,
  texts: Texts,
  upload: UploadPart,
  variants: Variants,
};
const HOLDS_PARTS: readonly Kind[] = ["list", "map", "object", "variants"];

interface Props {
  schema: Schema;
  name: string;
  path: string;
  value: unknown;
  onChange(value: unknown): void;
  required: boolean;
  /** Instead of what the schema and the name say. */
  label?: string;
}

/** One part of a value, with the control that its schema asks for. */
export function Part({ schema, name, path, value, onChange, required, label }: Props) {
  const { t } = useTranslation("submit");
  const form = useForm();
  const { schema: inner, nullable } = plain(schema, form.root);
  const kind = kindOf(inner, name, form.root);
  const Control = CONTROLS[kind];
  const change = (next: unknown) => {
    if (!HOLDS_PARTS.includes(kind)) form.edit(path);
    onChange(next);
  };
  return (
    <div className="mb-4 last:mb-0" data-field={path} onBlur={() => form.touch(path)}>
      <Control
        schema={inner}
        name={name}
        label={label ?? (nameOf(inner, name) || t("form.value"))}
        path={path}
        value={value}
        onChange={change}
        required={required && !nullable}
        nullable={nullable}
      />
    </div>
  );
}
