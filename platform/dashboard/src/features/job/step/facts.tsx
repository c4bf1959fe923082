import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { STEP_LOOKS } from "@/ui/state";
import type { JobModel } from "../model";
import { usePlace } from "../place";
import { runsOf, stateOf, type ModelCall, type StepView } from "../records";
import { coveredByCalls } from "../timeline/shares";

/** The calls of a step and of those inside of it, in one attempt, in the order they ended. */
export function callsWithin(model: JobModel, view: StepView, attempt: number): ModelCall[] {
  const inside = insideOf(model, view.path);
  const found = [view, ...inside].flatMap((each) => each.calls.filter((call) => call.attempt === attempt));
  return inside.length > 0 ? found.sort((a, b) => a.seq - b.seq) : found;
}

function insideOf(model: JobModel, path: string): StepView[] {
  return [...model.steps.values()].filter((each) => each.path.startsWith(`${path}/`));
}

/** What the models of a step have taken, and the steps inside of it. */
export function StepFacts({ model, view, attempt, calls }: { model: JobModel; view: StepView; attempt: number; calls: readonly ModelCall[] }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const made = calls.filter((call) => !call.replayed);
  const sum = (of: (call: ModelCall) => number) => made.reduce((all, call) => all + of(call), 0);
  const cached = sum((call) => call.cachedTokens);
  const cost = sum((call) => call.cost);
  return (
    <>
      {calls.length > 0 && (
        <dl className="mb-3 flex flex-wrap gap-x-6 gap-y-2 rounded-md border border-line bg-sunken/60 px-3 py-2 text-[0.85rem]">
          <Fact name={t("measure.calls")}>
            {format.number(made.length)}
            {made.length < calls.length && <span className="text-soft"> · {t("step.replayed", { count: calls.length - made.length })}</span>}
          </Fact>
          <Fact name={t("measure.tokens")}>
            {t("measure.in_out", { input: format.number(sum((call) => call.inputTokens)), output: format.number(sum((call) => call.outputTokens)) })}
            {cached > 0 && <span className="text-soft"> · {t("measure.cached", { cached: format.number(cached) })}</span>}
          </Fact>
          {cost > 0 && <Fact name={t("measure.cost")}>{format.money(cost)}</Fact>}
          <Fact name={t("step.in_models")}>{format.duration(coveredByCalls(made))}</Fact>
        </dl>
      )}
      <Inside model={model} path={view.path} attempt={attempt} />
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt className="text-[0.78rem] text-soft">{name}</dt>
      <dd className="tabular-nums">{children}</dd>
    </div>
  );
}

/** The steps directly inside of one, as the way to them. */
function Inside({ model, path, attempt }: { model: JobModel; path: string; attempt: number }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const { go } = usePlace();
  const steps = [...model.steps.values()].filter((each) => each.parent === path && each.runs.has(attempt));
  if (steps.length === 0) return null;
  return (
    <nav aria-label={t("step.inside")} className="mb-3">
      <h3 className="mb-1 text-[0.78rem] font-normal text-soft">{t("step.inside")}</h3>
      <ul className="flex flex-wrap gap-1.5">
        {steps.map((step) => {
          const look = STEP_LOOKS[stateOf(step, attempt)];
          const runs = runsOf(step, attempt)!;
          return (
            <li key={step.path}>
              <button
                type="button"
                onClick={() => go({ step: step.path, attempt })}
                className="flex items-center gap-1.5 rounded-md border border-line bg-surface px-2 py-1 text-[0.82rem] hover:bg-hover"
              >
                <look.icon aria-hidden size={13} className={cx(look.text, look.moving && "animate-spin [animation-duration:1.6s]")} />
                {step.name}
                {runs.tasks.length > 1 && <span className="text-soft tabular-nums">×{format.number(runs.tasks.length)}</span>}
                {runs.counts.running === 0 && <span className="text-soft tabular-nums">{format.duration(runs.to - runs.from)}</span>}
              </button>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}
