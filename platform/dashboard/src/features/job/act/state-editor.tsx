import { PencilLine, Undo2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { Field, TextArea } from "@/ui/field";

/** What is written for each changed value, as JSON. */
export type Drafts = Record<string, string>;

/** The changes that are written down; null when one of them is no JSON. */
export function changesOf(drafts: Drafts): Record<string, unknown> | null {
  const changes: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(drafts)) {
    try {
      changes[name] = JSON.parse(text) as unknown;
    } catch {
      return null;
    }
  }
  return changes;
}

function faultOf(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const SHOWN = 120;
const MOST_ROWS = 18;

interface Props {
  values: Record<string, unknown>;
  names: string[];
  drafts: Drafts;
  /** What the API has refused of a value. */
  problemOf(name: string): string | undefined;
  onChange(drafts: Drafts): void;
}

/** The values of a state; each can be written anew as JSON. Only those that are go into the fork. */
export function StateEditor({ values, names, drafts, problemOf, onChange }: Props) {
  const { t } = useTranslation("job");
  const without = (name: string) => Object.fromEntries(Object.entries(drafts).filter(([each]) => each !== name));
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1 text-sm font-medium">{t("fork.state")}</legend>
      <p className="mb-2 text-[0.8rem] text-soft">{t("fork.state_hint")}</p>
      <ul className="divide-y divide-line rounded-md border border-line">
        {names.map((name) => (
          <li key={name} className="px-3 py-2">
            <Value
              name={name}
              value={values[name]}
              draft={drafts[name]}
              problem={problemOf(name)}
              onEdit={(text) => onChange({ ...drafts, [name]: text })}
              onUndo={() => onChange(without(name))}
            />
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

function Value({ name, value, draft, problem, onEdit, onUndo }: {
  name: string;
  value: unknown;
  draft: string | undefined;
  problem: string | undefined;
  onEdit(text: string): void;
  onUndo(): void;
}) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const text = value === undefined ? "" : JSON.stringify(value, null, 2);
  if (draft === undefined) {
    return (
      <div className="flex items-center gap-3">
        <div className="min-w-0 flex-1">
          <span className="font-mono text-sm">{name}</span>
          <span className="ml-2 text-[0.8rem] text-soft">{value === undefined ? t("fork.not_set") : format.bytes(text.length)}</span>
          {value !== undefined && (
            <div className="truncate font-mono text-[0.8rem] text-soft">{JSON.stringify(value).slice(0, SHOWN)}</div>
          )}
        </div>
        <Button small icon={PencilLine} onClick={() => onEdit(text || "null")} aria-label={t("fork.edit_named", { name })}>
          {t("fork.edit")}
        </Button>
      </div>
    );
  }
  const fault = faultOf(draft);
  return (
    <div>
      <Field label={<span className="font-mono">{name}</span>} error={fault ? t("fork.no_json", { fault }) : problem} className="mb-2">
        {(control) => (
          <TextArea
            {...control}
            spellCheck={false}
            className="font-mono text-[0.8rem]"
            rows={Math.min(MOST_ROWS, draft.split("\n").length + 1)}
            value={draft}
            onChange={(event) => onEdit(event.target.value)}
          />
        )}
      </Field>
      <Button small tone="quiet" icon={Undo2} onClick={onUndo}>
        {t("fork.undo")}
      </Button>
    </div>
  );
}
