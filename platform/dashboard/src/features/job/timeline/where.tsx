import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import type { JobModel } from "../model";
import { longestSteps, sharesOf, type Kind } from "./shares";

const HATCH = (color: string) => `repeating-linear-gradient(135deg, ${color} 0 3px, transparent 3px 6px)`;
const FILLS: Record<Kind, string> = {
  queued: HATCH("var(--line-strong)"),
  retry: HATCH("var(--stranded)"),
  held: HATCH("var(--paused)"),
  models: "color-mix(in srgb, var(--waiting) 80%, var(--surface))",
  steps: "color-mix(in srgb, var(--good) 60%, var(--surface))",
  between: "color-mix(in srgb, var(--line-strong) 45%, var(--surface))",
};
const LONGEST = 3;

/** Where the time of the whole job went, at a glance: one bar, its parts by name, and the steps that took longest. */
export function Where({ model, now, onSelect }: { model: JobModel; now: number; onSelect(step: string): void }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const shares = sharesOf(model, now).filter((share) => share.milliseconds >= 1);
  const total = shares.reduce((sum, share) => sum + share.milliseconds, 0);
  if (total === 0) return null;
  const percent = (part: number) => (part / total < 0.01 ? "<1" : format.number(Math.round((part / total) * 100)));
  const longest = longestSteps(model.steps, now, LONGEST);
  return (
    <section aria-label={t("timeline.where")} className="mb-4 rounded-lg border border-line bg-surface px-4 py-3">
      <div className="mb-2 flex flex-wrap items-baseline justify-between gap-x-4">
        <h2 className="!text-[0.95rem]">{t("timeline.where")}</h2>
        <span className="text-[0.85rem] text-soft tabular-nums">{t("timeline.in_all", { time: format.duration(total) })}</span>
      </div>
      <div aria-hidden className="flex h-3 gap-0.5 overflow-hidden rounded-full">
        {shares.map(({ kind, milliseconds }) => (
          <span key={kind} className="min-w-[3px] rounded-[2px]" style={{ flexGrow: milliseconds / total, flexBasis: 0, background: FILLS[kind] }} />
        ))}
      </div>
      <ul className="mt-2.5 flex flex-wrap gap-x-6 gap-y-1.5 text-[0.85rem]">
        {shares.map(({ kind, milliseconds }) => (
          <li key={kind} className="flex items-center gap-1.5">
            <span aria-hidden className="size-2.5 rounded-[3px]" style={{ background: FILLS[kind] }} />
            <span className="text-soft">{t(`timeline.share.${kind}`)}</span>
            <span className="font-medium tabular-nums">{format.duration(milliseconds)}</span>
            <span className="text-soft tabular-nums">{t("timeline.percent", { percent: percent(milliseconds) })}</span>
          </li>
        ))}
      </ul>
      {longest.length > 1 && (
        <p className="mt-2 flex flex-wrap items-baseline gap-x-4 gap-y-1 border-t border-line pt-2 text-[0.85rem]">
          <span className="text-soft">{t("timeline.longest_steps")}</span>
          {longest.map(({ step, milliseconds }) => (
            <button key={step} type="button" onClick={() => onSelect(step)} className="underline-offset-2 hover:underline">
              <span className="font-mono text-[0.8rem]">{step}</span> <span className="text-soft tabular-nums">{format.duration(milliseconds)}</span>
            </button>
          ))}
        </p>
      )}
    </section>
  );
}
