import type { EdgeProps, EdgeTypes } from "@xyflow/react";
import { memo } from "react";
import type { StepEdge } from "./hand";
import type { Routed } from "./layout";

const MARKERS = { taken: "way-taken", open: "way-open", passed: "way-passed" } as const;
const COLORS = { taken: "var(--accent)", open: "var(--line-strong)", passed: "var(--line-strong)" } as const;

/** The heads of the arrows, once for all pictures of the page. */
export function Arrows() {
  return (
    <svg aria-hidden className="absolute size-0">
      <defs>
        {(["taken", "open", "passed"] as const).map((kind) => (
          <marker key={kind} id={MARKERS[kind]} viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto-start-reverse">
            <path d="M0 1 L9 5 L0 9 z" fill={COLORS[kind]} />
          </marker>
        ))}
      </defs>
    </svg>
  );
}

/** The way from one step to another: strong where the job has gone along it, dashed where it depends on something. */
const Way = memo(function Way({ data }: EdgeProps<StepEdge>) {
  if (!data) return null;
  const { routed, times, over } = data;
  const kind = times > 0 ? "taken" : over ? "passed" : "open";
  const middle = routed.points[Math.floor(routed.points.length / 2)];
  const words = [routed.label, times > 1 && `×${times}`].filter(Boolean).join(" ");
  return (
    <g data-edge={`${routed.source}→${routed.target}`} data-taken={times > 0 || undefined} opacity={kind === "passed" ? 0.55 : 1}>
      <path
        d={curve(routed.points)}
        fill="none"
        stroke={COLORS[kind]}
        strokeWidth={kind === "taken" ? 2.4 : 1.2}
        strokeDasharray={routed.conditional ? "5 4" : undefined}
        markerEnd={`url(#${MARKERS[kind]})`}
      />
      {words && middle && (
        <text
          x={middle.x}
          y={middle.y}
          textAnchor="middle"
          dominantBaseline="middle"
          className="fill-soft stroke-surface text-[11px] [paint-order:stroke] [stroke-width:5px]"
        >
          {words}
        </text>
      )}
    </g>
  );
});

export const edgeTypes: EdgeTypes = { way: Way };

/** A smooth line: through the middles between the points, drawn towards the points. */
export function curve(points: Routed["points"]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${first.x} ${first.y}`;
  rest.forEach((point, index) => {
    const next = rest[index + 1];
    if (next) path += ` Q${point.x} ${point.y} ${(point.x + next.x) / 2} ${(point.y + next.y) / 2}`;
    else path += ` L${point.x} ${point.y}`;
  });
  return path;
}
