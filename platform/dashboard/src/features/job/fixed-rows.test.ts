import { describe, expect, it } from "vitest";
import { windowOf } from "./fixed-rows";

describe("rows of one height", () => {
  it("are drawn where they are in view, and some around", () => {
    expect(windowOf(0, 300, 10_000, 30)).toEqual({ from: 0, to: 46 });
    const { from, to } = windowOf(30 * 5_000, 300, 10_000, 30);
    expect(from).toBeLessThanOrEqual(4_988);
    expect(to).toBeGreaterThanOrEqual(5_010);
    expect(to - from).toBe(46);
  });

  it("end with the last, and bear with none", () => {
    expect(windowOf(30 * 9_990, 300, 10_000, 30).to).toBe(10_000);
    expect(windowOf(0, 300, 0, 30)).toEqual({ from: 0, to: 0 });
    expect(windowOf(9_000, 300, 3, 30).to).toBe(3);
  });
});
