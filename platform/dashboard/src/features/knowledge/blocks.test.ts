import { describe, expect, it } from "vitest";
import { CountedText } from "@/lib/spans";
import { blockAt, blocksOf } from "./blocks";

const whole = (text: string, starts: number[]) => {
  const blocks = blocksOf(new CountedText(text), starts);
  expect(blocks.map((block) => text.slice(block.start, block.end)).join("")).toBe(text);
  return blocks;
};

describe("blocksOf", () => {
  it("gives each page its own blocks, by characters and not units", () => {
    const blocks = whole("😀😀one\ntwo three", [0, 6]);
    expect(blocks.map((block) => [block.page, block.first, block.line])).toEqual([[1, true, 1], [2, true, 2]]);
    expect(blocks[1]!.start).toBe(8);
  });
  it("cuts long pages at ends of paragraphs, lines, words, or at last anywhere between characters", () => {
    const paragraph = `${"word ".repeat(200)}\n\n`;
    for (const block of whole(paragraph.repeat(9), [0])) expect(block.end - block.start).toBe(paragraph.length);
    whole("word ".repeat(2_000), [0]).forEach((block, index, all) => {
      expect(block.end - block.start).toBeLessThanOrEqual(1_800);
      if (index < all.length - 1) expect(block.end % 5).toBe(0);
    });
    for (const block of whole(`a${"😀".repeat(3_000)}`, [0])) expect((block.end - block.start) % 2).toBe(block.start === 0 ? 1 : 0);
  });
  it("has one block for an empty text and for an empty page", () => {
    expect(whole("", [])).toHaveLength(1);
    expect(whole("ab", [0, 1, 1])).toHaveLength(3);
  });
});

describe("blockAt", () => {
  it("finds the block of a place", () => {
    const blocks = whole("x\n".repeat(5_000), [0]);
    for (const [index, block] of blocks.entries()) {
      expect(blockAt(blocks, block.start)).toBe(index);
      expect(blockAt(blocks, block.end - 1)).toBe(index);
    }
  });
});
