import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { CitationLink } from "./citation-link";
import type { Citation } from "./report";

/** All that the report stands on, as a list at its end; the only way to read the quotes on paper. */
export function Sources({ jobId, citations, open }: { jobId: string; citations: Citation[]; open: number | undefined }) {
  const { t } = useTranslation("results");
  if (citations.length === 0) return null;
  return (
    <section aria-labelledby="sources" className="mt-10 border-t border-line pt-5">
      <h3 id="sources" className="mb-3 font-sans text-base font-semibold">
        {t("document.sources")}
      </h3>
      <ol className="space-y-2.5 text-[0.9em]">
        {citations.map((citation) => (
          <li key={citation.id} className="flex gap-2.5">
            <CitationLink
              jobId={jobId}
              citation={citation}
              className={cx(
                "mt-0.5 h-[1.6em] min-w-[2em] shrink-0 rounded text-center font-sans text-[0.8em] leading-[1.6em] font-semibold",
                citation.number === open ? "bg-accent text-accent-ink" : "bg-accent-soft text-accent-text hover:bg-accent hover:text-accent-ink",
              )}
            />
            <div className="min-w-0">
              <q>{citation.quote}</q>
              <div className="font-sans text-[0.85em] break-words text-soft">
                {citation.document.name} · {t("document.version", { version: citation.document.version })} ·{" "}
                {t("document.page", { page: citation.page })}
              </div>
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}
