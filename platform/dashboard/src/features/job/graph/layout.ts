import { Graph, layout } from "@dagrejs/dagre";
import { chainsOf } from "./chains";
import { END, START, join, type Shape, type ShapeNode } from "./shape";

export interface Placed {
  /** Path of the step; `researcher/__start__` for ends. */
  path: string;
  scope: string;
  id: string;
  kind: ShapeNode["kind"];
  open: boolean;
  x: number;
  y: number;
  width: number;
  height: number;
  depth: number;
}
export interface Routed {
  scope: string;
  source: string;
  target: string;
  conditional: boolean;
  label: string | null;
  points: { x: number; y: number }[];
}
export interface Picture {
  nodes: Placed[];
  edges: Routed[];
  width: number;
  height: number;
}

// From so many nodes on a layout that is good enough is better than one that is waited for.
const MANY = 60;
const FAST = { ranker: "longest-path" } as const;
const GAP = 32;
const STEP = { width: 196, height: 50 };
const PILL = { width: 62, height: 26 };
const HEAD = 40;
const PAD = 14;
const LABEL = { perChar: 6.4, height: 18, pad: 10 };

/** Where everything of a graph is drawn; the sub-graphs whose paths are in `open` are drawn inside of their nodes. */
export function pictureOf(shapes: ReadonlyMap<string, Shape>, open: ReadonlySet<string>): Picture {
  return placed(shapes, open, "", 0);
}

function placed(shapes: ReadonlyMap<string, Shape>, open: ReadonlySet<string>, scope: string, depth: number): Picture {
  const shape = scope === "" ? shapes.get(scope) : inner(shapes.get(scope));
  const picture: Picture = { nodes: [], edges: [], width: 0, height: 0 };
  if (!shape) return picture;
  const graph = new Graph({ multigraph: true });
  const many = shape.nodes.length > MANY;
  graph.setGraph({ rankdir: "TB", nodesep: 26, ranksep: GAP, edgesep: 18, marginx: 4, marginy: 4, ...(many ? FAST : {}) });
  graph.setDefaultEdgeLabel(() => ({}));
  const insides = new Map<string, Picture>();
  const sizes = new Map<string, Size>();
  for (const node of shape.nodes) {
    const path = join(scope, node.id);
    if (open.has(path) && shapes.has(path)) insides.set(node.id, placed(shapes, open, path, depth + 1));
    sizes.set(node.id, sizeOf(node, insides.get(node.id)));
  }
  // What is laid out as one stands under its first node.
  const heads = new Map(shape.nodes.map((node) => [node.id, node.id]));
  const chains = new Map((many ? chainsOf([...heads.keys()], shape.edges) : []).map((chain) => [chain[0]!, chain]));
  for (const [head, chain] of chains) for (const id of chain) heads.set(id, head);
  for (const head of new Set(heads.values())) graph.setNode(head, stackOf(chains.get(head) ?? [head], sizes));
  for (const edge of shape.edges) {
    const [source, target] = [heads.get(edge.source), heads.get(edge.target)];
    if (source === undefined || target === undefined || (source === target && source !== edge.target)) continue;
    const room = edge.label
      ? { width: edge.label.length * LABEL.perChar + LABEL.pad, height: LABEL.height, labelpos: "c" }
      : {};
    graph.setEdge({ v: source, w: target }, { ...room });
  }
  layout(graph);
  const tops = new Map<string, Box>();
  for (const head of new Set(heads.values())) {
    const at = graph.node(head) as { x: number; y: number; height: number };
    let top = at.y - at.height / 2;
    for (const id of chains.get(head) ?? [head]) {
      const size = sizes.get(id)!;
      tops.set(id, { ...size, left: at.x - size.width / 2, top });
      top += size.height + GAP;
    }
  }
  for (const node of shape.nodes) {
    const inside = insides.get(node.id);
    const { left, top, width, height } = tops.get(node.id)!;
    picture.nodes.push({ path: join(scope, node.id), scope, ...node, open: inside !== undefined, x: left, y: top, width, height, depth });
    if (inside) place(picture, inside, left + (width - inside.width) / 2, top + HEAD);
  }
  for (const edge of shape.edges) {
    const [source, target] = [heads.get(edge.source), heads.get(edge.target)];
    if (source === undefined || target === undefined) continue;
    const within = source === target && source !== edge.target;
    const points = within
      ? straight(tops.get(edge.source)!, tops.get(edge.target)!)
      : (graph.edge({ v: source, w: target }) as { points?: Routed["points"] } | undefined)?.points;
    if (points) picture.edges.push({ scope, ...edge, points: points.map(({ x, y }) => ({ x, y })) });
  }
  const size = graph.graph() as { width?: number; height?: number };
  picture.width = size.width ?? 0;
  picture.height = size.height ?? 0;
  return picture;
}

function place(into: Picture, inside: Picture, x: number, y: number): void {
  for (const node of inside.nodes) into.nodes.push({ ...node, x: node.x + x, y: node.y + y });
  for (const edge of inside.edges) {
    into.edges.push({ ...edge, points: edge.points.map((point) => ({ x: point.x + x, y: point.y + y })) });
  }
}

interface Size {
  width: number;
  height: number;
}
interface Box extends Size {
  left: number;
  top: number;
}

/** The room of some nodes one below the other. */
function stackOf(ids: readonly string[], sizes: ReadonlyMap<string, Size>): Size {
  const all = ids.map((id) => sizes.get(id)!);
  return {
    width: Math.max(...all.map((size) => size.width)),
    height: all.reduce((sum, size) => sum + size.height, (all.length - 1) * GAP),
  };
}

function straight(from: Box, to: Box): Routed["points"] {
  const x = from.left + from.width / 2;
  return [
    { x, y: from.top + from.height },
    { x, y: to.top },
  ];
}

function sizeOf(node: ShapeNode, inside: Picture | undefined): Size {
  if (node.kind === "end") return PILL;
  if (!inside) return STEP;
  return { width: Math.max(STEP.width, inside.width + 2 * PAD), height: inside.height + HEAD + PAD };
}

/** A sub-graph without its ends, which its node stands for, unless what leads there depends on something. */
function inner(shape: Shape | undefined): Shape | undefined {
  if (!shape) return undefined;
  const needless = new Set(
    [START, END].filter((end) => {
      const touching = shape.edges.filter((edge) => edge.source === end || edge.target === end);
      return touching.every((edge) => !edge.conditional);
    }),
  );
  return {
    ...shape,
    nodes: shape.nodes.filter((node) => !needless.has(node.id)),
    edges: shape.edges.filter((edge) => !needless.has(edge.source) && !needless.has(edge.target)),
  };
}
