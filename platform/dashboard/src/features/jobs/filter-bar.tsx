import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import type { RefObject } from "react";
import { useTranslation } from "react-i18next";
import { api, got } from "@/api/client";
import { usePreferences } from "@/lib/preferences";
import { fromWallTime, toWallTime } from "@/lib/wall-time";
import { Button } from "@/ui/button";
import { filterClass, Input, Select } from "@/ui/field";
import { isFiltered, moment, SORTS, SPANS, type Search, type Sort } from "./filters";

interface Props {
  search: Search;
  onChange(change: Partial<Search>): void;
  onClear(): void;
  first: RefObject<HTMLSelectElement | null>;
}

const CUSTOM = "custom";
const DAY = 86_400_000;

/** The filters but for the state, and the order. */
export function FilterBar({ search, onChange, onClear, first }: Props) {
  const { t } = useTranslation("jobs");
  const { data } = useQuery({
    queryKey: ["workflow-names"],
    queryFn: () => got(api.GET("/api/v1/workflows", { params: { query: { fields: ["name"] } } })),
    staleTime: 60_000,
  });
  const names = new Set((data ?? []).map((workflow) => workflow.name));
  if (search.workflow) names.add(search.workflow);
  const spans: readonly string[] = SPANS;
  const custom = search.before !== undefined || (search.after !== undefined && !spans.includes(search.after));
  const chooseTime = (value: string) => {
    if (value === CUSTOM) onChange({ after: moment(search.after ?? "", Date.now()) ?? new Date(Date.now() - DAY).toISOString(), before: undefined });
    else onChange({ after: value || undefined, before: undefined });
  };
  return (
    <div role="search" aria-label={t("filters")} className="flex flex-wrap items-center gap-2">
      <Select
        ref={first}
        aria-label={t("workflow")}
        className={`${filterClass} max-w-56`}
        value={search.workflow ?? ""}
        onChange={(event) => onChange({ workflow: event.target.value || undefined })}
      >
        <option value="">{t("all_workflows")}</option>
        {[...names].sort().map((name) => (
          <option key={name}>{name}</option>
        ))}
      </Select>
      <Select aria-label={t("time")} className={filterClass} value={custom ? CUSTOM : (search.after ?? "")} onChange={(event) => chooseTime(event.target.value)}>
        <option value="">{t("any_time")}</option>
        {SPANS.map((span) => (
          <option key={span} value={span}>
            {t(`span.${span}`)}
          </option>
        ))}
        <option value={CUSTOM}>{t("custom_time")}</option>
      </Select>
      {custom && <CustomTime search={search} onChange={onChange} />}
      <Select
        aria-label={t("order")}
        className={filterClass}
        value={search.sort ?? SORTS[0]}
        onChange={(event) => onChange({ sort: event.target.value === SORTS[0] ? undefined : (event.target.value as Sort) })}
      >
        {SORTS.map((sort) => (
          <option key={sort} value={sort}>
            {t(`sort.${sort}`)}
          </option>
        ))}
      </Select>
      {(["thread", "parent", "schedule", "created_by"] as const).map((name) => {
        const value = search[name];
        return value && <Removable key={name} word={t(`filter.${name}`)} value={value} remove={() => onChange({ [name]: undefined })} />;
      })}
      {isFiltered(search) && (
        <Button small tone="quiet" onClick={onClear}>
          {t("clear_filters")}
        </Button>
      )}
    </div>
  );
}

function CustomTime({ search, onChange }: Pick<Props, "search" | "onChange">) {
  const { t } = useTranslation("jobs");
  const { zone } = usePreferences();
  return (["after", "before"] as const).map((end) => (
    <label key={end} className="flex items-center gap-1.5 text-sm text-soft">
      {t(`filter.${end}`)}
      <Input
        type="datetime-local"
        className={filterClass}
        value={search[end] ? toWallTime(moment(search[end], Date.now()) ?? "", zone) : ""}
        onChange={(event) => onChange({ [end]: fromWallTime(event.target.value, zone) ?? undefined })}
      />
    </label>
  ));
}

const UUID = /^[0-9a-f-]{36}$/i;

function Removable({ word, value, remove }: { word: string; value: string; remove(): void }) {
  const { t } = useTranslation("jobs");
  const short = UUID.test(value) ? value.slice(-8) : value;
  return (
    <button
      type="button"
      onClick={remove}
      title={value}
      className="inline-flex h-8 max-w-64 items-center gap-1.5 rounded-md border border-line bg-accent-soft px-2.5 text-[0.85rem] text-accent-text hover:border-line-strong"
    >
      <span className="sr-only">{t("remove_filter")}</span>
      <span className="truncate">
        {word} <span className="font-mono text-[0.8rem]">{short}</span>
      </span>
      <X aria-hidden size={14} className="shrink-0" />
    </button>
  );
}
