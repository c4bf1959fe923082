import type { Workflow } from "@/api/client";
import type { StepView } from "../records";
import { byScope, supersteps } from "../supersteps";

export const START = "__start__";
export const END = "__end__";

export interface ShapeNode {
  id: string;
  /** `graph`: it has a graph of its own. */
  kind: "end" | "step" | "graph";
}
export interface ShapeEdge {
  source: string;
  target: string;
  conditional: boolean;
  label: string | null;
}
/** One graph, without what is inside of its nodes. */
export interface Shape {
  nodes: ShapeNode[];
  edges: ShapeEdge[];
  /** Nobody has stored it: it is what the journal shows of it. */
  seen: boolean;
}

type Json = Record<string, unknown>;
const list = (value: unknown): Json[] =>
  Array.isArray(value) ? value.filter((each): each is Json => typeof each === "object" && each !== null) : [];

/**
 * The graphs of a workflow by the path of the step they are inside of, `""` being the outermost: as stored with its
 * version, and completed by steps that have run without being a node of any of them.
 */
export function shapesOf(workflow: Workflow | undefined, steps: ReadonlyMap<string, StepView>): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  if (workflow) {
    const outermost = stored(workflow.graph);
    if (outermost) shapes.set("", outermost);
    for (const [path, graph] of Object.entries((workflow.graph.subgraphs ?? {}) as Json)) {
      const shape = stored(graph);
      if (shape) shapes.set(path, shape);
    }
  }
  complete(shapes, steps);
  // A step is a graph when there is something inside of it.
  for (const [scope, shape] of shapes) {
    for (const node of shape.nodes) {
      if (node.kind === "step" && shapes.has(join(scope, node.id))) node.kind = "graph";
    }
  }
  return shapes;
}

/** Whether a step stands in the graphs. */
export function isIn(shapes: ReadonlyMap<string, Shape>, path: string): boolean {
  const cut = path.lastIndexOf("/");
  const shape = shapes.get(cut < 0 ? "" : path.slice(0, cut));
  return shape !== undefined && namesIn(shape).has(path.slice(cut + 1));
}

const names = new WeakMap<Shape, ReadonlySet<string>>();

function namesIn(shape: Shape): ReadonlySet<string> {
  let found = names.get(shape);
  if (!found) {
    found = new Set(shape.nodes.map((node) => node.id));
    names.set(shape, found);
  }
  return found;
}

export const join = (scope: string, id: string) => (scope ? `${scope}/${id}` : id);

function stored(graph: unknown): Shape | null {
  const { nodes, edges } = (graph ?? {}) as Json;
  const found = list(nodes).map((node): ShapeNode => {
    const id = String(node.id);
    return { id, kind: id === START || id === END ? "end" : node.type === "graph" ? "graph" : "step" };
  });
  if (found.length === 0) return null;
  return {
    nodes: found,
    edges: list(edges).map((edge) => ({
      source: String(edge.source),
      target: String(edge.target),
      conditional: edge.conditional === true,
      label: typeof edge.label === "string" && edge.label !== "" ? edge.label : null,
    })),
    seen: false,
  };
}

/** Adds what has run and stands in no graph: nodes, and for graphs that nobody has stored the order they ran in. */
function complete(shapes: Map<string, Shape>, steps: ReadonlyMap<string, StepView>): void {
  const tasks = [...steps.values()].flatMap((step) => step.tasks).sort((a, b) => a.startedSeq - b.startedSeq);
  for (const [scope, own] of byScope(tasks)) {
    let shape = shapes.get(scope);
    if (!shape) {
      shape = { nodes: [], edges: [], seen: true };
      shapes.set(scope, shape);
    }
    const known = new Set(shape.nodes.map((node) => node.id));
    const ran = own.map((task) => task.step.slice(scope ? scope.length + 1 : 0));
    for (const name of new Set(ran)) if (!known.has(name)) shape.nodes.push({ id: name, kind: "step" });
    if (shape.seen) shape.edges = asTheyRan(scope, supersteps(own));
  }
}

function asTheyRan(scope: string, steps: ReturnType<typeof supersteps>): ShapeEdge[] {
  const edges = new Map<string, ShapeEdge>();
  const nameOf = (path: string) => path.slice(scope ? scope.length + 1 : 0);
  steps.slice(1).forEach((step, index) => {
    for (const before of new Set(steps[index]!.tasks.map((task) => nameOf(task.step)))) {
      for (const name of new Set(step.tasks.map((task) => nameOf(task.step)))) {
        edges.set(`${before}→${name}`, { source: before, target: name, conditional: false, label: null });
      }
    }
  });
  return [...edges.values()];
}
