import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, got, type FieldError } from "@/api/client";
import { Field, Select } from "@/ui/field";
import { isObject, SchemaForm, type Schema } from "./schema-form";

interface Props {
  schema: Schema;
  value: unknown;
  onChange(value: unknown): void;
  errors: readonly FieldError[];
  showAll: boolean;
  /** Something in it wants to be seen. */
  open: boolean;
  workflow: string;
  version: string | undefined;
}

/** What may be said of a job beside its input; closed until somebody wants it. */
export function Advanced({ schema, value, onChange, errors, showAll, open, workflow, version }: Props) {
  const { t } = useTranslation("submit");
  const [opened, setOpened] = useState(false);
  const [seen, setSeen] = useState(open);
  if (open && !seen) {
    setSeen(true);
    setOpened(true);
  }
  const set = isObject(value) ? Object.keys(value).length : 0;
  return (
    <details open={opened} onToggle={(event) => setOpened(event.currentTarget.open)} className="group mt-4 rounded-lg border border-line bg-surface [&>summary]:list-none">
      <summary className="flex items-center gap-2 rounded-lg px-4 py-3 hover:bg-hover">
        <ChevronRight aria-hidden size={16} className="text-soft transition-transform group-open:rotate-90" />
        <h2 className="text-sm">{t("advanced")}</h2>
        <span className="text-[0.8rem] text-soft">{set > 0 ? t("form.filled", { count: set }) : t("advanced_hint")}</span>
      </summary>
      {opened && (
        <div className="border-t border-line p-4">
          <Version workflow={workflow} version={version} />
          <SchemaForm schema={schema} value={value} onChange={onChange} errors={errors} showAll={showAll} />
        </div>
      )}
    </details>
  );
}

function Version({ workflow, version }: { workflow: string; version: string | undefined }) {
  const { t } = useTranslation("submit");
  const navigate = useNavigate();
  const { data = [] } = useQuery({
    queryKey: ["workflow-versions", workflow],
    queryFn: () => got(api.GET("/api/v1/workflows/{name}/versions", { params: { path: { name: workflow } } })),
  });
  if (data.length < 2 && !version) return null;
  const choose = (next: string) =>
    void navigate({
      to: "/submit/$workflow",
      params: { workflow },
      search: (before) => ({ from: before.from, version: next || undefined }),
      replace: true,
    });
  return (
    <Field label={t("options.version.title")} hint={t("options.version.hint")}>
      {(control) => (
        <Select {...control} className="max-w-md" value={version ?? ""} onChange={(event) => choose(event.target.value)}>
          <option value="">{t("newest")}</option>
          {data.map((each) => (
            <option key={each.version} value={each.version}>
              {t("version", { version: each.version, count: each.workers })}
            </option>
          ))}
        </Select>
      )}
    </Field>
  );
}
