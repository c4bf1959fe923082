import { Handle, Position, useReactFlow, type NodeProps, type NodeTypes } from "@xyflow/react";
import { memo, use, type FocusEvent } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import type { StepState } from "@/ui/state";
import { useStep } from "../journal";
import { Marks, StatusLine, statusOf } from "../step/status";
import { HandContext, type StepNode } from "./hand";
import type { Placed } from "./layout";
import { START } from "./shape";

const FRAMES: Record<StepState, string> = {
  pending: "border-dashed border-line-strong/60 bg-surface",
  running: "border-running bg-running-soft pulse-ring",
  done: "border-good/50 bg-surface",
  failed: "border-bad bg-bad-soft",
  interrupted: "border-paused bg-paused-soft",
  broken: "border-stranded bg-stranded-soft",
};

const StepBox = memo(function StepBox({ data: { placed } }: NodeProps<StepNode>) {
  return (
    <>
      <Handle type="target" position={Position.Top} className="!invisible" isConnectable={false} />
      {placed.kind === "end" ? <End id={placed.id} /> : <Step placed={placed} />}
      <Handle type="source" position={Position.Bottom} className="!invisible" isConnectable={false} />
    </>
  );
});

export const nodeTypes: NodeTypes = { step: StepBox };

function End({ id }: { id: string }) {
  const { t } = useTranslation("job");
  return (
    <div className="flex size-full items-center justify-center rounded-full border border-line bg-sunken text-[0.75rem] text-soft">
      {t(id === START ? "graph.start" : "graph.end")}
    </div>
  );
}

function Step({ placed }: { placed: Placed }) {
  const { t } = useTranslation("job");
  const { selected, onSelect, toggle } = use(HandContext);
  const model = useStep(placed.path);
  const { setCenter, getZoom } = useReactFlow();
  const status = statusOf(model, placed.path);
  const scope = placed.path.slice(0, placed.path.length - placed.id.length);
  const chosen = selected === placed.path;
  // What is walked to with the keyboard comes into view; what is clicked is there already.
  const show = (event: FocusEvent) => {
    if (!event.target.matches(":focus-visible")) return;
    void setCenter(placed.x + placed.width / 2, placed.y + Math.min(placed.height, 120) / 2, { zoom: getZoom(), duration: 150 });
  };
  return (
    <div
      className={cx(
        // A node that can be neither moved nor connected gets no clicks from React Flow.
        "nopan pointer-events-auto flex size-full flex-col rounded-lg border-[1.5px]",
        FRAMES[status.state],
        placed.open && "!bg-sunken/70",
        status.skipped && "opacity-60",
        chosen && "ring-2 ring-accent ring-offset-2 ring-offset-surface",
      )}
    >
      <div className="flex items-start gap-1 pr-1.5">
        <button
          type="button"
          data-step={placed.path}
          data-state={status.state}
          aria-pressed={chosen}
          onFocus={show}
          onClick={() => onSelect(placed.path)}
          className="min-w-0 flex-1 rounded-lg px-2.5 pt-1.5 pb-1 text-left"
        >
          <span className="block truncate text-[0.86rem] leading-snug font-medium">
            {scope && <span className="sr-only">{scope}</span>}
            {placed.id}
          </span>
          <StatusLine status={status} />
          {status.runs > 1 && <span className="sr-only">{t("step.runs", { count: status.runs })}</span>}
        </button>
        <span className="flex shrink-0 flex-col items-end gap-0.5 pt-1.5">
          <Marks status={status} />
          {placed.kind === "graph" && (
            <button
              type="button"
              onFocus={show}
              onClick={() => toggle(placed.path)}
              aria-expanded={placed.open}
              aria-label={t(placed.open ? "graph.close_named" : "graph.open_named", { step: placed.path })}
              className="rounded border border-line bg-surface px-1.5 text-[0.72rem] text-soft hover:text-ink"
            >
              {t(placed.open ? "graph.close" : "graph.open")}
            </button>
          )}
        </span>
      </div>
    </div>
  );
}
