import { describe, expect, it } from "vitest";
import { modelOf, T0, type Line } from "../fixtures";
import { density, groupKey, lanesOf, rowsOf, ticks, type BarsItem } from "./rows";

const task = (from: number, to: number, step: string, id: string): Line[] => [
  [from, 1, "step.started", step, { id }],
  [to, 1, "step.finished", step, { id }],
];
const many = Array.from({ length: 30 }, (_, index): Line[] => [[5, 1, "step.started", "item", { id: `i${index}` }]]).flat();
const model = modelOf(
  [0, 0, "job.queued"],
  [2, 1, "job.started"],
  [2, 1, "step.started", "outer", { id: "o" }],
  ...task(2, 3, "outer/a", "a"),
  [3, 1, "model.call", "b", {}],
  ...task(3, 4, "outer/b", "b"),
  [5, 1, "step.finished", "outer", { id: "o" }],
  ...many,
  [6, 1, "attempt.lost"],
  [9, 2, "job.started"],
  [9, 2, "step.started", "item", { id: "j" }],
);
const bars = (opened: string[] = []) =>
  rowsOf(model.attempts, model.tasks, model.calls, new Set(opened), T0 + 12_000).filter((item): item is BarsItem => item.kind === "bars");

describe("a timeline", () => {
  it("has an axis for each attempt, and its wait apart", () => {
    const attempts = rowsOf(model.attempts, model.tasks, model.calls, new Set(), T0 + 12_000).filter((item) => item.kind === "attempt");
    expect(attempts.map((item) => [item.waited, item.to - item.from])).toEqual([
      [2_000, 4_000],
      [3_000, 3_000],
    ]);
  });

  it("has steps under those that they are inside of, and many tasks as one row", () => {
    expect(bars().map((row) => [row.attempt, row.step, row.depth, row.tasks.length, row.grouped])).toEqual([
      [1, "outer", 0, 1, false],
      [1, "outer/a", 1, 1, false],
      [1, "outer/b", 1, 1, false],
      [1, "item", 0, 30, true],
      [2, "item", 0, 1, false],
    ]);
    expect(bars([groupKey(1, "item")]).filter((row) => row.step === "item" && row.attempt === 1)).toHaveLength(30);
  });

  it("puts what ran at once into lanes", () => {
    const lanes = lanesOf(modelOf(...task(0, 2, "x", "1"), [1, 1, "step.started", "x", { id: "2" }], ...task(2, 3, "x", "3")).tasks);
    expect(lanes.map((lane) => lane.map((each) => each.id))).toEqual([["1", "3"], ["2"]]);
  });

  it("counts how many ran at a time", () => {
    const { tasks } = modelOf(...task(0, 2, "x", "1"), ...task(1, 4, "x", "2"));
    expect(density(tasks, T0, T0 + 4_000, 4)).toEqual([1, 2, 1, 1]);
  });

  it("has round times on its axis", () => {
    expect(ticks(9_000)).toEqual([0, 2_000, 4_000, 6_000, 8_000]);
    expect(ticks(3 * 86_400_000)).toHaveLength(7);
    expect(ticks(0)).toEqual([0]);
  });
});
