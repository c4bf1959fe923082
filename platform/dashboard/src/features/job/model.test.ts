import { describe, expect, it } from "vitest";
import { journal, modelOf, T0, type Line } from "./fixtures";
import { runsOf, stateOf, tasksOf } from "./records";

describe("a job that succeeds", () => {
  const model = modelOf(
    [0, 0, "job.queued"],
    [2, 1, "job.started", null, { worker: "vm-1" }],
    [3, 1, "step.started", "plan", { id: "a", input: { n: 1 } }],
    [4, 1, "step.finished", "plan", { id: "a", output: { n: 2 } }],
    [4, 1, "step.started", "item", { id: "b1" }],
    [4, 1, "step.started", "item", { id: "b2" }],
    [5, 1, "progress", "item", { done: 1, total: 2, what: "files" }],
    [6, 1, "step.finished", "item", { id: "b2", cached: true }],
    [7, 1, "step.finished", "item", { id: "b1" }],
    [7, 1, "artifact", "item", { name: "a.md", size: 12 }],
    [8, 1, "job.succeeded"],
  );

  it("has its steps and their tasks", () => {
    expect([...model.steps.keys()]).toEqual(["plan", "item"]);
    expect(model.tasks.map((task) => task.id)).toEqual(["a", "b1", "b2"]);
    expect(model.steps.get("plan")!.tasks[0]).toMatchObject({ input: { n: 1 }, output: { n: 2 }, state: "done" });
    expect(model.steps.get("item")!.tasks[1]!.cached).toBe(true);
    expect(stateOf(model.steps.get("item"))).toBe("done");
    expect(stateOf(undefined)).toBe("pending");
    const runs = runsOf(model.steps.get("item"))!;
    expect(runs.to - runs.from).toBe(3_000);
    expect(runs.counts).toMatchObject({ done: 2, running: 0 });
  });

  it("tells waiting from running", () => {
    expect(model.spent(["queued"], T0)).toBe(2_000);
    expect(model.spent(["running"], T0)).toBe(6_000);
    expect(model.attempts).toMatchObject([{ attempt: 1, worker: "vm-1", waitedFrom: T0, outcome: "succeeded" }]);
    expect(model.state).toBe("succeeded");
    expect(model.artifacts.get("a.md")).toBe(12);
  });

  it("takes nothing twice", () => {
    const before = model.events.length;
    model.take(journal([0, 0, "job.queued"], [2, 1, "job.started"]));
    expect(model.events.length).toBe(before);
  });
});

describe("a job that fails, is tried again and retried", () => {
  const failure = { error: { code: "step_failed", message: "ValueError: no (a.py:1)", kind: "ValueError", step: "shaky" } };
  const lines: Line[] = [
    [0, 0, "job.queued"],
    [1, 1, "job.started"],
    [2, 1, "step.started", "shaky", { id: "x" }],
    [3, 1, "step.failed", "shaky", { id: "x", error: "no" }],
    [4, 1, "attempt.failed", null, { ...failure, retry_at: "2026-01-01T00:00:09Z" }],
  ];

  it("keeps the first error with what its attempt said of it", () => {
    const model = modelOf(...lines);
    expect(model.trouble).toMatchObject({ code: "step_failed", kind: "ValueError", step: "shaky", attempt: 1, seq: 4 });
    expect(model.retryAt).toBe(T0 + 9_000);
    expect(model.state).toBe("queued");
    expect(model.attempts[0]).toMatchObject({ outcome: "failed", why: "ValueError: no (a.py:1)" });
  });

  it("forgets it when it is retried, and knows where the next attempt goes on", () => {
    const model = modelOf(
      ...lines,
      [9, 2, "job.started"],
      [10, 2, "step.started", "shaky", { id: "x" }],
      [11, 2, "step.failed", "shaky", { id: "x", error: "still no" }],
      [12, 2, "job.dead", null, { error: { code: "step_failed", message: "still no", step: "shaky" } }],
      [13, 2, "job.retried", null, { version: "2" }],
      [14, 3, "job.started"],
      [14, 3, "attempt.resumed", null, { after_step: 0 }],
      [15, 3, "step.started", "shaky", { id: "x" }],
    );
    expect(model.trouble).toBeNull();
    expect(model.attempts[2]).toMatchObject({ attempt: 3, afterStep: 0, waitedFrom: T0 + 13_000 });
    expect(stateOf(model.steps.get("shaky"))).toBe("running");
    expect(stateOf(model.steps.get("shaky"), 1)).toBe("failed");
    expect(tasksOf(model.steps.get("shaky"), 2)).toHaveLength(1);
    expect(model.retryAt).toBeNull();
  });
});

