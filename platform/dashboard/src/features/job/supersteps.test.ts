import { describe, expect, it } from "vitest";
import { modelOf, T0, type Line } from "./fixtures";
import { END, START, shapesOf, type Shape } from "./graph/shape";
import { edgeKey, takenEdges } from "./graph/taken";
import type { Checkpoint } from "./queries";
import { places, supersteps } from "./supersteps";

let ids = 0;
const ran = (from: number, to: number, attempt: number, ...steps: string[]): Line[] => {
  const named = steps.map((step) => [step, `${step}${ids++}`] as const);
  return [
    ...named.map(([step, id]): Line => [from, attempt, "step.started", step, { id }]),
    ...named.map(([step, id]): Line => [to, attempt, "step.finished", step, { id }]),
  ];
};
const begun: Line[] = [
  [0, 0, "job.queued"],
  [1, 1, "job.started"],
];
const checkpoint = (id: string, step: number, source: string, second: number): Checkpoint => ({
  id,
  step,
  source,
  created_at: new Date(T0 + second * 1_000).toISOString(),
  parent_id: null,
  job_id: null,
});
const edge = (source: string, target: string, conditional = false) => ({ source, target, conditional, label: null });
const LOOP: Shape = {
  nodes: [START, "plan", "item", "check", END].map((id) => ({ id, kind: id.startsWith("__") ? "end" : "step" })),
  edges: [edge(START, "plan"), edge("plan", "item", true), edge("item", "check"), edge("check", "plan", true), edge("check", END, true)],
  seen: false,
};
const names = (steps: ReturnType<typeof supersteps>) => steps.map((step) => step.tasks.map((task) => task.step));

describe("supersteps", () => {
  it("are what ran together", () => {
    const model = modelOf(...begun, ...ran(1, 2, 1, "plan"), ...ran(2, 3, 1, "item", "item"), ...ran(3, 4, 1, "check"));
    expect(names(supersteps(model.tasks))).toEqual([["plan"], ["item", "item"], ["check"]]);
  });

  it("go on in the next attempt where they were not finished", () => {
    const model = modelOf(
      ...begun,
      ...ran(1, 2, 1, "plan"),
      [2, 1, "step.started", "item", { id: "x" }],
      [3, 1, "step.failed", "item", { id: "x", error: "no" }],
      [3, 1, "attempt.failed"],
      [4, 2, "job.started"],
      ...ran(4, 5, 2, "item"),
      ...ran(5, 6, 2, "check"),
    );
    expect(names(supersteps(model.tasks))).toEqual([["plan"], ["item", "item"], ["check"]]);
  });
});

describe("places to go on from", () => {
  it("stand behind the step whose checkpoint they are", () => {
    const model = modelOf(...begun, ...ran(1, 2, 1, "plan"), ...ran(2.1, 3, 1, "item", "item"), ...ran(3.1, 4, 1, "check"));
    const found = places(
      [
        checkpoint("5", 3, "loop", 4.002),
        checkpoint("4", 2, "loop", 2.999),
        checkpoint("3", 1, "loop", 2.001),
        checkpoint("2", 0, "loop", 0.9),
        checkpoint("1", -1, "input", 0.8),
      ],
      supersteps(model.tasks),
    );
    expect(found.map((place) => [place.checkpoint.id, place.after.join(), place.next.join()])).toEqual([
      ["5", "check", ""],
      ["4", "item", "check"],
      ["3", "plan", "item"],
      ["2", "", "plan"],
      ["1", "", "plan"],
    ]);
  });

  it("gives each its checkpoint in order, where steps are quicker than their checkpoints", () => {
    const model = modelOf(...begun, ...ran(1, 1.001, 1, "plan"), ...ran(1.001, 1.002, 1, "item"), ...ran(1.002, 1.003, 1, "check"));
    const found = places([checkpoint("3", 3, "loop", 1.3), checkpoint("2", 2, "loop", 1.2), checkpoint("1", 1, "loop", 0.9)], supersteps(model.tasks));
    expect(found.map((place) => place.after.join())).toEqual(["check", "item", "plan"]);
  });
});

describe("the path taken", () => {
  it("goes round a loop and out of it", () => {
    const model = modelOf(
      ...begun,
      ...ran(1, 2, 1, "plan"),
      ...ran(2, 3, 1, "item", "item"),
      ...ran(3, 4, 1, "check"),
      ...ran(4, 5, 1, "plan"),
      ...ran(5, 6, 1, "item"),
      ...ran(6, 7, 1, "check"),
    );
    const taken = takenEdges(new Map([["", LOOP]]), model.steps, model.tasks, true);
    expect(Object.fromEntries(taken)).toEqual({
      [edgeKey("", START, "plan")]: 1,
      [edgeKey("", "plan", "item")]: 2,
      [edgeKey("", "item", "check")]: 2,
      [edgeKey("", "check", "plan")]: 1,
      [edgeKey("", "check", END)]: 1,
    });
  });

  it("leaves out branches that were not taken, and the end while it runs", () => {
    const model = modelOf(...begun, ...ran(1, 2, 1, "plan"), [2, 1, "step.started", "check", { id: "c" }]);
    const taken = takenEdges(new Map([["", LOOP]]), model.steps, model.tasks, false);
    expect([...taken.keys()]).toEqual([edgeKey("", START, "plan")]);
  });
});

describe("shapes", () => {
  const workflow = {
    graph: {
      nodes: [{ id: START, type: "schema" }, { id: "inner", type: "graph" }],
      edges: [{ source: START, target: "inner" }],
      subgraphs: { inner: { nodes: [{ id: "deep", type: "step" }], edges: [] } },
    },
  } as never;

  it("are those stored with the version", () => {
    const shapes = shapesOf(workflow, new Map());
    expect([...shapes.keys()]).toEqual(["", "inner"]);
    expect(shapes.get("")!.nodes[1]).toEqual({ id: "inner", kind: "graph" });
  });

  it("are completed by what has run", () => {
    const model = modelOf(
      ...begun,
      [1, 1, "step.started", "made_up", { id: "m" }],
      [1, 1, "step.started", "made_up/one", { id: "1" }],
      [2, 1, "step.finished", "made_up/one", { id: "1" }],
      [2, 1, "step.started", "made_up/two", { id: "2" }],
    );
    const shapes = shapesOf(workflow, model.steps);
    expect(shapes.get("")!.nodes.map((node) => [node.id, node.kind])).toEqual([
      [START, "end"],
      ["inner", "graph"],
      ["made_up", "graph"],
    ]);
    expect(shapes.get("made_up")).toEqual({
      nodes: [
        { id: "one", kind: "step" },
        { id: "two", kind: "step" },
      ],
      edges: [edge("one", "two")],
      seen: true,
    });
  });
});
