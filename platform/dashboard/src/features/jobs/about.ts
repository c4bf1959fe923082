// The one line that tells a job from its neighbours: the most telling text of its input.

const TELLING = [
  "topic",
  "title",
  "query",
  "question",
  "subject",
  "prompt",
  "goal",
  "task",
  "message",
  "text",
  "name",
  "document",
  "url",
  "path",
  "description",
];
const ID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const LONGEST = 300;
const DEEPEST = 3;
const FACTS = 4;

type Values = Record<string, unknown>;
const isObject = (value: unknown): value is Values => typeof value === "object" && value !== null && !Array.isArray(value);
const line = (text: string) => text.replaceAll(/\s+/g, " ").trim().slice(0, LONGEST);
const tells = (value: unknown): value is string => typeof value === "string" && value.trim() !== "" && !ID.test(value);

/** What a job is about; the empty text when nothing tells. */
export function about(input: unknown, metadata?: unknown): string {
  const found = telling(input) ?? telling(metadata) ?? firstText(input, 0);
  return line(found ?? facts(input));
}

function telling(value: unknown): string | undefined {
  if (!isObject(value)) return undefined;
  for (const name of TELLING) if (tells(value[name])) return value[name];
  return lastMessage(value.messages);
}

function lastMessage(value: unknown): string | undefined {
  if (!Array.isArray(value)) return undefined;
  const last: unknown = value.at(-1);
  const content = isObject(last) ? last.content : Array.isArray(last) ? (last[1] as unknown) : last;
  if (tells(content)) return content;
  return Array.isArray(content) ? firstText(content, 0) : undefined;
}

function firstText(value: unknown, depth: number): string | undefined {
  if (tells(value)) return value;
  if (depth > DEEPEST) return undefined;
  const parts: unknown[] = Array.isArray(value) ? value.slice(0, 20) : isObject(value) ? Object.values(value) : [];
  for (const part of parts) {
    const found = firstText(part, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `n: 7, seconds: 0.5`: where no text is, what there is. */
function facts(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (!isObject(value)) return Array.isArray(value) ? "" : String(value);
  return Object.entries(value)
    .filter(([, each]) => each !== null && typeof each !== "object")
    .slice(0, FACTS)
    .map(([name, each]) => `${name}: ${typeof each === "string" && ID.test(each) ? `…${each.slice(-8)}` : String(each)}`)
    .join(", ");
}

const PAIR = /"((?:[^"\\]|\\.){1,80})"\s*:\s*"((?:[^"\\]|\\.)*)"?/g;

/** The same of the beginning of a JSON text that was too long to be read. */
export function aboutOfPart(text: string): string {
  let first = "";
  let best = TELLING.length;
  let found = "";
  for (const [, name = "", value = ""] of text.matchAll(PAIR)) {
    let words: unknown;
    try {
      words = JSON.parse(`"${value}"`);
    } catch {
      continue; // cut in the middle of an escape
    }
    if (!tells(words)) continue;
    first ||= words;
    const rank = TELLING.indexOf(name);
    if (rank >= 0 && rank < best) [best, found] = [rank, words];
  }
  return line(found || first);
}
