import { ChevronLeft, ChevronRight } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { Field, Select } from "@/ui/field";
import type { Task } from "../records";

interface Props {
  attempts: number[];
  attempt: number;
  onAttempt(attempt: number): void;
  tasks: readonly Task[];
  task: Task;
  onTask(id: string): void;
}

/** Which attempt, and of a step that ran often in it which run. */
export function RunChoice({ attempts, attempt, onAttempt, tasks, task, onTask }: Props) {
  const { t } = useTranslation(["job", "common"]);
  const format = useFormat();
  if (attempts.length < 2 && tasks.length < 2) return null;
  const at = tasks.indexOf(task);
  const step = (by: number) => {
    const next = tasks[at + by];
    if (next) onTask(next.id);
  };
  const took = (each: Task) => (each.ended === null ? "" : ` · ${format.duration(each.ended - each.began)}`);
  return (
    <div className="mb-3 flex flex-wrap items-end gap-3">
      {attempts.length > 1 && (
        <Field label={t("job:step.attempt")} className="!mb-0">
          {(control) => (
            <Select {...control} value={attempt} onChange={(event) => onAttempt(Number(event.target.value))}>
              {attempts.map((each) => (
                <option key={each} value={each}>
                  {t("job:trouble.attempt", { attempt: each })}
                </option>
              ))}
            </Select>
          )}
        </Field>
      )}
      {tasks.length > 1 && (
        <>
          <Field label={t("job:step.run", { count: tasks.length })} className="!mb-0 min-w-40 flex-1">
            {(control) => (
              <Select {...control} value={task.id} onChange={(event) => onTask(event.target.value)}>
                {tasks.map((each, index) => (
                  <option key={each.startedSeq} value={each.id}>
                    {`${format.number(index + 1)} · ${t(`common:step_state.${each.state}`)}${took(each)}`}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          <span className="flex gap-1">
            <Button small className="!min-h-9" icon={ChevronLeft} disabled={at <= 0} onClick={() => step(-1)}>
              {t("job:step.previous")}
            </Button>
            <Button small className="!min-h-9" icon={ChevronRight} disabled={at >= tasks.length - 1} onClick={() => step(1)}>
              {t("job:step.next")}
            </Button>
          </span>
        </>
      )}
    </div>
  );
}
