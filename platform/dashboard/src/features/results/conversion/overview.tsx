import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { Section } from "@/ui/layout";
import { Notice } from "@/ui/notices";
import type { Conversion } from "./conversion";
import { Equivalence } from "./equivalence";
import { VerdictBadge } from "./looks";

/** What was done to a source tree, and what of it was shown. */
export function Overview({ job, conversion }: { job: Job; conversion: Conversion }) {
  const { t } = useTranslation("results");
  return (
    <>
      <Proof conversion={conversion} />
      <Numbers conversion={conversion} />
      <Section title={t("conversion.equivalence")}>
        <Equivalence jobId={job.id} conversion={conversion} />
      </Section>
    </>
  );
}

/** What was proved, said before anything else: most of all when that is nothing. */
function Proof({ conversion }: { conversion: Conversion }) {
  const { t } = useTranslation("results");
  const { executed, verdicts, tools } = conversion;
  const python = tools.find(([name]) => name === "python")?.[1];
  return (
    <Notice
      kind={executed ? "info" : "warning"}
      className="mb-5 sm:p-4"
      title={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
          {t(executed ? "conversion.executed" : "conversion.not_executed")}
          {verdicts.map(([verdict, count]) => (
            <span key={verdict} className="flex items-center gap-1.5 font-normal">
              <VerdictBadge verdict={verdict} className="!bg-surface" /> {t("conversion.files", { count })}
            </span>
          ))}
        </span>
      }
    >
      <span className="block max-w-[85ch]">
        {t(executed ? "conversion.executed_hint" : "conversion.not_executed_hint")}
        {!executed && python && ` ${t("conversion.compiled_with", { version: python })}`}
      </span>
    </Notice>
  );
}

/** Counts that are good news only when they are nothing. */
const TROUBLE = new Set(["to_review", "does_not_compile", "missing_modules", "secrets", "kept"]);
const SHOWN = ["converted", "unchanged", "kept", "compiles", "does_not_compile", "to_review", "missing_modules", "secrets"];

function Numbers({ conversion: { counts } }: { conversion: Conversion }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  const of: Record<string, ReactNode> = {
    converted: counts.python !== undefined && t("conversion.of_python", { count: counts.python }),
  };
  const shown = SHOWN.filter((name) => counts[name] !== undefined);
  if (shown.length === 0) return null;
  return (
    <dl className="mb-6 grid grid-cols-2 gap-px overflow-hidden rounded-lg border border-line bg-line sm:grid-cols-4 xl:grid-cols-8">
      {shown.map((name) => (
        <div key={name} className="flex flex-col-reverse justify-end bg-surface px-4 py-3">
          <dt className="text-[0.8rem] leading-snug text-soft">
            {t(`count.${name}`)}
            {of[name] && <span className="block">{of[name]}</span>}
          </dt>
          <dd className={cx("text-2xl leading-tight font-semibold tracking-tight tabular-nums", TROUBLE.has(name) && counts[name]! > 0 && "text-paused", name === "does_not_compile" && counts[name]! > 0 && "!text-bad")}>
            {format.number(counts[name]!)}
          </dd>
        </div>
      ))}
    </dl>
  );
}
