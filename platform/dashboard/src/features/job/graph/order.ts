import { START, type Shape, type ShapeNode } from "./shape";

/** The nodes of a graph as one meets them going from its start; then those that cannot be reached from there. */
export function inOrder(shape: Shape): ShapeNode[] {
  const byId = new Map(shape.nodes.map((node) => [node.id, node]));
  const seen = new Set<string>();
  const waiting = [byId.has(START) ? START : (shape.nodes[0]?.id ?? "")];
  for (const id of waiting) {
    if (seen.has(id)) continue;
    seen.add(id);
    for (const edge of shape.edges) if (edge.source === id && !seen.has(edge.target)) waiting.push(edge.target);
  }
  const rest = shape.nodes.filter((node) => !seen.has(node.id)).map((node) => node.id);
  return [...seen, ...rest].flatMap((id) => byId.get(id) ?? []).filter((node) => node.kind !== "end");
}
