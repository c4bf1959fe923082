import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { linkClass } from "../head/links";
import type { Source } from "./payload";
import { Meter } from "./reasoning";

/** What was found and kept, best first, with its score and the way to its place in the document. */
export function Sources({ sources }: { sources: readonly Source[] }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const best = sources[0]?.score || 1;
  return (
    <ol className="space-y-3">
      {sources.map((source, index) => (
        <li key={source.id || index} className="rounded-md border border-line p-3 text-sm">
          <div className="flex flex-wrap items-center justify-between gap-2 text-[0.8rem]">
            <span className="min-w-0">
              {source.id && <span className="mr-2 font-mono text-soft">{source.id}</span>}
              {source.document_id ? (
                <Link
                  to="/documents/$documentId"
                  params={{ documentId: source.document_id }}
                  search={{ start: source.start ?? undefined, end: source.end ?? undefined }}
                  className={linkClass}
                >
                  {source.document_name || source.document_id}
                </Link>
              ) : (
                source.document_name
              )}
              {source.page !== null && source.page > 1 && <span className="text-soft"> · {t("source.page", { page: source.page })}</span>}
            </span>
            <span className="flex items-center gap-2 text-soft tabular-nums">
              <Meter value={source.score / best} label={t("source.score")} />
              {t("source.scored", { score: source.score.toLocaleString(format.locale, { maximumFractionDigits: 3 }) })}
            </span>
          </div>
          <blockquote className="mt-1.5 border-l-2 border-line-strong pl-3">{source.quote}</blockquote>
          {source.question && <p className="mt-1.5 text-[0.8rem] text-soft">{t("source.answers", { question: source.question })}</p>}
        </li>
      ))}
    </ol>
  );
}
