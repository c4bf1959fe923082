/** A part of a text: from `start` up to, and not including, `end`. */
export interface Span {
  start: number;
  end: number;
}

/** The text of a file exactly as it is: a byte order mark stays, because offsets count it. */
export function decoded(bytes: ArrayBuffer | Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/**
 * A text whose places are counted in characters (Unicode code points), as the API counts them; JavaScript counts UTF-16
 * units, of which a character outside the basic plane has two. It only remembers where those are.
 */
export class CountedText {
  /** In characters. */
  readonly length: number;
  /** Places, in units, of characters that have two. */
  readonly #pairs: number[] = [];

  constructor(readonly text: string) {
    const pair = /[\u{10000}-\u{10FFFF}]/gu;
    for (let found = pair.exec(text); found; found = pair.exec(text)) this.#pairs.push(found.index);
    this.length = text.length - this.#pairs.length;
  }

  /** Where a character begins, in units; places outside of the text are moved to its ends. */
  unit(character: number): number {
    const place = Math.min(Math.max(0, character), this.length);
    // The pair at index i begins at character `pairs[i] - i`.
    return place + count(this.#pairs.length, (index) => this.#pairs[index]! - index < place);
  }

  /** Which character a unit belongs to. */
  character(unit: number): number {
    const place = Math.min(Math.max(0, unit), this.text.length);
    return place - count(this.#pairs.length, (index) => this.#pairs[index]! < place);
  }

  /** A span of characters in units. One that is the wrong way round is empty. */
  units(span: Span): Span {
    const start = this.unit(span.start);
    return { start, end: Math.max(start, this.unit(span.end)) };
  }

  slice(start: number, end: number): string {
    const span = this.units({ start, end });
    return this.text.slice(span.start, span.end);
  }
}

/** How many indices below `length` a test is true for, when it is true for the first ones only. */
function count(length: number, isBefore: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface Piece {
  text: string;
  marked: boolean;
}

/** A text cut at spans (in units, in any order, overlapping or not): what is inside of one is marked. */
export function pieces(text: string, spans: readonly Span[]): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    const start = Math.max(at, span.start);
    const end = Math.min(text.length, span.end);
    if (end <= start) continue;
    if (start > at) found.push({ text: text.slice(at, start), marked: false });
    const last = found.at(-1);
    if (last?.marked && start === at) last.text += text.slice(start, end);
    else found.push({ text: text.slice(start, end), marked: true });
    at = end;
  }
  if (at < text.length) found.push({ text: text.slice(at), marked: false });
  return found;
}
