import { describe, expect, it } from "vitest";
import { cutAtSpans, cutOut, windowFor } from "./source-text";

function stream(text: string, size: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, (at += size)));
    },
  });
}

describe("texts of documents", () => {
  it.each([1, 3, 7, 1000])("finds a window in parts of %i bytes", async (size) => {
    const text = `\ufeff${"0😀23456789é".repeat(3)}`;
    const points = [...text];
    expect(await cutOut(stream(text, size), [5, 15])).toEqual({ text: points.slice(5, 15).join(""), from: 5, isEnd: false });
    expect(await cutOut(stream(text, size), null)).toEqual({ text, from: 0, isEnd: true });
  });

  it("reads short texts whole and long ones around the span", () => {
    expect(windowFor(1_000, 10, 20)).toBeNull();
    expect(windowFor(9_000_000, 10, 20)).toEqual([0, 20_020]);
  });

  it("cuts at the borders of spans that overlap", () => {
    const spans = [
      { start: 12, end: 15 },
      { start: 14, end: 17 },
      { start: 90, end: 95 },
    ];
    const pieces = cutAtSpans({ text: "0😀23456789", from: 10, isEnd: true }, spans);
    expect(pieces.map((piece) => [piece.text, piece.inside.map((span) => span.start)])).toEqual([
      ["0😀", []],
      ["23", [12]],
      ["4", [12, 14]],
      ["56", [14]],
      ["789", []],
    ]);
  });
});
