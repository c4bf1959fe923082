import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { Empty } from "@/ui/notices";
import { Rows, type Column } from "@/ui/rows";
import { STATUSES, statusOf, toReview, type Conversion, type ConvertedFile, type Status } from "./conversion";
import { StatusBadge, VerdictBadge } from "./looks";

const PAGE = 100;

/** Each file with what was shown of it: what was done, whether it compiles, what was run, and the verdict. */
export function Equivalence({ jobId, conversion }: { jobId: string; conversion: Conversion }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  const [only, setOnly] = useState<Status | null>(null);
  const [most, setMost] = useState(PAGE);
  const columns = useColumns(jobId, conversion);
  const { judged, copied, counts } = useMemo(() => sorted(conversion.files), [conversion.files]);
  const shown = only ? judged.filter((file) => statusOf(file) === only) : judged;
  if (judged.length === 0) return <Empty title={t("conversion.no_files")}>{t("conversion.no_files_hint", { count: copied })}</Empty>;
  return (
    <>
      <div role="group" aria-label={t("conversion.filter")} className="mb-3 flex flex-wrap gap-1.5">
        {STATUSES.filter((status) => status !== "copied" && counts.get(status)).map((status) => (
          <button
            key={status}
            type="button"
            aria-pressed={only === status}
            onClick={() => setOnly(only === status ? null : status)}
            className={cx("rounded-full border p-0.5 pr-2 text-[0.8rem]", only === status ? "border-accent bg-accent-soft text-ink" : "border-line bg-surface text-soft hover:bg-hover")}
          >
            <StatusBadge status={status} /> <span className="ml-1 tabular-nums">{format.number(counts.get(status) ?? 0)}</span>
          </button>
        ))}
      </div>
      <Rows
        label={t("conversion.equivalence")}
        columns={columns}
        rows={shown.slice(0, most)}
        rowKey={(file) => file.path}
        rowProps={(file) => ({ "data-file": file.path, "data-state": statusOf(file) })}
      />
      <div className="mt-3 flex flex-wrap items-center justify-between gap-3 text-[0.85rem] text-soft">
        {copied > 0 && <p>{t("conversion.copied", { count: copied })}</p>}
        {shown.length > most && (
          <Button small onClick={() => setMost(most + 10 * PAGE)}>
            {t("value.more", { count: shown.length - most })}
          </Button>
        )}
      </div>
    </>
  );
}

/** Those with most to look at first; what was only copied makes no claim. */
function sorted(files: readonly ConvertedFile[]) {
  const judged = files.filter((file) => file.outcome !== "copied");
  const counts = new Map<Status, number>();
  for (const file of judged) counts.set(statusOf(file), (counts.get(statusOf(file)) ?? 0) + 1);
  const rank = (file: ConvertedFile) => STATUSES.indexOf(statusOf(file));
  return { judged: judged.sort((a, b) => rank(a) - rank(b) || toReview(b) - toReview(a)), copied: files.length - judged.length, counts };
}

function useColumns(jobId: string, conversion: Conversion): Column<ConvertedFile>[] {
  const { t } = useTranslation("results");
  const format = useFormat();
  return [
    {
      id: "file",
      head: t("conversion.file"),
      title: true,
      cell: (file) => (
        <Link
          to="/jobs/$jobId"
          params={{ jobId }}
          search={(old) => ({ ...old, view: "code", file: file.path })}
          preload={false}
          className="font-mono text-[0.85rem] font-medium break-all text-accent-text hover:underline"
        >
          {file.path}
        </Link>
      ),
    },
    { id: "state", head: t("conversion.state"), cell: (file) => <StatusBadge status={statusOf(file)} /> },
    {
      id: "rules",
      head: t("conversion.rules"),
      minor: true,
      className: "max-w-80",
      cell: (file) => <span className="text-[0.8rem] text-soft">{rulesOf(file) || t("conversion.no_rules")}</span>,
    },
    {
      id: "review",
      head: t("conversion.to_review"),
      numeric: true,
      cell: (file) => <span className={toReview(file) > 0 ? "font-medium text-paused" : "text-soft"}>{format.number(toReview(file))}</span>,
    },
    { id: "compiles", head: t("conversion.compiles"), cell: (file) => <Compiles file={file} /> },
    { id: "executed", head: t("conversion.run"), cell: (file) => <Ran file={file} executed={conversion.executed} /> },
    { id: "verdict", head: t("conversion.verdict"), cell: (file) => (file.verdict ? <VerdictBadge verdict={file.verdict} /> : <span className="text-soft">{t("conversion.not_told")}</span>) },
  ];
}

export function rulesOf(file: ConvertedFile): string {
  return file.fixers.map(([name, times]) => (times > 1 ? `${name} ×${times}` : name)).join(", ");
}

function Compiles({ file }: { file: ConvertedFile }) {
  const { t } = useTranslation("results");
  if (!file.compiled) return <span className="text-soft">{t("conversion.not_told")}</span>;
  if (file.compiled.ok) return <span>{t("conversion.yes")}</span>;
  return <span className="font-medium text-bad">{t("conversion.no")}</span>;
}

/** What was run of a file: the checks that its record has, or why there are none. */
function Ran({ file, executed }: { file: ConvertedFile; executed: boolean }) {
  const { t } = useTranslation("results");
  if (file.further.length > 0) {
    return (
      <ul className="space-y-0.5 text-[0.85rem]">
        {file.further.map(([name, check]) => (
          <li key={name} className={check.ok === false ? "text-bad" : undefined}>
            {name}
            {check.ok !== null && `: ${t(check.ok ? "conversion.passed" : "conversion.failed")}`}
            {check.text && ` (${check.text})`}
          </li>
        ))}
      </ul>
    );
  }
  return <span className="text-[0.85rem] text-soft">{t(executed ? "conversion.not_told" : file.compiled ? "conversion.only_compiled" : "conversion.no")}</span>;
}
