import { describe, expect, it } from "vitest";
import { curlCall, python, shell } from "./snippets";

describe("snippets", () => {
  it("writes JSON as Python", () => {
    expect(python({ a: [true, null, 1.5, "x\"y"], b: {} })).toBe('{"a": [True, None, 1.5, "x\\"y"], "b": {}}');
    expect(python({ long: ["x".repeat(50), "y".repeat(50)] })).toBe(`{\n    "long": [\n        "${"x".repeat(50)}",\n        "${"y".repeat(50)}",\n    ],\n}`);
  });
  it("quotes for a shell", () => {
    expect(shell("it's")).toBe(`'it'\\''s'`);
    expect(curlCall({ root: "http://x", workflow: "w", input: { a: "it's" } })).toContain(`-d '{"workflow":"w","input":{"a":"it'\\''s"}}'`);
  });
});
