import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { StepBadge } from "@/ui/state";
import type { Task } from "../records";

/** What is known of the bar that is pointed at. */
export function Details({ tasks }: { tasks: readonly Task[] }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const [task] = tasks;
  return (
    <div className="flex min-h-9 flex-wrap items-center gap-x-3 border-t border-line bg-sunken px-4 py-1 text-[0.8rem] text-soft">
      {!task && <span>{t("timeline.point")}</span>}
      {task && <span className="font-mono text-ink">{task.step}</span>}
      {task && tasks.length === 1 && (
        <>
          <StepBadge state={task.state} />
          <span className="tabular-nums">
            {format.exact(task.began)}
            {task.ended !== null && ` – ${format.exact(task.ended)} · ${format.duration(task.ended - task.began)}`}
          </span>
          {task.error && <span className="text-bad">{task.error}</span>}
        </>
      )}
      {task && tasks.length > 1 && <Many tasks={tasks} />}
    </div>
  );
}

function Many({ tasks }: { tasks: readonly Task[] }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const ended = tasks.filter((task) => task.ended !== null);
  const longest = Math.max(0, ...ended.map((task) => task.ended! - task.began));
  return (
    <span className="tabular-nums">
      {t("step.runs", { count: tasks.length })} · {t("timeline.longest", { time: format.duration(longest) })}
    </span>
  );
}
