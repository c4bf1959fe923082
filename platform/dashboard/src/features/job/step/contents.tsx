import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { Json } from "@/ui/json";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { Tabs, type Tab } from "@/ui/tabs";
import type { ModelCall, StepView, Task } from "../records";
import { Calls } from "./calls";
import { hints, isPreview, sourcesIn, thoughtsIn } from "./payload";
import { Reasoning } from "./reasoning";
import { Sources } from "./sources";
import { StepEvents } from "./step-events";
import { useStateAfter } from "./whole";

/** Output, input, prompts and answers, chain of thought, sources, events and raw data of one run of a step. */
export function StepContents({ job, view, task, calls }: { job: Job; view: StepView; task: Task; calls: readonly ModelCall[] }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const hint = hints(task.output);
  const [chosen, setChosen] = useState<string | null>(null);
  const tabs: Tab[] = [
    { id: "output", label: t("step.output"), content: <Payload job={job} task={task} value={task.output} label={t("step.output")} /> },
    { id: "input", label: t("step.input"), content: <Payload value={task.input} label={t("step.input")} /> },
  ];
  if (calls.length > 0) {
    tabs.push({ id: "calls", label: t("step.calls"), count: format.number(calls.length), content: <Calls calls={calls} /> });
  }
  if (hint.thoughts) tabs.push({ id: "reasoning", label: t("step.reasoning"), content: <FromOutput job={job} task={task} what="thoughts" /> });
  if (hint.sources) tabs.push({ id: "sources", label: t("step.sources"), content: <FromOutput job={job} task={task} what="sources" /> });
  tabs.push(
    { id: "events", label: t("step.events"), content: <StepEvents view={view} task={task} /> },
    { id: "raw", label: t("step.raw"), content: <Json value={task} label={t("step.raw")} /> },
  );
  const usual = task.state === "failed" ? "input" : calls.length > 0 && task.state === "running" ? "calls" : "output";
  const value = chosen ?? usual;
  return <Tabs label={t("step.parts")} tabs={tabs} value={value} onChange={setChosen} />;
}

/** A payload as JSON. Of a large one the event has the beginning; the whole is in the state after the step. */
function Payload({ job, task, value, label }: { job?: Job; task?: Task; value: unknown; label: string }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const [wanted, setWanted] = useState(false);
  if (task && task.endedSeq === null) {
    return <p className="text-sm text-soft">{t(task.state === "running" ? "step.still_running" : "step.no_output")}</p>;
  }
  if (!isPreview(value)) return <Json value={value ?? null} label={label} />;
  return (
    <>
      <p className="mb-2 text-[0.85rem] text-soft">{t("step.preview", { size: format.bytes(value.bytes) })}</p>
      {job && task && (wanted ? <Whole job={job} task={task} /> : <WholeButton onClick={() => setWanted(true)} />)}
      <pre tabIndex={0} aria-label={label} className="max-h-80 overflow-auto rounded-md border border-line bg-sunken p-3 font-mono text-[0.8rem] break-words whitespace-pre-wrap">
        {value.preview}…
      </pre>
    </>
  );
}

function WholeButton({ onClick }: { onClick(): void }) {
  const { t } = useTranslation("job");
  return (
    <Button small className="mb-3" onClick={onClick}>
      {t("step.whole")}
    </Button>
  );
}

function Whole({ job, task }: { job: Job; task: Task }) {
  const { t } = useTranslation("job");
  const { after, values, state, pending } = useStateAfter(job, task, true);
  if (pending) return <Skeleton lines={3} className="mb-3" />;
  if (!after) return <p className="mb-3 text-[0.85rem] text-soft">{t("step.no_state")}</p>;
  if (state.isError) return <ErrorNotice error={state.error} retry={() => void state.refetch()} className="mb-3" />;
  return (
    <div className="mb-3">
      <Json value={values} label={t("step.state_after", { step: after.after.join(", ") })} />
    </div>
  );
}

/** The chain of thought or the sources of a step: from its output, or where that is cut from the state after it. */
function FromOutput({ job, task, what }: { job: Job; task: Task; what: "thoughts" | "sources" }) {
  const { t } = useTranslation("job");
  const { values, state, pending } = useStateAfter(job, task, isPreview(task.output) || what === "thoughts");
  const from = isPreview(task.output) ? values : task.output;
  const sources = sourcesIn(what === "thoughts" ? values : from);
  if (isPreview(task.output) && pending) return <Skeleton lines={5} />;
  if (isPreview(task.output) && state.isError) return <ErrorNotice error={state.error} retry={() => void state.refetch()} />;
  if (what === "sources" && sources.length > 0) return <Sources sources={sources} />;
  const thoughts = thoughtsIn(from);
  if (what === "thoughts" && thoughts.length > 0) return <Reasoning job={job} thoughts={thoughts} sources={sources} />;
  return <p className="text-sm text-soft">{t("step.no_state")}</p>;
}
