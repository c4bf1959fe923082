import { CircleCheck, TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { FATES, type Fate, type Report } from "./report";

export type Filter = Fate | "unchecked" | null;

/** What the report is made of; each part of it can be shown in the text. */
export function Summary({ report, filter, onFilter }: { report: Report; filter: Filter; onFilter(filter: Filter): void }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  const { counts } = report;
  const open = counts.sentences - counts.cited;
  const parts: { id: Exclude<Filter, null>; count: number }[] = FATES.map((fate) => ({ id: fate, count: counts[fate] }));
  if (open > 0) parts.unshift({ id: "unchecked", count: open });
  return (
    <div className="mb-5 print:hidden">
      <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm">
        {open > 0 ? (
          <span className="inline-flex items-center gap-1.5 font-medium text-bad">
            <TriangleAlert aria-hidden size={16} />
            {t("document.some_cited", { cited: format.number(counts.cited), count: counts.sentences })}
          </span>
        ) : (
          <span className="inline-flex items-center gap-1.5 font-medium text-good">
            <CircleCheck aria-hidden size={16} />
            {t("document.all_cited", { count: counts.sentences })}
          </span>
        )}
        <span className="text-soft">
          {t("document.quotes", { count: report.citations.length })} · {t("document.documents", { count: counts.documents })}
        </span>
      </p>
      <div role="group" aria-label={t("document.filter")} className="mt-2 flex flex-wrap gap-1.5">
        {parts
          .filter((part) => part.count > 0)
          .map((part) => (
            <button
              key={part.id}
              type="button"
              aria-pressed={filter === part.id}
              onClick={() => onFilter(filter === part.id ? null : part.id)}
              title={t(`document.fate_${part.id}`)}
              className={cx(
                "rounded-full border px-2.5 py-0.5 text-[0.8rem] transition-colors",
                filter === part.id
                  ? "border-paused bg-paused-soft font-medium text-paused"
                  : "border-line bg-surface text-soft hover:bg-hover hover:text-ink",
              )}
            >
              {t(`document.part_${part.id}`, { count: part.count })}
            </button>
          ))}
      </div>
      {report.citations.length > 0 && <p className="mt-2.5 text-[0.8rem] text-soft">{t("document.hint")}</p>}
    </div>
  );
}
