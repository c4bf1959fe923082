import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Json } from "@/ui/json";
import { Rows, type Column } from "@/ui/rows";
import { Described } from "@/ui/described";
import { fieldsOf, type Kind, type Schema, type SchemaField } from "./schema-fields";

/** A JSON Schema to be read: its fields as a table, and beside it the schema itself. */
export function SchemaView({ schema, label }: { schema: Schema; label: string }) {
  const { t } = useTranslation("workflows");
  const fields = useMemo(() => fieldsOf(schema), [schema]);
  const columns: Column<SchemaField>[] = [
    { id: "name", head: t("schema.name"), title: true, cell: (each) => <Name field={each} /> },
    { id: "type", head: t("schema.type"), className: "sm:min-w-28", cell: (each) => <KindWords kind={each.kind} /> },
    { id: "required", head: t("schema.required"), cell: (each) => (each.required ? t("schema.yes") : <span className="text-soft">–</span>) },
    {
      id: "preset",
      head: t("schema.default"),
      className: "sm:max-w-48",
      cell: (each) => (each.preset === null ? <span className="text-soft">–</span> : <code className="font-mono text-[0.8rem] break-words">{each.preset}</code>),
    },
    {
      id: "what",
      head: t("schema.what"),
      className: "sm:w-full sm:min-w-56",
      cell: (each) => (
        <>
          <Described text={each.description} />
          {each.bounds.length > 0 && <span className="block font-mono text-[0.75rem] break-words text-soft">{each.bounds.map(({ is, value }) => t(`schema.bound.${is}`, { value, count: Number(value) || 0 })).join(" · ")}</span>}
        </>
      ),
    },
  ];
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
      {fields.length > 0 ? (
        <Rows label={label} columns={columns} rows={fields} rowKey={(each) => each.path} />
      ) : (
        <p className="text-sm text-soft">{t("schema.anything")}</p>
      )}
      <Json value={schema} label={t("schema.json")} />
    </div>
  );
}

function Name({ field }: { field: SchemaField }) {
  const cut = field.path.lastIndexOf(".") + 1;
  return (
    <code className="font-mono text-[0.8rem] break-words" style={{ paddingLeft: `${field.depth * 1.25}em` }}>
      {cut > 0 && <span className="sr-only">{field.path.slice(0, cut)}</span>}
      <span className="font-semibold">{field.path.slice(cut)}</span>
    </code>
  );
}

function KindWords({ kind }: { kind: Kind }) {
  const { t } = useTranslation("workflows");
  const say = (each: Kind): string => {
    if (each.is === "list") return t("schema.list", { of: say(each.of) });
    if (each.is === "one_of") return each.values.join(" | ");
    if (each.is === "any_of") return each.kinds.map(say).reduce((one, other) => t("schema.or", { one, other }));
    return t(`schema.kind.${each.name}`, { defaultValue: each.name });
  };
  return <span className="text-[0.85rem] break-words">{say(kind)}</span>;
}
