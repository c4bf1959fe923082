import { memo, useMemo, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { JobEvent } from "@/api/client";
import { Input, Select } from "@/ui/field";
import { Choices, type Filter } from "./filter";

interface Props {
  events: readonly JobEvent[];
  filter: Filter;
  onChange(filter: Filter): void;
}

/** Which events are shown: by type, step and text. */
export function Filters({ events, filter, onChange }: Props) {
  const choices = useMemo(() => new Choices(), [events]);
  const { types, steps } = choices.grow(events);
  return <Controls types={types} steps={steps} filter={filter} onChange={onChange} />;
}

interface ControlsProps {
  types: readonly string[];
  steps: readonly string[];
  filter: Filter;
  onChange(filter: Filter): void;
}

/** Drawn again when there is something new to choose, not for each event. */
const Controls = memo(function Controls({ types, steps, filter, onChange }: ControlsProps) {
  const { t } = useTranslation("job");
  const kinds = [...new Set(types.map((type) => type.split(".", 1)[0]!))].filter((kind) => types.filter((type) => type.startsWith(`${kind}.`)).length > 1);
  return (
    <form role="search" aria-label={t("events.filters")} className="flex flex-wrap items-end gap-2" onSubmit={(event) => event.preventDefault()}>
      <Labelled label={t("events.type")}>
        <Select value={filter.type} onChange={(event) => onChange({ ...filter, type: event.target.value })}>
          <option value="">{t("events.all_types")}</option>
          {kinds.map((kind) => (
            <option key={kind} value={`${kind}.`}>
              {`${kind}.*`}
            </option>
          ))}
          {types.map((type) => (
            <option key={type}>{type}</option>
          ))}
        </Select>
      </Labelled>
      <Labelled label={t("events.step")}>
        <Select className="max-w-52" value={filter.step} onChange={(event) => onChange({ ...filter, step: event.target.value })}>
          <option value="">{t("events.all_steps")}</option>
          {steps.map((step) => (
            <option key={step}>{step}</option>
          ))}
        </Select>
      </Labelled>
      <Labelled label={t("events.text")}>
        <Input type="search" className="w-48" value={filter.text} onChange={(event) => onChange({ ...filter, text: event.target.value })} />
      </Labelled>
      <label className="flex min-h-9 items-center gap-2 text-sm">
        <input
          type="checkbox"
          className="accent-[var(--accent)]"
          checked={filter.tokens}
          onChange={(event) => onChange({ ...filter, tokens: event.target.checked })}
        />
        {t("events.tokens")}
      </label>
    </form>
  );
});

function Labelled({ label, children }: { label: string; children: ReactNode }) {
  return (
    <label className="block text-[0.8rem] text-soft">
      <span className="mb-0.5 block">{label}</span>
      <span className="text-ink">{children}</span>
    </label>
  );
}
