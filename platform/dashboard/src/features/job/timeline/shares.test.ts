import { describe, expect, it } from "vitest";
import { modelOf, T0 } from "../fixtures";
import { coveredBy, longestSteps, sharesOf } from "./shares";

const call = (milliseconds: number, more = {}) => ({ model: "m", answer: "", milliseconds, ...more });
const model = modelOf(
  [0, 0, "job.queued"],
  [2, 1, "job.started"],
  [3, 1, "step.started", "outer", { id: "o" }],
  [3, 1, "step.started", "outer/a", { id: "a" }],
  [4, 1, "step.started", "outer/b", { id: "b" }],
  [6, 1, "model.call", "b", call(1_500)],
  [6, 1, "model.call", "b", call(9_000, { replayed: true })],
  [6, 1, "step.finished", "outer/a", { id: "a" }],
  [7, 1, "attempt.lost"],
  [10, 2, "job.started"],
  [10, 2, "step.started", "ask", { id: "c" }],
  [11, 2, "step.interrupted", "ask", { id: "c" }],
  [11, 2, "job.paused", null, { waiting_for: "approval" }],
);

describe("where the time went", () => {
  it("tells waiting, models, steps and the rest apart, and adds up", () => {
    const shares = sharesOf(model, T0 + 21_000);
    expect(Object.fromEntries(shares.map((share) => [share.kind, share.milliseconds]))).toEqual({
      queued: 2_000,
      retry: 3_000,
      held: 10_000,
      models: 1_500,
      steps: 3_500,
      between: 1_000,
    });
    expect(shares.reduce((sum, share) => sum + share.milliseconds, 0)).toBe(21_000);
  });

  it("names the steps that took longest, not those round them", () => {
    expect(longestSteps(model.steps, T0, 2)).toEqual([
      { step: "outer/a", milliseconds: 3_000 },
      { step: "outer/b", milliseconds: 3_000 },
    ]);
  });

  it("counts what ran side by side once", () => {
    expect(coveredBy(model.tasks, T0)).toBe(5_000);
  });
});
