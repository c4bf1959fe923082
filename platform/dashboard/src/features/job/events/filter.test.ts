import { describe, expect, it } from "vitest";
import { journal } from "../fixtures";
import { ALL, Choices, Filtered, jsonLines, matches } from "./filter";

const events = journal(
  [0, 0, "job.queued"],
  [1, 1, "step.started", "research/plan", { input: "Bees" }],
  [2, 1, "model.tokens", "research/plan", { text: "b" }],
  [3, 1, "step.finished", "research/plan"],
  [4, 1, "warning", "write", { code: "slow" }],
);
const seqs = (filter: Partial<typeof ALL>) => events.filter((event) => matches(event, { ...ALL, ...filter })).map((event) => event.seq);

describe("filters", () => {
  it("leave tokens out until they are asked for", () => {
    expect(seqs({})).toEqual([1, 2, 4, 5]);
    expect(seqs({ tokens: true })).toEqual([1, 2, 3, 4, 5]);
    expect(seqs({ type: "model.tokens" })).toEqual([3]);
  });

  it("go by type, kind of type, step and what is inside of it, and text", () => {
    expect(seqs({ type: "step." })).toEqual([2, 4]);
    expect(seqs({ type: "warning" })).toEqual([5]);
    expect(seqs({ step: "research" })).toEqual([2, 4]);
    expect(seqs({ text: "BEES" })).toEqual([2]);
  });

  it("grow with the journal, and find an event by its number", () => {
    const filtered = new Filtered(ALL);
    expect(filtered.grow(events.slice(0, 2))).toHaveLength(2);
    expect(filtered.grow(events)).toHaveLength(4);
    expect(filtered.indexOf(5)).toBe(3);
    expect(filtered.indexOf(3)).toBe(-1);
  });

  it("have their choices from what has come so far", () => {
    const choices = new Choices();
    expect(choices.grow(events.slice(0, 2))).toMatchObject({ types: ["job.queued", "step.started"], steps: ["research/plan"] });
    const { types } = choices;
    expect(choices.grow(events.slice(0, 2)).types).toBe(types);
    expect(choices.grow(events).steps).toEqual(["research/plan", "write"]);
  });

  it("can be taken away as lines", () => {
    expect(jsonLines(events).split("\n")).toHaveLength(6);
  });
});
