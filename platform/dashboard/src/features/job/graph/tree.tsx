import { memo, useMemo, useRef, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { useFixedRows } from "../fixed-rows";
import { useStep } from "../journal";
import { Marks, StatusLine, statusOf } from "../step/status";
import { inOrder } from "./order";
import { join, type Shape } from "./shape";

const ROW = 48;

interface Props {
  shapes: ReadonlyMap<string, Shape>;
  selected: string | undefined;
  onSelect(step: string): void;
}

interface Line {
  path: string;
  name: string;
  depth: number;
}

/** All steps of the graph as a list, those of sub-graphs under theirs. */
export function StepTree({ shapes, selected, onSelect }: Props) {
  const { t } = useTranslation("job");
  const lines = useMemo(() => linesOf(shapes, "", 0), [shapes]);
  const box = useRef<HTMLElement>(null);
  const rows = useFixedRows(box, lines.length, ROW);
  const walk = (event: KeyboardEvent<HTMLElement>) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const at = lines.findIndex((line) => line.path === (event.target as HTMLElement).dataset.step);
    const next = lines[at + by];
    if (by === 0 || at < 0 || !next) return;
    event.preventDefault();
    rows.show(at + by);
    // What has only now come into view is there by the next frame.
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`[data-step="${CSS.escape(next.path)}"]`)?.focus());
  };
  return (
    <nav
      ref={box}
      aria-label={t("graph.steps")}
      onKeyDown={walk}
      className="max-h-72 self-start overflow-y-auto rounded-lg border border-line bg-surface py-1.5 lg:max-h-[min(74vh,50rem)]"
    >
      <ul className="relative" style={{ height: lines.length * ROW }}>
        {lines.slice(rows.from, rows.to).map((line, index) => (
          <Row
            key={line.path}
            line={line}
            index={rows.from + index}
            count={lines.length}
            selected={selected === line.path}
            onSelect={onSelect}
          />
        ))}
      </ul>
    </nav>
  );
}

interface RowProps {
  line: Line;
  index: number;
  count: number;
  selected: boolean;
  onSelect(step: string): void;
}

const Row = memo(function Row({ line, index, count, selected, onSelect }: RowProps) {
  const model = useStep(line.path);
  const status = statusOf(model, line.path);
  return (
    <li
      aria-setsize={count}
      aria-posinset={index + 1}
      className="absolute inset-x-1.5"
      style={{ top: index * ROW, height: ROW, paddingLeft: `${line.depth * 0.9}rem` }}
    >
      <button
        type="button"
        data-step={line.path}
        data-state={status.state}
        aria-current={selected || undefined}
        onClick={() => onSelect(line.path)}
        className="w-full rounded-md px-2 py-1 text-left -outline-offset-2 hover:bg-hover aria-[current=true]:bg-accent-soft"
      >
        <span className="flex items-center gap-1.5">
          <span className="min-w-0 flex-1 truncate text-sm font-medium" title={line.path}>
            {line.name}
          </span>
          <Marks status={status} />
        </span>
        <StatusLine status={status} />
      </button>
    </li>
  );
});

function linesOf(shapes: ReadonlyMap<string, Shape>, scope: string, depth: number): Line[] {
  const shape = shapes.get(scope);
  if (!shape) return [];
  return inOrder(shape).flatMap((node) => {
    const path = join(scope, node.id);
    return [{ path, name: node.id, depth }, ...linesOf(shapes, path, depth + 1)];
  });
}
