import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { useModel } from "../journal";
import { usePlace } from "../place";
import type { StepView, Task } from "../records";

const MOST = 300;
const SHOWN = 200;

/** What the journal has of a step in the attempt of the task, but what its models said: warnings, progress, own events. */
export function StepEvents({ view, task }: { view: StepView; task: Task }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const { go } = usePlace();
  const { model } = useModel("events");
  const calls = new Set(view.calls.map((call) => call.seq));
  const events = model.events.filter(
    (event) =>
      event.attempt === task.attempt && event.type !== "model.tokens" && (event.step === view.path || calls.has(event.seq)),
  );
  return (
    <>
      <ul className="divide-y divide-line rounded-md border border-line">
        {events.slice(0, MOST).map((event) => (
          <li key={event.seq}>
            <button
              type="button"
              onClick={() => go({ tab: "events", event: event.seq })}
              className="block w-full px-3 py-1.5 text-left text-[0.8rem] hover:bg-hover"
            >
              <span className="flex justify-between gap-3">
                <span className="font-medium">{event.type}</span>
                <span className="text-soft tabular-nums">{format.exact(event.at)}</span>
              </span>
              <span className="block truncate font-mono text-soft">{JSON.stringify(event.data).slice(0, SHOWN)}</span>
            </button>
          </li>
        ))}
      </ul>
      {events.length > MOST && <p className="mt-2 text-[0.8rem] text-soft">{t("step.more_events", { count: events.length - MOST })}</p>}
    </>
  );
}
