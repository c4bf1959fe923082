/** What is other in edited arguments, and in a text which words. */

export interface Change {
  /** `items/2/name`; empty for the whole. */
  path: string;
  /** Undefined: it was not there. */
  before: unknown;
  /** Undefined: it is there no more. */
  after: unknown;
}

type Plain = Record<string, unknown>;
const isPlain = (value: unknown): value is Plain => typeof value === "object" && value !== null && !Array.isArray(value);
const under = (path: string, part: string | number) => (path ? `${path}/${part}` : String(part));

/** Every place at which two values differ, as deep as both have the same form. */
export function changesOf(before: unknown, after: unknown, path = ""): Change[] {
  if (Object.is(before, after)) return [];
  if (isPlain(before) && isPlain(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
      changesOf(before[key], after[key], under(path, key)),
    );
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    return Array.from({ length: Math.max(before.length, after.length) }, (_, index) =>
      changesOf(before[index], after[index], under(path, index + 1)),
    ).flat();
  }
  return [{ path, before, after }];
}

export interface Word {
  kind: "same" | "gone" | "new";
  text: string;
}

const MOST_WORDS = 600;

/** A text before and after, word by word; whole texts where there are too many words to compare at once. */
export function wordsOf(before: string, after: string): Word[] {
  const [old, now] = [split(before), split(after)];
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  const [a, b] = [old.slice(head, old.length - tail), now.slice(head, now.length - tail)];
  const middle =
    a.length > MOST_WORDS || b.length > MOST_WORDS
      ? [...a.map((text): Word => ({ kind: "gone", text })), ...b.map((text): Word => ({ kind: "new", text }))]
      : compared(a, b);
  const same = (words: string[]) => words.map((text): Word => ({ kind: "same", text }));
  return joined([...same(old.slice(0, head)), ...middle, ...same(tail > 0 ? old.slice(-tail) : [])]);
}

const split = (text: string) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];

/** By the longest common subsequence. */
function compared(a: string[], b: string[]): Word[] {
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number) => longest[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const words: Word[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      words.push({ kind: "same", text: a[i] ?? "" });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
      words.push({ kind: "gone", text: a[i] ?? "" });
      i += 1;
    } else {
      words.push({ kind: "new", text: b[j] ?? "" });
      j += 1;
    }
  }
  return words;
}

function joined(words: Word[]): Word[] {
  const all: Word[] = [];
  for (const word of words) {
    const last = all.at(-1);
    if (last?.kind === word.kind) last.text += word.text;
    else all.push({ ...word });
  }
  return all;
}
