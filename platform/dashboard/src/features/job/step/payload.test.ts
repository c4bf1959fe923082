import { describe, expect, it } from "vitest";
import { hints, isPreview, sourcesIn, thoughtsIn } from "./payload";

const evidence = [
  { id: "E1", document_id: "d", document_name: "a.md", page: 1, start: 3, end: 9, quote: "low", score: 0.1, question: "?" },
  { id: "E2", document_name: "b.md", quote: "high", score: 0.9 },
];
const steps = [{ thought: "so", claim: "then", evidence_ids: ["E1"], confidence: 0.5, origin: "rule" }];

describe("payloads", () => {
  it("are previews only when they are nothing else", () => {
    expect(isPreview({ preview: "{", bytes: 9_000 })).toBe(true);
    expect(isPreview({ preview: "{", bytes: 9_000, more: 1 })).toBe(false);
    expect(isPreview(null)).toBe(false);
  });

  it("have sources, best first", () => {
    expect(sourcesIn({ queries: ["x"], evidence }).map((each) => each.id)).toEqual(["E2", "E1"]);
    expect(sourcesIn({ evidence: [{ quote: "no score" }] })).toEqual([]);
    expect(sourcesIn("text")).toEqual([]);
  });

  it("have chains of thought", () => {
    expect(thoughtsIn({ steps })).toEqual(steps);
    expect(thoughtsIn({ steps: [1, null, "x"] })).toEqual([]);
  });

  it("hint at both when only a preview is there", () => {
    expect(hints({ preview: '{"evidence":[{"id":"E1"', bytes: 9_000 })).toEqual({ sources: true, thoughts: false });
    expect(hints({ preview: '{"steps":[{"thought":"so"', bytes: 9_000 })).toEqual({ sources: false, thoughts: true });
    expect(hints({ evidence, steps })).toEqual({ sources: true, thoughts: true });
    expect(hints(undefined)).toEqual({ sources: false, thoughts: false });
  });
});
