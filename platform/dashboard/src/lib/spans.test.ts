import { describe, expect, it } from "vitest";
import { CountedText, decoded, pieces } from "./spans";

const points = (text: string) => Array.from(text);

describe("CountedText", () => {
  it.each(["", "plain", "ação", "a😀b😀😀c", "😀", "𝒳𝒴 e\u0301 𝒵", "\uFEFFx😀"])("counts %j as code points", (text) => {
    const counted = new CountedText(text);
    const characters = points(text);
    expect(counted.length).toBe(characters.length);
    for (let start = 0; start <= characters.length; start += 1) {
      expect(counted.character(counted.unit(start))).toBe(start);
      for (let end = start; end <= characters.length; end += 1) {
        expect(counted.slice(start, end)).toBe(characters.slice(start, end).join(""));
      }
    }
  });

  it("moves places outside of the text to its ends", () => {
    const counted = new CountedText("a😀b");
    expect(counted.slice(-5, 99)).toBe("a😀b");
    expect(counted.unit(99)).toBe(4);
    expect(counted.units({ start: 2, end: 1 })).toEqual({ start: 3, end: 3 });
  });

  it("takes the unit in the middle of a pair as part of its character", () => {
    const counted = new CountedText("a😀b");
    expect([0, 1, 2, 3, 4].map((unit) => counted.character(unit))).toEqual([0, 1, 1, 2, 3]);
  });
});

describe("decoded", () => {
  it("keeps the byte order mark, which offsets count", () => {
    expect(decoded(new TextEncoder().encode("\uFEFFa"))).toBe("\uFEFFa");
  });
});

describe("pieces", () => {
  it("marks spans in any order, and joins those that touch or overlap", () => {
    expect(pieces("abcdefgh", [{ start: 6, end: 99 }, { start: 1, end: 3 }, { start: 2, end: 4 }])).toEqual([
      { text: "a", marked: false },
      { text: "bcd", marked: true },
      { text: "ef", marked: false },
      { text: "gh", marked: true },
    ]);
  });

  it("gives a text without spans whole", () => {
    expect(pieces("abc", [])).toEqual([{ text: "abc", marked: false }]);
    expect(pieces("", [{ start: 0, end: 1 }])).toEqual([]);
  });
});
