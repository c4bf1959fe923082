import { describe, expect, it } from "vitest";
import { changesOf, wordsOf } from "./changes";

describe("changesOf", () => {
  it("finds the places that differ", () => {
    const before = { to: "a", copies: 2, tags: ["x", "y"], more: { deep: true } };
    const after = { to: "b", copies: 2, tags: ["x"], more: { deep: false }, cc: null };
    expect(changesOf(before, after)).toEqual([
      { path: "to", before: "a", after: "b" },
      { path: "tags/2", before: "y", after: undefined },
      { path: "more/deep", before: true, after: false },
      { path: "cc", before: undefined, after: null },
    ]);
    expect(changesOf(before, structuredClone(before))).toEqual([]);
    expect(changesOf("a", ["a"])).toEqual([{ path: "", before: "a", after: ["a"] }]);
  });
});

describe("wordsOf", () => {
  it.each([
    ["the old house", "the new house"],
    ["", "all new"],
    ["all gone", ""],
    ["a b c d", "c d a b"],
    ["same", "same"],
  ])("%j → %j", (before, after) => {
    const words = wordsOf(before, after);
    const text = (...kinds: string[]) => words.filter((word) => kinds.includes(word.kind)).map((word) => word.text).join("");
    expect(text("same", "gone")).toBe(before);
    expect(text("same", "new")).toBe(after);
  });

  it("shows single words, and gives up on very long texts", () => {
    expect(wordsOf("the old house", "the new house")).toEqual([
      { kind: "same", text: "the " },
      { kind: "gone", text: "old" },
      { kind: "new", text: "new" },
      { kind: "same", text: " house" },
    ]);
    const long = (word: string) => Array.from({ length: 2_000 }, (_, index) => `${word}${index}`).join(" ");
    expect(wordsOf(long("a"), long("b")).map((word) => word.kind)).toEqual(["gone", "new"]);
  });
});
