import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { Field, Select } from "@/ui/field";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { useModel } from "../journal";
import { useCheckpoints } from "../queries";
import { byScope, places, supersteps, type Place } from "../supersteps";

/** Where the job can go on from, with the names of the steps before and after, newest first. */
export function usePlaces(jobId: string) {
  const { model, mark } = useModel("steps");
  const query = useCheckpoints(jobId);
  const checkpoints = query.data?.pages.flat();
  const found = useMemo(
    () => (checkpoints ? places(checkpoints, supersteps(byScope(model.tasks).get("") ?? [])) : undefined),
    // `mark` stands for the model's tasks.
    [checkpoints?.length, checkpoints?.[0]?.id, model, mark],
  );
  return { query, places: found };
}

interface Props {
  jobId: string;
  value: string;
  onChange(id: string): void;
  /** What stands first, for the last checkpoint. */
  lastLabel?: string;
  label: string;
  hint?: string;
}

/** Chooses a checkpoint by what ran before it. */
export function CheckpointSelect({ jobId, value, onChange, lastLabel, label, hint }: Props) {
  const { t } = useTranslation("job");
  const { query, places: found } = usePlaces(jobId);
  const say = useSayPlace();
  if (query.isError) return <ErrorNotice error={query.error} retry={() => void query.refetch()} className="mb-4" />;
  if (!found) return <Skeleton lines={2} className="mb-4" />;
  return (
    <Field label={label} hint={hint}>
      {(control) => (
        <>
          <Select {...control} value={value} onChange={(event) => onChange(event.target.value)}>
            {lastLabel && <option value="">{lastLabel}</option>}
            {found.map((place) => (
              <option key={place.checkpoint.id} value={place.checkpoint.id}>
                {say(place)}
              </option>
            ))}
          </Select>
          {query.hasNextPage && (
            <Button small className="mt-2" busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              {t("fork.older")}
            </Button>
          )}
        </>
      )}
    </Field>
  );
}

/** `12:03:04 · after plan · next item`. */
export function useSayPlace() {
  const { t } = useTranslation("job");
  const format = useFormat();
  return ({ checkpoint, after, next }: Place) => {
    const what = () => {
      if (after.length > 0) return t("fork.after", { steps: after.join(", ") });
      if (checkpoint.source === "update") return t("fork.changed");
      if (checkpoint.source === "fork") return t("fork.copied");
      if (checkpoint.source === "input" || (checkpoint.step ?? 0) < 1) return t("fork.beginning");
      return t("fork.step", { step: checkpoint.step });
    };
    const parts = [what(), next.length > 0 && t("fork.next", { steps: next.join(", ") }), format.clock(checkpoint.created_at)];
    return parts.filter(Boolean).join(" · ");
  };
}
