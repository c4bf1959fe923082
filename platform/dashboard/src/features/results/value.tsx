import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";

const DEEPEST = 4;
const LONG = 3_000;
const MOST = 100;

/** So short that many stand on one line. */
const SHORT = 24;

type Plain = Record<string, unknown>;
const isPlain = (value: unknown): value is Plain => typeof value === "object" && value !== null && !Array.isArray(value);
const isScalar = (value: unknown) => typeof value !== "object" || value === null;
const isWord = (value: unknown) => isScalar(value) && value !== "" && String(value).length <= SHORT;

/** A value as something to read: names beside values, rows where there are rows. Exactly what is there, nothing made nicer. */
export function Value({ value, depth = 0 }: { value: unknown; depth?: number }) {
  const { t } = useTranslation("results");
  if (typeof value === "string") return <Text text={value} />;
  if (isScalar(value)) return <code className="font-mono text-[0.92em]">{String(value)}</code>;
  if (depth > DEEPEST) return <code className="font-mono text-[0.85em] break-all">{JSON.stringify(value)}</code>;
  if (Array.isArray(value)) return value.length === 0 ? <Nothing /> : <List items={value} depth={depth} />;
  const entries = Object.entries(value as Plain);
  if (entries.length === 0) return <Nothing />;
  return (
    <table aria-label={t("value.caption")} className="w-full border-collapse text-left sm:[&>tbody>tr:first-child>*]:pt-0 sm:[&>tbody>tr:last-child>*]:pb-0">
      <tbody className="divide-y divide-line">
        {entries.map(([name, each]) => (
          <tr key={name} className="max-sm:block max-sm:py-1.5">
            <th scope="row" className="w-px py-1.5 pr-4 align-baseline font-mono text-[0.85em] font-normal whitespace-nowrap text-soft max-sm:block max-sm:w-auto max-sm:py-0">
              {name}
            </th>
            <td className="py-1.5 align-baseline break-words max-sm:block max-sm:py-0 sm:min-w-0">
              <Value value={each} depth={depth + 1} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Nothing() {
  const { t } = useTranslation("results");
  return <span className="text-soft">{t("value.empty")}</span>;
}

function Text({ text }: { text: string }) {
  const { t } = useTranslation();
  const format = useFormat();
  const [whole, setWhole] = useState(false);
  if (text === "") return <Nothing />;
  const isCut = !whole && text.length > LONG;
  return (
    <span className="[overflow-wrap:anywhere] whitespace-pre-wrap">
      {isCut ? `${text.slice(0, LONG)}…` : text}
      {isCut && (
        <Button small className="mt-1 flex" onClick={() => setWhole(true)}>
          {t("action.show_all", { size: format.bytes(text.length) })}
        </Button>
      )}
    </span>
  );
}

/** Columns of rows that have the same names and plain values; null where they have not. */
function columnsOf(items: unknown[]): string[] | null {
  if (items.length < 2 || !items.every(isPlain)) return null;
  const names = [...new Set(items.flatMap((each) => Object.keys(each)))];
  return names.length <= 6 && items.every((each) => Object.values(each).every((one) => isScalar(one) && String(one).length < 80)) ? names : null;
}

function List({ items, depth }: { items: unknown[]; depth: number }) {
  const { t } = useTranslation("results");
  const [most, setMost] = useState(MOST);
  const shown = items.slice(0, most);
  const columns = columnsOf(items);
  return (
    <>
      {items.every(isWord) ? (
        <ul className="flex flex-wrap gap-x-3 gap-y-0.5">
          {shown.map((each, index) => (
            <li key={index}>
              <Value value={each} depth={depth + 1} />
            </li>
          ))}
        </ul>
      ) : columns ? (
        <div tabIndex={0} role="group" aria-label={t("value.rows")} className="overflow-x-auto">
          <table className="border-collapse text-left text-[0.95em]">
            <thead>
              <tr>
                {columns.map((name) => (
                  <th key={name} scope="col" className="py-1 pr-5 font-mono text-[0.85em] font-normal whitespace-nowrap text-soft">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {(shown as Plain[]).map((row, index) => (
                <tr key={index}>
                  {columns.map((name) => (
                    <td key={name} className="py-1 pr-5 align-top">
                      {name in row && <Value value={row[name]} depth={depth + 2} />}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <ol className={shown.every(isScalar) ? "space-y-0.5" : "space-y-2"}>
          {shown.map((each, index) => (
            <li key={index} className="grid grid-cols-[auto_minmax(0,1fr)] items-baseline gap-x-2.5">
              <span className="min-w-4 text-right text-[0.85em] text-soft">{index + 1}</span>
              <Value value={each} depth={depth + 1} />
            </li>
          ))}
        </ol>
      )}
      {items.length > most && (
        <Button small className="mt-2" onClick={() => setMost(most * 10)}>
          {t("value.more", { count: items.length - most })}
        </Button>
      )}
    </>
  );
}
