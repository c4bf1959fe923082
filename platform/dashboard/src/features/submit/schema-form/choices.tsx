import { useId, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { Input, Select } from "@/ui/field";
import { useForm, type PartProps } from "./context";
import { Group, OneField } from "./parts";
import { itemsOf, options, plain, type Option } from "./schema";

const FEW = 4;
const SHORT = 24;
const MANY = 12;

const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** One of a few values: side by side when they are few and short, else a list to choose from. */
export function Choice(part: PartProps) {
  const all = options(part.schema) ?? [];
  const short = all.length <= FEW && all.every((option) => option.label.length <= SHORT);
  return short ? <Radios part={part} all={all} /> : <Listed part={part} all={all} />;
}

function Radios({ part, all }: { part: PartProps; all: Option[] }) {
  const { t } = useTranslation("submit");
  const { disabled } = useForm();
  const name = useId();
  const chosen = part.value === undefined ? part.schema.default : part.value;
  const optional = !part.required && part.schema.default == null;
  return (
    <Group part={{ ...part, schema: { ...part.schema, default: undefined } }}>
      <div className="inline-flex flex-wrap overflow-hidden rounded-md border border-line-strong/60">
        {[...(optional ? [{ value: undefined, label: t("form.none") }] : []), ...all].map((option, index) => {
          const on = option.value === undefined ? chosen == null : same(option.value, chosen);
          return (
            <label
              key={index}
              className={cx(
                "cursor-pointer border-r border-line px-3 py-1.5 text-sm last:border-r-0 has-focus-visible:outline-2 has-focus-visible:-outline-offset-2",
                on ? "bg-accent-soft font-medium text-accent-text" : "bg-surface hover:bg-hover",
                disabled && "pointer-events-none opacity-60",
              )}
            >
              <input
                type="radio"
                className="sr-only"
                name={name}
                disabled={disabled}
                checked={on}
                onChange={() => part.onChange(option.value)}
              />
              {option.label}
            </label>
          );
        })}
      </div>
    </Group>
  );
}

function Listed({ part, all }: { part: PartProps; all: Option[] }) {
  const { t } = useTranslation("submit");
  const { disabled } = useForm();
  const chosen = all.findIndex((option) => same(option.value, part.value));
  const given = all.find((option) => same(option.value, part.schema.default));
  return (
    <OneField part={part}>
      {(control) => (
        <Select
          {...control}
          className="max-w-md"
          disabled={disabled}
          value={chosen < 0 ? "" : chosen}
          onChange={(event) => part.onChange(event.target.value === "" ? undefined : all[Number(event.target.value)]?.value)}
        >
          <option value="">{given ? t("form.by_default", { value: given.label }) : part.required ? t("form.choose") : t("form.none")}</option>
          {all.map((option, index) => (
            <option key={index} value={index}>
              {option.label}
            </option>
          ))}
        </Select>
      )}
    </OneField>
  );
}

/** Several of given values. */
export function Choices(part: PartProps) {
  const { t } = useTranslation("submit");
  const { root, disabled } = useForm();
  const [wanted, setWanted] = useState("");
  const all = useMemo(() => options(plain(itemsOf(part.schema), root).schema) ?? [], [part.schema, root]);
  const chosen = Array.isArray(part.value) ? part.value : Array.isArray(part.schema.default) ? part.schema.default : [];
  const toggle = (value: unknown) => {
    const next = chosen.some((each) => same(each, value)) ? chosen.filter((each) => !same(each, value)) : [...chosen, value];
    part.onChange(next.length > 0 || part.schema.default !== undefined ? next : undefined);
  };
  const shown = all.filter((option) => option.label.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <Group part={part} below>
      <div className="rounded-md border border-line-strong/60 bg-surface p-2">
        {all.length > MANY && (
          <div className="mb-2 flex items-center gap-3">
            <Input
              type="search"
              className="max-w-60"
              aria-label={t("form.filter", { label: part.label })}
              placeholder={t("form.filter_words")}
              value={wanted}
              onChange={(event) => setWanted(event.target.value)}
            />
            <span className="text-[0.8rem] text-soft">{t("form.chosen", { count: chosen.length })}</span>
          </div>
        )}
        <div className="grid max-h-48 grid-cols-[repeat(auto-fill,minmax(9.5rem,1fr))] gap-x-3 gap-y-1 overflow-y-auto" tabIndex={all.length > MANY ? 0 : undefined}>
          {shown.map((option) => (
            <label key={option.label} className="flex min-w-0 items-center gap-2 text-sm">
              <input
                type="checkbox"
                className="size-4 shrink-0 accent-(--accent)"
                disabled={disabled}
                checked={chosen.some((each) => same(each, option.value))}
                onChange={() => toggle(option.value)}
              />
              <span className="truncate">{option.label}</span>
            </label>
          ))}
        </div>
      </div>
    </Group>
  );
}
