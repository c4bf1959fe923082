import { ArrowDown, ArrowUp, Plus, Trash2 } from "lucide-react";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "@/ui/button";
import { under } from "./check";
import { useForm, type PartProps } from "./context";
import { singular } from "./kinds";
import { Part } from "./part";
import { Group } from "./parts";
import { itemsOf } from "./schema";
import { initial } from "./values";

let made = 0;

/** A list of anything: entries are added, taken away and put in another order. */
export function ListPart(part: PartProps) {
  const { t } = useTranslation("submit");
  const { root, disabled, edit } = useForm();
  const value = part.value ?? part.schema.default;
  const all: unknown[] = Array.isArray(value) ? value : [];
  // An entry keeps what is typed in it, and the focus, when it moves.
  const keys = useRef<number[]>([]);
  while (keys.current.length < all.length) keys.current.push((made += 1));
  keys.current.length = all.length;

  const set = (next: unknown[], order: number[]) => {
    keys.current = order;
    edit(part.path);
    part.onChange(next.length > 0 || part.schema.default !== undefined ? next : undefined);
  };
  const swap = (one: number, other: number) => {
    const next = [...all];
    const order = [...keys.current];
    [next[one], next[other]] = [next[other], next[one]];
    [order[one], order[other]] = [order[other]!, order[one]!];
    set(next, order);
  };
  const items = itemsOf(part.schema);
  const full = part.schema.maxItems !== undefined && all.length >= part.schema.maxItems;
  return (
    <Group part={{ ...part, schema: { ...part.schema, default: undefined } }}>
      <ol className="space-y-2">
        {all.map((each, index) => (
          <li key={keys.current[index]} className="rounded-lg border border-line p-3">
            <Part
              schema={items}
              name={singular(part.name)}
              label={t("form.entry", { number: index + 1 })}
              path={under(part.path, index)}
              value={each}
              onChange={(next) => part.onChange(all.map((old, at) => (at === index ? next : old)))}
              required
            />
            <div className="mt-2 flex flex-wrap gap-1">
              <Button small tone="quiet" icon={ArrowUp} disabled={disabled || index === 0} onClick={() => swap(index, index - 1)}>
                {t("form.up")}
              </Button>
              <Button small tone="quiet" icon={ArrowDown} disabled={disabled || index === all.length - 1} onClick={() => swap(index, index + 1)}>
                {t("form.down")}
              </Button>
              <Button
                small
                tone="quiet"
                icon={Trash2}
                disabled={disabled}
                onClick={() => set(all.filter((_, at) => at !== index), keys.current.filter((_, at) => at !== index))}
              >
                {t("form.remove")}
              </Button>
            </div>
          </li>
        ))}
      </ol>
      <Button
        small
        icon={Plus}
        className={all.length > 0 ? "mt-2" : undefined}
        disabled={disabled || full}
        onClick={() => set([...all, initial(items, root)], [...keys.current, (made += 1)])}
      >
        {t("form.add_entry")}
      </Button>
    </Group>
  );
}