describe("attempts that end under their steps", () => {
  it("leaves steps broken off when a worker is lost, and says why", () => {
    const model = modelOf(
      [0, 0, "job.queued"],
      [1, 1, "job.started"],
      [2, 1, "step.started", "work", { id: "x" }],
      [3, 1, "attempt.lost", null, { why: "killed by signal 9" }],
    );
    expect(stateOf(model.steps.get("work"))).toBe("broken");
    expect(model.trouble).toMatchObject({ code: "attempt_lost", message: "killed by signal 9" });
  });

  it("says why it was handed back, which is no error", () => {
    const model = modelOf(
      [0, 0, "job.queued"],
      [1, 1, "job.started"],
      [2, 1, "attempt.blocked_loop", "work", { step: "work", seconds: 3, where: "a.py:7" }],
      [3, 1, "attempt.handed_back"],
    );
    expect(model.trouble).toBeNull();
    expect(model.attempts[0]).toMatchObject({ outcome: "handed_back", why: "a.py:7" });
  });

  it("holds steps that wait for people", () => {
    const model = modelOf(
      [0, 0, "job.queued"],
      [1, 1, "job.started"],
      [2, 1, "step.started", "ask", { id: "x" }],
      [3, 1, "step.interrupted", "ask", { id: "x" }],
      [3, 1, "approval.requested", "ask", { id: "a1" }],
      [4, 1, "job.paused", null, { waiting_for: "approval" }],
    );
    expect(model.waitingFor).toBe("approval");
    expect(stateOf(model.steps.get("ask"))).toBe("interrupted");
    expect(model.marks.approvals).toBe(1);
    expect(model.spent(["paused"], T0 + 10_000)).toBe(6_000);
  });

  it("knows forks and what took their place", () => {
    const model = modelOf([0, 0, "job.queued", null, { forked_from: "f" }], [1, 0, "job.succeeded", null, { superseded_by: "s" }]);
    expect(model.forkedFrom).toBe("f");
    expect(model.supersededBy).toBe("s");
  });
});

describe("what models say", () => {
  const call = (answer: string, more = {}) => ({ model: "m", prompt: [{ role: "human", content: "?" }], answer, milliseconds: 500, ...more });
  const model = modelOf(
    [0, 0, "job.queued"],
    [1, 1, "job.started"],
    [1, 1, "step.started", "writer", { id: "w" }],
    [1, 1, "step.started", "writer/draft", { id: "d" }],
    [2, 1, "model.tokens", "writer/draft", { message: "m1", text: "Hel" }],
    [3, 1, "model.tokens", "writer/draft", { message: "m1", text: "lo" }],
    [4, 1, "model.call", "draft", call("Hello", { input_tokens: 5, output_tokens: 2, cached_tokens: 1, cost: 0.0002 })],
    [5, 1, "model.call", "draft", call("again", { replayed: true })],
    [6, 1, "model.tokens", "writer/draft", { message: "m2", text: "And" }],
  );

  it("joins what was streamed with the record of its call", () => {
    expect(model.speeches.map((speech) => [speech.text, speech.call?.answer ?? null])).toEqual([
      ["Hello", "Hello"],
      ["again", "again"],
      ["And", null],
    ]);
  });

  it("finds the step that a call was in, and counts its tokens once", () => {
    expect(model.calls.map((each) => each.step)).toEqual(["writer/draft", "writer/draft"]);
    expect(model.steps.get("writer/draft")!.calls).toHaveLength(2);
    expect(model.tokens).toEqual({ input: 5, output: 2, cached: 1 });
    expect(model.calls.map((each) => each.cost)).toEqual([0.0002, 0]);
  });

  it("bears with what user code writes", () => {
    const odd = modelOf(
      [0, 0, "job.queued"],
      [1, 1, "progress", "nowhere", { done: "x" }],
      [1, 1, "custom", "x", { value: 1 }],
      [1, 1, "step.finished", "never-began", { id: "?" }],
      [1, 1, "model.call", "x", { prompt: 7, answer: null, input_tokens: "many" }],
    );
    expect(odd.events).toHaveLength(5);
    expect(odd.calls[0]).toMatchObject({ prompt: [], answer: "", inputTokens: 0 });
  });
});
