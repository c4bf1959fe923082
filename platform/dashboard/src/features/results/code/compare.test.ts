import { describe, expect, it } from "vitest";
import { within } from "./compare";

describe("within", () => {
  const before = "one\ntwo\nthree\nfour\n";
  const after = "one\nTwo\nthree\nfour\nfive\n";

  it("compares only the lines that are said to differ", () => {
    const changes = within([{ before: [1, 2], after: [1, 2] }, { before: [4, 4], after: [4, 5] }], before, after);
    expect(changes?.map(({ fromA, toA, fromB, toB }) => [fromA, toA, fromB, toB])).toEqual([
      [4, 5, 4, 5],
      [19, 19, 19, 24],
    ]);
  });

  it("does not believe what is not so", () => {
    expect(within([{ before: [1, 2], after: [1, 2] }], before, after)).toBeNull();
    expect(within([{ before: [1, 2], after: [8, 9] }], before, after)).toBeNull();
  });

  it("knows a last line without an end", () => {
    expect(within([{ before: [1, 2], after: [1, 2] }], "a\nb", "a\nc\n")).toHaveLength(1);
  });
});
