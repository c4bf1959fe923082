import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { ApiError, type Job, type Schemas } from "@/api/client";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input } from "@/ui/field";
import { ErrorNotice } from "@/ui/notices";
import { useCurrentVersion } from "../queries";
import { CheckpointSelect } from "./checkpoint-select";
import { useMoves } from "./mutations";

const LIMITS = ["tokens", "model_calls", "cost", "steps", "seconds"] as const;
type Limit = (typeof LIMITS)[number];
const FORM = "retry-form";

/** How to begin a job anew: from where, in which version, with which budget. */
export default function RetryDialog({ job, onClose }: { job: Job; onClose(): void }) {
  const { t } = useTranslation("job");
  const { retry } = useMoves(job.id);
  const current = useCurrentVersion(job.workflow, true);
  const [checkpoint, setCheckpoint] = useState("");
  const another = current.data && current.data.version !== job.version ? current.data.version : null;
  const [adopt, setAdopt] = useState(job.state === "stranded");
  const spent = job.state === "budget_exhausted";
  const [budget, setBudget] = useState<Partial<Record<Limit, string>>>(() => raised(job, spent));

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const body: Schemas["RetryRequest"] = {};
    if (checkpoint) body.checkpoint_id = checkpoint;
    if (adopt && another) body.version = "current";
    const limits = Object.entries(budget).filter(([, value]) => value !== "");
    if (spent || job.budget) body.budget = Object.fromEntries(limits.map(([name, value]) => [name, Number(value)]));
    retry.mutate(body, { onSuccess: onClose });
  };
  const problems = retry.error instanceof ApiError ? retry.error.errors : [];
  const problemOf = (name: string) => problems.find((each) => each.path.split(/[./]/).includes(name))?.message;

  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("retry.title")}
      description={t("retry.what")}
      actions={
        <>
          <Button onClick={onClose}>{t("retry.not")}</Button>
          <Button tone="primary" type="submit" form={FORM} busy={retry.isPending}>
            {t("act.retry_do")}
          </Button>
        </>
      }
    >
      <form id={FORM} onSubmit={submit}>
        {retry.isError && <ErrorNotice error={retry.error} className="mb-4" />}
        {job.attempts > 0 && (
          <CheckpointSelect
            jobId={job.id}
            value={checkpoint}
            onChange={setCheckpoint}
            label={t("retry.from")}
            lastLabel={job.error?.step ? t("retry.last_step", { step: job.error.step }) : t("retry.last")}
          />
        )}
        {another && (
          <fieldset className="mb-4">
            <legend className="mb-1 text-sm font-medium">{t("retry.version")}</legend>
            <Choice checked={!adopt} onChange={() => setAdopt(false)} label={t("retry.same", { version: job.version })} />
            <Choice checked={adopt} onChange={() => setAdopt(true)} label={t("retry.current", { version: another })} />
          </fieldset>
        )}
        {(spent || job.budget) && (
          <fieldset>
            <legend className="mb-1 text-sm font-medium">{t("retry.budget")}</legend>
            <p className="mb-2 text-[0.8rem] text-soft">{t("retry.budget_hint")}</p>
            <div className="grid gap-x-4 sm:grid-cols-2">
              {LIMITS.map((name) => (
                <Field key={name} label={t(`retry.limit.${name}`)} hint={<Had job={job} name={name} />} error={problemOf(name)}>
                  {(control) => (
                    <Input
                      {...control}
                      type="number"
                      min={0}
                      step="any"
                      value={budget[name] ?? ""}
                      onChange={(event) => setBudget({ ...budget, [name]: event.target.value })}
                    />
                  )}
                </Field>
              ))}
            </div>
          </fieldset>
        )}
      </form>
    </Dialog>
  );
}

function Had({ job, name }: { job: Job; name: Limit }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const limit = job.budget?.[name];
  return limit == null ? t("retry.no_limit") : t("retry.had", { limit: format.number(limit) });
}

function Choice({ checked, onChange, label }: { checked: boolean; onChange(): void; label: string }) {
  return (
    <label className="flex items-center gap-2 py-1 text-sm">
      <input type="radio" name="version" checked={checked} onChange={onChange} className="accent-[var(--accent)]" />
      {label}
    </label>
  );
}

/** The budget that the job had; twice of it where it was used up. */
function raised(job: Job, spent: boolean): Partial<Record<Limit, string>> {
  const found: Partial<Record<Limit, string>> = {};
  for (const name of LIMITS) {
    const limit = job.budget?.[name];
    if (limit != null) found[name] = String(spent ? limit * 2 : limit);
  }
  return found;
}
