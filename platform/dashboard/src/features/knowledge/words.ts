import type { Span } from "@/lib/spans";

const WORD = /[\p{L}\p{N}_]+/gu;
const SHORTEST = 3;
// Forms of one word (`collect`, `collection`) begin alike and differ by little.
const STEM = 4;
const ENDING = 3;
const SMALL = new Set(
  ("the and for that with are was were this from have has not what which when where who why how does did can will " +
    "que qual quais quem quando como onde por para com uma dos das nos nas pelo pela sao foi ser mais sobre entre").split(" "),
);

/** A word without case and accents, as keyword search has it. */
export function folded(word: string): string {
  return word.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function alike(one: string, other: string): boolean {
  if (one === other) return true;
  const shorter = Math.min(one.length, other.length);
  if (shorter < STEM || Math.abs(one.length - other.length) > ENDING) return false;
  const common = Math.max(STEM, shorter - 2);
  return one.slice(0, common) === other.slice(0, common);
}

/** Where a text has words of a query, or other forms of them; in UTF-16 units. */
export function wordsIn(text: string, query: string): Span[] {
  const wanted = [...new Set((query.match(WORD) ?? []).map(folded))].filter((word) => word.length >= SHORTEST && !SMALL.has(word));
  if (wanted.length === 0) return [];
  const spans: Span[] = [];
  for (const found of text.matchAll(WORD)) {
    const word = folded(found[0]);
    if (wanted.some((each) => alike(each, word))) spans.push({ start: found.index, end: found.index + found[0].length });
  }
  return spans;
}
