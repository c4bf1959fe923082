import { describe, expect, it } from "vitest";
import type { Job } from "@/api/client";
import { asCurl, asPython, asPythonValue } from "./code";
import { optionsOf } from "./options";

const SUBMISSION = { workflow: "report", input: { topic: "Joana's rain", flag: true }, options: { priority: 5 } };

describe("code", () => {
  it("is quoted for a shell", () => {
    const curl = asCurl(SUBMISSION, "http://host/api/v1");
    expect(curl).toContain("curl -X POST http://host/api/v1/jobs \\\n");
    expect(curl).toContain("Joana'\\''s rain");
    expect(curl).toContain('"priority": 5');
  });

  it("is Python", () => {
    expect(asPythonValue({ a: [true, null, 1.5], b: 'x"y' })).toBe('{"a": [True, None, 1.5], "b": "x\\"y"}');
    expect(asPythonValue({ text: "x".repeat(80) })).toBe(`{\n    "text": "${"x".repeat(80)}",\n}`);
    expect(asPython(SUBMISSION, "http://host")).toContain('        "report",\n        {"topic": "Joana\'s rain", "flag": True},\n        priority=5,\n    )');
  });
});

describe("options of an earlier job", () => {
  it("are without defaults", () => {
    const job = {
      priority: 0,
      max_attempts: 3,
      retry: { failures: 2, backoff_seconds: 1, factor: 2, max_backoff_seconds: 300 },
      limits: { step_seconds: null, attempt_seconds: 5, job_seconds: null },
      budget: null,
      metadata: {},
    } as unknown as Job;
    expect(optionsOf(job)).toEqual({ max_attempts: 3, retry: { failures: 2 }, limits: { attempt_seconds: 5 } });
  });
});
