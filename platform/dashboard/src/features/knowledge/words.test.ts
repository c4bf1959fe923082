import { describe, expect, it } from "vitest";
import { wordsIn } from "./words";

const found = (text: string, query: string) => wordsIn(text, query).map((span) => text.slice(span.start, span.end));

describe("wordsIn", () => {
  it("finds words whatever their case and accents", () => {
    expect(found("Captação de ÁGUA, agua-viva", "água captacao")).toEqual(["Captação", "ÁGUA", "agua"]);
  });
  it("finds other forms of a word, and no other words", () => {
    expect(found("Rains collected; a collection. Rainwater restrains.", "rain collection")).toEqual(["Rains", "collected", "collection"]);
  });
  it("passes over words that are everywhere, and scraps", () => {
    expect(found("what is the depth of it", "what is the depth?")).toEqual(["depth"]);
    expect(found("anything", "?!")).toEqual([]);
  });
  it("counts UTF-16 units behind characters of two units", () => {
    expect(found("😀😀 rain", "rain")).toEqual(["rain"]);
  });
});
