import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, got } from "@/api/client";
import { useSession } from "@/session/session";
import { cx } from "@/lib/cx";
import { filterClass, Input, Select } from "@/ui/field";
import { NOBODY, STATES, type Filters } from "./queries";

const SOMEBODY = "~somebody";

/** What of the inbox is shown. It is kept in the address. */
export function FilterBar({ filters, onChange }: { filters: Filters; onChange(filters: Filters): void }) {
  const { t } = useTranslation("approvals");
  return (
    <form role="search" aria-label={t("filter.label")} className="mb-4 flex flex-wrap gap-2" onSubmit={(event) => event.preventDefault()}>
      <Select
        aria-label={t("filter.state")}
        className={filterClass}
        value={filters.state ?? "pending"}
        onChange={(event) => onChange({ state: event.target.value === "pending" ? undefined : (event.target.value as Filters["state"]) })}
      >
        {STATES.map((state) => (
          <option key={state} value={state}>
            {t(`state.${state}`)}
          </option>
        ))}
        <option value="all">{t("filter.all")}</option>
      </Select>
      <Assignee value={filters.assignee} onChange={(assignee) => onChange({ assignee })} />
      <WorkflowFilter value={filters.workflow} onChange={(workflow) => onChange({ workflow })} />
    </form>
  );
}

function Assignee({ value, onChange }: { value: string | undefined; onChange(value: string | undefined): void }) {
  const { t } = useTranslation("approvals");
  const { subject } = useSession();
  const isOther = value !== undefined && value !== NOBODY && value !== subject;
  const [typing, setTyping] = useState(isOther);
  const choose = (choice: string) => {
    setTyping(choice === SOMEBODY);
    if (choice !== SOMEBODY) onChange(choice === "" ? undefined : choice);
  };
  return (
    <>
      <Select
        aria-label={t("filter.assignee")}
        className={filterClass}
        value={typing || isOther ? SOMEBODY : (value ?? "")}
        onChange={(event) => choose(event.target.value)}
      >
        <option value="">{t("filter.anyone")}</option>
        <option value={subject}>{t("filter.mine")}</option>
        <option value={NOBODY}>{t("filter.nobody")}</option>
        <option value={SOMEBODY}>{t("filter.somebody")}</option>
      </Select>
      {(typing || isOther) && (
        <Input
          key={value}
          aria-label={t("filter.who")}
          placeholder={t("filter.who")}
          className={cx(filterClass, "w-44!")}
          defaultValue={isOther ? value : ""}
          onBlur={(event) => onChange(event.target.value.trim() || undefined)}
          onKeyDown={(event) => event.key === "Enter" && onChange(event.currentTarget.value.trim() || undefined)}
        />
      )}
    </>
  );
}

function WorkflowFilter({ value, onChange }: { value: string | undefined; onChange(value: string | undefined): void }) {
  const { t } = useTranslation("approvals");
  const { data } = useQuery({
    queryKey: ["workflows"],
    queryFn: () => got(api.GET("/api/v1/workflows")),
    select: (workflows) => [...new Set(workflows.map((each) => each.name))].sort(),
  });
  const names = [...new Set([...(data ?? []), ...(value ? [value] : [])])];
  return (
    <Select aria-label={t("filter.workflow")} className={filterClass} value={value ?? ""} onChange={(event) => onChange(event.target.value || undefined)}>
      <option value="">{t("filter.every_workflow")}</option>
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </Select>
  );
}
