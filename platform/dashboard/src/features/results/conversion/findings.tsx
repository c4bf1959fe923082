import { Eye, KeyRound, PackageX, TriangleAlert, CircleX, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import type { ConvertedFile } from "./conversion";

interface Props {
  file: ConvertedFile;
  /** Constructs in words. */
  explained: Record<string, string>;
  /** Shows a line of the original. */
  goTo(line: number): void;
}

/** What somebody should look at in a file, each with the lines that it is in. */
export function Findings({ file, explained, goTo }: Props) {
  const { t } = useTranslation("results");
  const { compiled, reason, risks, further, secrets, missing, notes } = file;
  const items: ReactNode[] = [
    compiled?.ok === false && (
      <Finding key="compiled" icon={CircleX} bad what={t("conversion.does_not_compile")}>
        {compiled.message}
        {compiled.line !== null && ` (${t("conversion.result_line", { line: compiled.line })})`}
      </Finding>
    ),
    reason && (
      <Finding key="reason" icon={TriangleAlert} what={t("status.kept")}>
        {reason}
      </Finding>
    ),
    ...further
      .filter(([, check]) => check.ok === false)
      .map(([name, check]) => (
        <Finding key={`check ${name}`} icon={CircleX} bad what={name}>
          {check.text || t("conversion.failed")}
        </Finding>
      )),
    ...risks.map((risk) => (
      <Finding key={risk.construct} icon={Eye} what={risk.construct} lines={risk.lines} count={risk.count} goTo={goTo}>
        <Explained words={t(`construct.${risk.construct}`, { defaultValue: explained[risk.construct] ?? "" })} />
      </Finding>
    )),
    ...secrets.map((secret) => (
      <Finding key={`secret ${secret.line}`} icon={KeyRound} what={t("conversion.secret")} lines={[secret.line]} goTo={goTo}>
        {secret.kind} <code className="font-mono">{secret.masked}</code>
      </Finding>
    )),
    ...missing.map((each) => (
      <Finding key={`missing ${each.module} ${each.line}`} icon={PackageX} what={t("conversion.missing_module")} lines={[each.line]} goTo={goTo}>
        <code className="font-mono">{each.module}</code>
        {each.guarded && <> (<Explained words={t("conversion.guarded")} />)</>}
      </Finding>
    )),
    ...notes.map((note, index) => (
      <Finding key={`note ${index}`} icon={TriangleAlert} what={t("conversion.note")}>
        {note}
      </Finding>
    )),
  ].filter(Boolean);
  if (items.length === 0) return null;
  return (
    <div className="mb-3 overflow-hidden rounded-lg border border-line bg-surface">
      <h3 className="border-b border-line px-3 py-1.5 text-[0.85rem]">{t("conversion.findings", { count: items.length })}</h3>
      <ul tabIndex={items.length > 3 ? 0 : undefined} aria-label={t("conversion.findings", { count: items.length })} className="max-h-44 divide-y max-sm:max-h-60 divide-line overflow-auto text-[0.85rem]">
        {items}
      </ul>
    </div>
  );
}

/** Words with names of code between backticks. */
function Explained({ words }: { words: string }) {
  return words.split("`").map((part, index) =>
    index % 2 === 0 ? (
      part
    ) : (
      <code key={index} className="font-mono text-[0.95em] text-ink">
        {part}
      </code>
    ),
  );
}

const MOST = 12;

function Finding({ icon: Icon, what, bad, lines = [], count, goTo, children }: {
  icon: LucideIcon;
  what: string;
  bad?: boolean;
  lines?: number[];
  count?: number;
  goTo?(line: number): void;
  children: ReactNode;
}) {
  const { t } = useTranslation("results");
  const format = useFormat();
  const more = Math.max(count ?? 0, lines.length) - Math.min(MOST, lines.length);
  return (
    <li className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 px-3 py-1.5">
      <span className={cx("font-medium", bad ? "text-bad" : "text-paused")}>
        <Icon aria-hidden size={14} className="mr-1.5 inline-block align-[-2px]" />
        {what}
      </span>
      <span className="min-w-0 flex-1 basis-60 break-words max-sm:basis-full text-soft">{children}</span>
      {lines.length > 0 && (
        <span className="flex flex-wrap items-baseline gap-1">
          {lines.slice(0, MOST).map((line) => (
            <button key={line} type="button" onClick={() => goTo?.(line)} className="rounded bg-paused-soft px-1.5 font-medium text-paused hover:underline">
              {t("conversion.line", { line: format.number(line) })}
            </button>
          ))}
          {more > 0 && <span className="text-soft">{t("conversion.more_places", { count: more, number: format.number(more) })}</span>}
        </span>
      )}
    </li>
  );
}
