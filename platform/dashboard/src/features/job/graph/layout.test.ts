import { describe, expect, it } from "vitest";
import { chainsOf } from "./chains";
import { pictureOf } from "./layout";
import { inOrder } from "./order";
import { END, START, type Shape } from "./shape";

const edge = (source: string, target: string, conditional = false) => ({ source, target, conditional, label: null });
const shape = (ids: string[], edges: Shape["edges"], graphs: string[] = []): Shape => ({
  nodes: ids.map((id) => ({ id, kind: id.startsWith("__") ? "end" : graphs.includes(id) ? "graph" : "step" })),
  edges,
  seen: false,
});
const shapes = new Map([
  ["", shape([START, "plan", "work", END], [edge(START, "plan"), edge("plan", "work"), edge("work", "plan", true), edge("work", END)], ["work"])],
  ["work", shape([START, "deep", "deeper", END], [edge(START, "deep"), edge("deep", "deeper"), edge("deeper", END)])],
]);

describe("a picture", () => {
  it("has a sub-graph as one node until it is opened", () => {
    const closed = pictureOf(shapes, new Set());
    expect(closed.nodes.map((node) => node.path)).toEqual([START, "plan", "work", END]);
    expect(closed.edges).toHaveLength(4);
    expect(closed.edges.every((each) => each.points.length >= 2)).toBe(true);
  });

  it("draws it in place, inside of its node and without its ends", () => {
    const picture = pictureOf(shapes, new Set(["work"]));
    const work = picture.nodes.find((node) => node.path === "work")!;
    const inside = picture.nodes.filter((node) => node.scope === "work");
    expect(inside.map((node) => node.id)).toEqual(["deep", "deeper"]);
    for (const node of inside) {
      expect(node.x).toBeGreaterThanOrEqual(work.x);
      expect(node.y).toBeGreaterThan(work.y);
      expect(node.x + node.width).toBeLessThanOrEqual(work.x + work.width);
      expect(node.y + node.height).toBeLessThanOrEqual(work.y + work.height);
    }
    expect(work.open).toBe(true);
  });

  it("is nothing without a graph", () => {
    expect(pictureOf(new Map(), new Set()).nodes).toEqual([]);
  });

  it("goes well with loops to oneself", () => {
    const one = new Map([["", shape([START, "again", END], [edge(START, "again"), edge("again", "again"), edge("again", END, true)])]]);
    expect(pictureOf(one, new Set()).edges).toHaveLength(3);
  });
});

describe("the order of a list", () => {
  it("goes from the start, and ends with what is out of reach", () => {
    const odd = shape([START, "z", "a", "lost", END], [edge(START, "z"), edge("z", "a"), edge("a", "z", true), edge("a", END)]);
    expect(inOrder(odd).map((node) => node.id)).toEqual(["z", "a", "lost"]);
  });
});

describe("a large graph", () => {
  const ids = [START, ...Array.from({ length: 400 }, (_, index) => `s${index}`), END];
  const chain = ids.slice(1).map((id, index) => edge(ids[index]!, id));
  const picture = pictureOf(new Map([["", shape(ids, [...chain, edge("s200", "s100", true)])]]), new Set());

  it("has its nodes below one another, and every way", () => {
    expect(picture.nodes).toHaveLength(402);
    expect(picture.edges).toHaveLength(402);
    const tops = picture.nodes.map((node) => node.y);
    expect([...tops].sort((a, b) => a - b)).toEqual(tops);
    for (const node of picture.nodes) expect(node.y + node.height).toBeLessThanOrEqual(picture.height);
  });

  it("is laid out by its chains", () => {
    expect(chainsOf(ids, chain)).toEqual([ids]);
    expect(chainsOf(ids, [...chain, edge("s200", "s100", true)]).map((each) => each.length)).toEqual([101, 101, 200]);
    expect(chainsOf(["a", "b"], [edge("a", "b"), edge("b", "a")])).toEqual([]);
  });
});
