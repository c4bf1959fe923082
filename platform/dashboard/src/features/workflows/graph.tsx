import { graphlib, layout } from "@dagrejs/dagre";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";

interface Node {
  id: string;
  type?: string;
}
interface Edge {
  source: string;
  target: string;
  conditional?: boolean;
  label?: string;
}
export interface Shape {
  nodes?: Node[];
  edges?: Edge[];
}
interface Placed {
  nodes: (Node & { x: number; y: number; width: number })[];
  edges: (Edge & { path: string; head: string; middle: { x: number; y: number } })[];
  width: number;
  height: number;
}

const HEIGHT = 34;
const MARGIN = 16;
// Of the average letter at this size, in pixels.
const LETTER = 7.4;
const ENDS = ["__start__", "__end__"];

function placed(nodes: Node[], edges: Edge[]): Placed {
  const graph = new graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 22, ranksep: 46, marginx: MARGIN, marginy: MARGIN });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of nodes) graph.setNode(id, { width: ENDS.includes(id) ? 16 : Math.max(70, id.length * LETTER + 28), height: HEIGHT });
  edges.forEach((edge, index) => {
    const room = edge.label ? { width: edge.label.length * LETTER + 8, height: 16, labelpos: "c" } : {};
    graph.setEdge(edge.source, edge.target, room, String(index));
  });
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return {
    width,
    height,
    nodes: nodes.map((node) => ({ ...node, ...(graph.node(node.id) as { x: number; y: number; width: number }) })),
    edges: edges.map((edge, index) => {
      const { points } = graph.edge(edge.source, edge.target, String(index)) as { points: { x: number; y: number }[] };
      return { ...edge, ...drawn(points), middle: points[Math.floor(points.length / 2)]! };
    }),
  };
}

/** A smooth line through points, and the arrow at its end. */
function drawn(points: { x: number; y: number }[]): { path: string; head: string } {
  const [first, ...rest] = points;
  const last = rest.at(-1)!;
  let path = `M${first!.x},${first!.y}`;
  for (let index = 0; index < rest.length - 1; index += 1) {
    const at = rest[index]!;
    const next = rest[index + 1]!;
    const end = index === rest.length - 2 ? next : { x: (at.x + next.x) / 2, y: (at.y + next.y) / 2 };
    path += ` Q${at.x},${at.y} ${end.x},${end.y}`;
  }
  if (rest.length === 1) path += ` L${last.x},${last.y}`;
  const before = points.at(-2)!;
  const angle = Math.atan2(last.y - before.y, last.x - before.x);
  const corner = (turn: number) => `${last.x - 8 * Math.cos(angle + turn)},${last.y - 8 * Math.sin(angle + turn)}`;
  return { path, head: `${corner(0.45)} ${last.x},${last.y} ${corner(-0.45)}` };
}

const NONE: never[] = [];

/** A graph as a picture, read from left to right; its words for who does not see it. */
export function Graph({ shape, label }: { shape: Shape; label: string }) {
  const { t } = useTranslation("workflows");
  const { nodes = NONE, edges = NONE } = shape;
  const at = useMemo(() => placed(nodes, edges), [nodes, edges]);
  const described = edges.map((edge) => `${edge.source} → ${edge.target}`).join(", ");
  return (
    <div tabIndex={0} role="region" aria-label={label} className="overflow-auto">
      <svg role="img" aria-label={t("graph.described", { edges: described })} width={at.width} height={at.height} className="mx-auto block max-w-none">
        {at.edges.map((edge, index) => (
          <g key={index}>
            <g className="fill-none stroke-line-strong" strokeWidth={1.3}>
              <path d={edge.path} strokeDasharray={edge.conditional ? "4 4" : undefined} />
              <polyline points={edge.head} />
            </g>
            {edge.label && (
              <text x={edge.middle.x} y={edge.middle.y} textAnchor="middle" dominantBaseline="central" className="fill-soft stroke-surface text-[11px] [paint-order:stroke]" strokeWidth={4}>
                {edge.label}
              </text>
            )}
          </g>
        ))}
        {at.nodes.map((node) => (
          <NodeView key={node.id} node={node} />
        ))}
      </svg>
    </div>
  );
}

function NodeView({ node }: { node: Placed["nodes"][number] }) {
  if (ENDS.includes(node.id)) {
    return (
      <g className="stroke-line-strong" strokeWidth={1.5}>
        <circle cx={node.x} cy={node.y} r={7} className="fill-surface" />
        {node.id === "__end__" && <circle cx={node.x} cy={node.y} r={3} className="fill-line-strong" />}
      </g>
    );
  }
  const isGraph = node.type === "graph";
  return (
    <g>
      <rect
        x={node.x - node.width / 2}
        y={node.y - HEIGHT / 2}
        width={node.width}
        height={HEIGHT}
        rx={7}
        className={cx("fill-ground", isGraph ? "stroke-accent" : "stroke-line-strong")}
      />
      {isGraph && (
        <rect x={node.x - node.width / 2 + 3} y={node.y - HEIGHT / 2 + 3} width={node.width - 6} height={HEIGHT - 6} rx={5} className="fill-none stroke-accent/50" />
      )}
      <text x={node.x} y={node.y} textAnchor="middle" dominantBaseline="central" className="fill-ink text-[13px]">
        {node.id}
      </text>
    </g>
  );
}
