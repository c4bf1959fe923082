import { CountedText, type Span } from "@/lib/spans";

/** A part of a document's text. Offsets are characters as the API counts them. */
export interface TextWindow {
  text: string;
  /** Offset of its first character in the whole text. */
  from: number;
  /** Whether the whole text ends with it. */
  isEnd: boolean;
}

/** Texts up to this length are read whole: every citation of them is then at hand. */
const WHOLE = 400_000;
/** Around a span of a longer text. */
const AROUND = 20_000;

/** What to read of a text of so many characters to show a span: null is all of it. */
export function windowFor(chars: number, start: number, end: number): [number, number] | null {
  return chars <= WHOLE ? null : [Math.max(0, start - AROUND), end + AROUND];
}

/** The characters from `wanted[0]` to `wanted[1]` of a stream of text; the stream is left as soon as they are there. */
export async function cutOut(stream: ReadableStream<Uint8Array>, wanted: [number, number] | null): Promise<TextWindow> {
  const [first, last] = wanted ?? [0, Infinity];
  const reader = stream.getReader();
  // A byte order mark is a character of the text: offsets count it.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let kept = "";
  let keptFrom = first;
  let passed = 0;
  for (;;) {
    const { done, value } = await reader.read();
    const part = new CountedText(decoder.decode(value, { stream: !done }));
    if (passed + part.length > first && passed < last) {
      const skip = Math.max(0, first - passed);
      if (kept === "") keptFrom = passed + skip;
      kept += part.slice(skip, last - passed);
    }
    passed += part.length;
    if (done) return { text: kept, from: keptFrom, isEnd: passed <= last };
    if (passed > last) {
      await reader.cancel();
      return { text: kept, from: keptFrom, isEnd: false };
    }
  }
}

/** A piece of text between two borders of spans, and which spans it is in. */
export interface Piece<T> {
  text: string;
  inside: T[];
}

/** A window's text cut at the borders of all spans that touch it. */
export function cutAtSpans<T extends Span>({ text, from }: TextWindow, spans: readonly T[]): Piece<T>[] {
  const counted = new CountedText(text);
  const touching = spans.filter((span) => span.end > from && span.start < from + counted.length);
  const borders = [...new Set([0, counted.length, ...touching.flatMap(({ start, end }) => [start - from, end - from])])]
    .filter((at) => at >= 0 && at <= counted.length)
    .sort((a, b) => a - b);
  return borders.slice(1).map((border, index) => {
    const begin = borders[index] ?? 0;
    return {
      text: counted.slice(begin, border),
      inside: touching.filter((span) => span.start - from <= begin && span.end - from >= border),
    };
  });
}
