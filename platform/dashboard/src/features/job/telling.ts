// Names under which inputs say what a job is about, the most telling first.
const NAMES = ["topic", "title", "question", "query", "prompt", "subject", "task", "instruction", "name", "text", "url", "path"];
const LONGEST = 140;

/** The words of an input that tell one job from another; null when there are none. */
export function tellingOf(input: unknown): string | null {
  if (typeof input === "string") return cut(input);
  if (typeof input !== "object" || input === null || Array.isArray(input)) return null;
  const values = input as Record<string, unknown>;
  for (const name of NAMES) if (isWords(values[name])) return cut(values[name]);
  if (Array.isArray(values.messages)) {
    const last: unknown = values.messages.at(-1);
    const said = typeof last === "object" && last !== null ? (last as Record<string, unknown>).content : last;
    if (isWords(said)) return cut(said);
  }
  return null;
}

const isWords = (value: unknown): value is string => typeof value === "string" && /\p{L}/u.test(value);

function cut(text: string): string | null {
  const plain = text.replace(/\s+/g, " ").trim();
  if (!plain) return null;
  return plain.length > LONGEST ? `${plain.slice(0, LONGEST - 1).trimEnd()}…` : plain;
}
