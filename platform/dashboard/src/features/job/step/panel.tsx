import { GitFork, X } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { useFormat } from "@/lib/format";
import { useMay } from "@/session/session";
import { Button } from "@/ui/button";
import { Notice } from "@/ui/notices";
import { StepBadge } from "@/ui/state";
import { useActions } from "../act/context";
import { useStep } from "../journal";
import { usePlace } from "../place";
import { stateOf, tasksOf, type Task } from "../records";
import { StepContents } from "./contents";
import { callsWithin, StepFacts } from "./facts";
import { RunChoice } from "./runs";
import { useStateAfter } from "./whole";

/** All there is to know of one step: which attempt and which of its runs is chosen above, what of it below. */
export function StepPanel({ job, step }: { job: Job; step: string }) {
  const { t } = useTranslation("job");
  const { look, go } = usePlace();
  const model = useStep(step);
  const view = model.steps.get(step);
  const attempts = [...(view?.runs.keys() ?? [])];
  const attempt = look.attempt !== undefined && attempts.includes(look.attempt) ? look.attempt : attempts.at(-1);
  const tasks = tasksOf(view, attempt);
  const [chosen, setChosen] = useState<string | null>(null);
  const task = tasks.find((each) => each.id === chosen) ?? worst(tasks);
  const calls = view && task ? callsWithin(model, view, task.attempt) : [];
  useEscape(() => go({ step: undefined, attempt: undefined }, true));
  return (
    <section aria-label={t("step.panel", { step })} className="min-w-0 self-start rounded-lg border border-line bg-surface xl:sticky xl:top-4 xl:max-h-[calc(100dvh-2rem)] xl:overflow-y-auto" tabIndex={-1}>
      <header className="border-b border-line px-4 py-3">
        <div className="flex items-start justify-between gap-2">
          <h2 className="min-w-0 pt-0.5 font-mono text-[0.95rem] break-all">{step}</h2>
          <span className="flex shrink-0 gap-1">
            {task && <ForkHere job={job} task={task} />}
            <Button small tone="quiet" icon={X} onClick={() => go({ step: undefined, attempt: undefined })}>
              {t("step.close")}
            </Button>
          </span>
        </div>
        <div className="mt-1 flex flex-wrap items-center gap-2">
          <StepBadge state={task?.state ?? stateOf(view)} />
          {task && <TaskTimes task={task} />}
        </div>
      </header>
      <div className="px-4 py-3">
        {view && task ? (
          <>
            <RunChoice
              attempts={attempts}
              attempt={attempt!}
              onAttempt={(next) => go({ attempt: next }, true)}
              tasks={tasks}
              task={task}
              onTask={setChosen}
            />
            {task.error && <Notice kind="error" className="mb-3" title={task.error} />}
            <StepFacts model={model} view={view} attempt={task.attempt} calls={calls} />
            <StepContents key={`${task.id} ${task.attempt}`} job={job} view={view} task={task} calls={calls} />
          </>
        ) : (
          <p className="text-sm text-soft">{t("step.not_run")}</p>
        )}
      </div>
    </section>
  );
}

function TaskTimes({ task }: { task: Task }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  return (
    <span className="text-[0.8rem] text-soft tabular-nums">
      {format.clock(task.began)}
      {task.ended !== null && ` · ${format.duration(task.ended - task.began)}`}
      {task.cached && ` · ${t("step.cached")}`}
    </span>
  );
}

function ForkHere({ job, task }: { job: Job; task: Task }) {
  const { t } = useTranslation("job");
  const may = useMay("submit");
  const { open } = useActions();
  const { before } = useStateAfter(job, task, false);
  if (!may || !before) return null;
  return (
    <Button small icon={GitFork} onClick={() => open("fork", before.checkpoint.id)}>
      {t("step.fork")}
    </Button>
  );
}

/** The run that one looks for: the first that has failed, else the first that runs, else the first. */
function worst(tasks: readonly Task[]): Task | undefined {
  return tasks.find((task) => task.state === "failed") ?? tasks.find((task) => task.state === "running") ?? tasks[0];
}

/** Escape closes the panel, unless something over the page is open. */
function useEscape(close: () => void): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("[role=dialog],[role=menu]")) return;
      close();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  });
}
