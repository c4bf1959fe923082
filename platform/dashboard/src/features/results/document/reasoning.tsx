import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { CitationLink } from "./citation-link";
import type { Citation, ReasonStep } from "./report";

/** The recorded steps from evidence to claims. */
export function Reasoning({ jobId, steps, citations }: { jobId: string; steps: ReasonStep[]; citations: Citation[] }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  if (steps.length === 0) return null;
  const known = new Map(citations.map((each) => [each.id, each]));
  return (
    <details className="mb-6 rounded-lg border border-line bg-surface print:hidden">
      <summary className="px-4 py-2.5 text-sm font-medium hover:bg-hover">{t("document.reasoning", { count: steps.length })}</summary>
      <ol className="divide-y divide-line border-t border-line">
        {steps.map((step, index) => (
          <li key={index} className="grid grid-cols-[2rem_1fr] gap-x-1 px-4 py-3 text-sm">
            <span className="text-soft">{index + 1}</span>
            <div className="min-w-0">
              <p className="break-words text-soft">{step.thought}</p>
              <p className="mt-1 font-serif text-[1.05em] break-words">{step.claim}</p>
              <p className="mt-1.5 flex flex-wrap items-center gap-x-2 gap-y-1 text-[0.8rem] text-soft">
                <span>{t(step.byModel ? "document.by_model" : "document.by_rule")}</span>
                <span>
                  {t("document.confidence")}{" "}
                  {step.confidence.toLocaleString(format.locale, { style: "percent", maximumFractionDigits: 0 })}
                </span>
                {step.evidence.map((name) => {
                  const citation = known.get(name);
                  return citation ? (
                    <CitationLink
                      key={name}
                      jobId={jobId}
                      citation={citation}
                      className="rounded bg-accent-soft px-1.5 font-semibold text-accent-text hover:bg-accent hover:text-accent-ink"
                    />
                  ) : (
                    <span key={name}>{t("document.unused", { name })}</span>
                  );
                })}
              </p>
            </div>
          </li>
        ))}
      </ol>
    </details>
  );
}
