import { Plus, Trash2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { under } from "./check";
import { useForm, type PartProps } from "./context";
import { Part } from "./part";
import { Group } from "./parts";
import { furtherOf, isObject } from "./schema";
import { initial } from "./values";

interface Row {
  id: number;
  key: string;
  value: unknown;
}

let made = 0;
const rowsOf = (value: unknown): Row[] =>
  Object.entries(isObject(value) ? value : {}).map(([key, each]) => ({ id: (made += 1), key, value: each }));

/** An object whose keys are free: rows of a key and a value. A row without a key counts for nothing. */
export function MapPart(part: PartProps) {
  const { t } = useTranslation("submit");
  const { root, disabled, edit } = useForm();
  const each = furtherOf(part.schema) ?? {};
  const [rows, setRows] = useState(() => rowsOf(part.value));
  const own = useRef(part.value);
  useEffect(() => {
    // From elsewhere: the JSON of the whole, or another job's input.
    if (JSON.stringify(own.current) === JSON.stringify(part.value)) return;
    own.current = part.value;
    setRows(rowsOf(part.value));
  }, [part.value]);

  const set = (next: Row[]) => {
    setRows(next);
    const kept = next.filter((row) => row.key !== "");
    own.current = kept.length > 0 ? Object.fromEntries(kept.map((row) => [row.key, row.value])) : undefined;
    edit(part.path);
    part.onChange(own.current);
  };
  const change = (id: number, what: Partial<Row>) => set(rows.map((row) => (row.id === id ? { ...row, ...what } : row)));
  return (
    <Group part={part}>
      <div className="space-y-2">
        {rows.map((row, index) => {
          const twice = row.key !== "" && rows.some((other) => other.id !== row.id && other.key === row.key);
          return (
            <div key={row.id} className="grid gap-x-3 gap-y-2 rounded-lg border border-line p-3 sm:grid-cols-[14rem_1fr_auto]">
              <label className="text-sm">
                <span className="mb-1 block font-medium">{t("form.key", { number: index + 1 })}</span>
                <Input value={row.key} disabled={disabled} aria-invalid={twice || undefined} onChange={(event) => change(row.id, { key: event.target.value })} />
                {twice && <span className="mt-1 block text-[0.8rem] font-medium text-bad">{t("form.twice")}</span>}
              </label>
              <Part
                schema={each}
                name=""
                label={t("form.value_of", { key: row.key || index + 1 })}
                path={under(part.path, row.key)}
                value={row.value}
                onChange={(value) => change(row.id, { value })}
                required
              />
              <Button small tone="quiet" icon={Trash2} className="self-start sm:mt-7" disabled={disabled} onClick={() => set(rows.filter((other) => other.id !== row.id))}>
                {t("form.remove")}
              </Button>
            </div>
          );
        })}
        <Button small icon={Plus} disabled={disabled} onClick={() => setRows([...rows, { id: (made += 1), key: "", value: initial(each, root) }])}>
          {t("form.add_key")}
        </Button>
      </div>
    </Group>
  );
}
