import { useQuery } from "@tanstack/react-query";
import { Check, Plus } from "lucide-react";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import { api, got } from "@/api/client";
import { cx } from "@/lib/cx";
import { Input } from "@/ui/field";
import { useForm, type PartProps } from "./context";
import { OneField } from "./parts";
import { TextBox, textsIn } from "./texts";

function useCollections() {
  const { data } = useQuery({ queryKey: ["collections"], queryFn: () => got(api.GET("/api/v1/collections")) });
  return data ?? [];
}

/** The name of a collection: those there are, or another one. */
export function CollectionName(part: PartProps) {
  const { disabled } = useForm();
  const list = useId();
  const known = useCollections();
  const value = typeof part.value === "string" ? part.value : "";
  return (
    <OneField part={part}>
      {(control) => (
        <>
          <Input
            {...control}
            list={list}
            className="max-w-md"
            disabled={disabled}
            value={value}
            placeholder={typeof part.schema.default === "string" ? part.schema.default : known[0]?.name}
            onChange={(event) => part.onChange(event.target.value || undefined)}
          />
          <Known id={list} names={known.map((each) => each.name)} />
        </>
      )}
    </OneField>
  );
}

/** Names of collections: one press each for those there are. */
export function CollectionNames(part: PartProps) {
  const { t } = useTranslation("submit");
  const { disabled } = useForm();
  const list = useId();
  const known = useCollections();
  const all = textsIn(part);
  const toggle = (name: string) => {
    const next = all.includes(name) ? all.filter((each) => each !== name) : [...all, name];
    part.onChange(next.length > 0 || part.schema.default !== undefined ? next : undefined);
  };
  return (
    <OneField part={part} below>
      {(control) => (
        <>
          <TextBox control={control} part={part} all={all} list={list} />
          <Known id={list} names={known.map((each) => each.name).filter((name) => !all.includes(name))} />
          {known.length > 0 && (
            <div role="group" aria-label={t("form.known_collections")} className="mt-2 flex flex-wrap gap-1.5">
              {known.map(({ id, name, documents }) => {
                const on = all.includes(name);
                const Icon = on ? Check : Plus;
                return (
                  <button
                    key={id}
                    type="button"
                    aria-pressed={on}
                    disabled={disabled}
                    onClick={() => toggle(name)}
                    className={cx(
                      "inline-flex items-center gap-1.5 rounded-full border px-2.5 py-0.5 text-[0.8rem]",
                      on ? "border-transparent bg-accent-soft text-accent-text" : "border-line hover:bg-hover",
                    )}
                  >
                    <Icon aria-hidden size={12} />
                    {name}
                    <span className={on ? undefined : "text-soft"}>{t("form.documents", { count: documents })}</span>
                  </button>
                );
              })}
            </div>
          )}
        </>
      )}
    </OneField>
  );
}

function Known({ id, names }: { id: string; names: string[] }) {
  return (
    <datalist id={id}>
      {names.map((name) => (
        <option key={name} value={name} />
      ))}
    </datalist>
  );
}
