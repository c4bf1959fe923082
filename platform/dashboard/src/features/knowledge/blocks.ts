import type { CountedText, Span } from "@/lib/spans";

/** A piece of a document that is drawn at once; in UTF-16 units of its text. */
export interface Block extends Span {
  /** Counts from 1. */
  page: number;
  /** Whether its page begins with it. */
  first: boolean;
  /** Number of its first line within the text, from 1. */
  line: number;
}

const LONGEST = 1_800;

/** A text cut into pieces that are short enough to be measured and drawn one by one: at ends of lines where there are some. */
export function blocksOf(counted: CountedText, pageStarts: readonly number[]): Block[] {
  const { text } = counted;
  const starts = pageStarts.length > 0 ? pageStarts.map((start) => counted.unit(start)) : [0];
  starts[0] = 0;
  const blocks: Block[] = [];
  let line = 1;
  starts.forEach((start, index) => {
    const end = starts[index + 1] ?? text.length;
    let at = start;
    do {
      const cut = cutOf(text, at, end);
      blocks.push({ start: at, end: cut, page: index + 1, first: at === start, line });
      line += lines(text, at, cut);
      at = cut;
    } while (at < end);
  });
  return blocks;
}

function cutOf(text: string, start: number, end: number): number {
  if (end - start <= LONGEST) return end;
  const most = start + LONGEST;
  const half = start + LONGEST / 2;
  for (const at of [text.lastIndexOf("\n\n", most - 2) + 2, text.lastIndexOf("\n", most - 1) + 1, text.lastIndexOf(" ", most - 1) + 1]) {
    if (at > half) return at;
  }
  // Never in the middle of a character of two units.
  return /[\uDC00-\uDFFF]/.test(text[most] ?? "") ? most - 1 : most;
}

function lines(text: string, start: number, end: number): number {
  let count = 0;
  for (let at = text.indexOf("\n", start); at >= 0 && at < end; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

/** Index of the block that a place is in. */
export function blockAt(blocks: readonly Block[], unit: number): number {
  let low = 0;
  let high = blocks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (blocks[middle]!.start <= unit) low = middle;
    else high = middle - 1;
  }
  return low;
}
