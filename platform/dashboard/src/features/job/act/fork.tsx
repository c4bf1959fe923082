import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { ApiError, type Job } from "@/api/client";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Select } from "@/ui/field";
import { ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { shapesOf } from "../graph/shape";
import { useModel } from "../journal";
import { useValuesAt, useVersion } from "../queries";
import { CheckpointSelect, usePlaces } from "./checkpoint-select";
import { useFork } from "./mutations";
import { isOf } from "./refused";
import { changesOf, StateEditor, type Drafts } from "./state-editor";

const FORM = "fork-form";

interface Props {
  job: Job;
  /** The checkpoint that is chosen at first. */
  at?: string | undefined;
  onClose(): void;
  onDone(fork: Job): void;
}

/** A new job that begins at a checkpoint of this one, with its state changed there. */
export default function ForkDialog({ job, at, onClose, onDone }: Props) {
  const { t } = useTranslation("job");
  const [chosen, setChosen] = useState(at ?? "");
  const [drafts, setDrafts] = useState<Drafts>({});
  const [asNode, setAsNode] = useState("");
  const { places } = usePlaces(job.id);
  // Where the graph had ended nothing is left to run: one looks for the last place before that.
  const usual = places?.find((place) => place.next.length > 0) ?? places?.[0];
  const checkpoint = chosen || usual?.checkpoint.id || null;
  const state = useValuesAt(job, checkpoint);
  const values = (state.data?.values ?? {}) as Record<string, unknown>;
  const names = useNames(job, values);
  const ended = Array.isArray(state.data?.next) && state.data.next.length === 0;
  const fork = useFork(job.id, onDone);
  const changes = changesOf(drafts);

  const problems = fork.error instanceof ApiError ? fork.error.errors : [];
  const problemOf = (name: string) => problems.find((each) => isOf(each.path, name))?.message;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (changes === null || checkpoint === null) return;
    fork.mutate({
      checkpoint_id: checkpoint,
      ...(Object.keys(changes).length > 0 ? { values: changes } : {}),
      ...(asNode ? { as_node: asNode } : {}),
    });
  };

  return (
    <Dialog
      open
      wide
      onOpenChange={onClose}
      title={t("fork.title")}
      description={t("fork.what")}
      actions={
        <>
          <Button onClick={onClose}>{t("fork.not")}</Button>
          <Button tone="primary" type="submit" form={FORM} busy={fork.isPending} disabled={changes === null || checkpoint === null}>
            {t("fork.do")}
          </Button>
        </>
      }
    >
      <form id={FORM} onSubmit={submit}>
        {fork.isError && <ErrorNotice error={fork.error} className="mb-4" />}
        {places?.length === 0 ? (
          <Notice kind="warning" title={t("fork.none")} />
        ) : (
          <CheckpointSelect
            jobId={job.id}
            value={checkpoint ?? ""}
            onChange={(id) => {
              setChosen(id);
              setDrafts({});
            }}
            label={t("fork.at")}
            hint={t("fork.at_hint")}
          />
        )}
        {ended && !asNode && <Notice kind="warning" className="mb-4" title={t("fork.ended")} />}
        {state.isError && <ErrorNotice error={state.error} retry={() => void state.refetch()} className="mb-4" />}
        {state.isLoading && <Skeleton lines={4} />}
        {state.data && <StateEditor key={checkpoint} values={values} names={names} drafts={drafts} problemOf={problemOf} onChange={setDrafts} />}
        <AsNode job={job} value={asNode} onChange={setAsNode} />
      </form>
    </Dialog>
  );
}

/** All that the state may hold, what it holds first. */
function useNames(job: Job, values: Record<string, unknown>): string[] {
  const version = useVersion(job);
  const known = Object.keys((version.data?.state_schema?.properties ?? {}) as Record<string, unknown>);
  return [...new Set([...Object.keys(values), ...known])];
}

function AsNode({ job, value, onChange }: { job: Job; value: string; onChange(name: string): void }) {
  const { t } = useTranslation("job");
  const { model } = useModel("steps");
  const version = useVersion(job);
  const shape = shapesOf(version.data, model.steps).get("");
  const names = (shape?.nodes ?? []).filter((node) => node.kind !== "end").map((node) => node.id);
  return (
    <Field label={t("fork.as_node")} hint={t("fork.as_node_hint")} className="mt-4 !mb-0">
      {(control) => (
        <Select {...control} value={value} onChange={(event) => onChange(event.target.value)}>
          <option value="">{t("fork.as_node_none")}</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </Select>
      )}
    </Field>
  );
}
