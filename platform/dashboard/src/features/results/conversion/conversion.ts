import type { JobEvent } from "@/api/client";

/** What became of a source tree: read from what the job's steps said and from the files it left. */

/** How often a construct is left in a file that no rule settles, and where (lines of the original). */
export interface Risk {
  construct: string;
  count: number;
  lines: number[];
}

/** `copied`: no source file of the language, or left out by the input. */
export type Outcome = "converted" | "unchanged" | "kept" | "copied";

/** The result of one check of a file. */
export type Check = { ok: boolean; text: string } | { ok: null; text: string };

export interface ConvertedFile {
  path: string;
  outcome: Outcome;
  /** Why it was kept as it is. */
  reason: string;
  before: { sha256: string; size: number };
  after: { sha256: string; size: number };
  lines: number | null;
  grammar: string | null;
  encoding: string | null;
  isBinary: boolean;
  fixers: [string, number][];
  notes: string[];
  compiled: { ok: boolean; line: number | null; message: string } | null;
  verdict: string | null;
  risks: Risk[];
  secrets: { line: number; kind: string; masked: string }[];
  missing: { module: string; line: number; guarded: boolean }[];
  /** Checks that this page has no words for: a workflow may make more than it does today. */
  further: [string, Check][];
}

export interface Conversion {
  archive: string | null;
  files: ConvertedFile[];
  counts: Record<string, number>;
  /** How many files have which verdict on whether they do what the original did. */
  verdicts: [string, number][];
  /** Constructs in words. */
  explained: Record<string, string>;
  executed: boolean;
  tools: [string, string][];
}

type Plain = Record<string, unknown>;
const isPlain = (value: unknown): value is Plain => typeof value === "object" && value !== null && !Array.isArray(value);
const plain = (value: unknown): Plain => (isPlain(value) ? value : {});
const list = (value: unknown): Plain[] => (Array.isArray(value) ? value.filter(isPlain) : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === "string") : []);
const number = (value: unknown): number | null => (typeof value === "number" ? value : null);

/** Whether an output is that of a conversion of code: counts of files, and verdicts on them. */
export function isConversion(output: unknown): boolean {
  const { counts, verdicts } = plain(output);
  return isPlain(verdicts) && isPlain(counts) && "converted" in counts;
}

/** What the steps of a job have said of single files; the last word counts. */
export function conversionsIn(events: readonly JobEvent[]): Plain[] {
  const found = new Map<string, Plain>();
  for (const event of events) {
    if (event.type !== "step.finished") continue;
    for (const each of list(plain(plain(event.data).output).conversions)) {
      if (typeof each.path === "string") found.set(each.path, each);
    }
  }
  return [...found.values()];
}

const KNOWN = new Set(["path", "outcome", "reason", "grammar", "sha256", "size", "fixers", "notes", "compiled", "verdict", "risks"]);

function furtherOf(record: Plain): [string, Check][] {
  return Object.entries(record).flatMap(([name, value]): [string, Check][] => {
    if (KNOWN.has(name) || value === null) return [];
    if (typeof value === "boolean") return [[name, { ok: value, text: "" }]];
    if (isPlain(value) && typeof value.ok === "boolean") return [[name, { ok: value.ok, text: text(value.message) }]];
    return typeof value === "string" || typeof value === "number" ? [[name, { ok: null, text: String(value) }]] : [];
  });
}

/** All of it in one: `inventory` and `manifest` are files of the job, `said` is what its steps said. */
export function readConversion(said: readonly Plain[], inventory: unknown, manifest: unknown, output: unknown): Conversion {
  const told = plain(output);
  const numbers = (value: unknown) => Object.entries(plain(value)).flatMap(([name, each]) => (typeof each === "number" ? [[name, each] as [string, number]] : []));
  const verdicts = numbers(told.verdicts);
  // A step's output may have been too large for its event; where all files have one verdict, it is that.
  const common = verdicts.length === 1 ? verdicts[0]![0] : null;
  const records = new Map(said.map((each) => [text(each.path), each]));
  const hashes = new Map(list(plain(manifest).files).map((each) => [text(each.path), each]));
  const missing = list(plain(inventory).missing);
  const known = list(plain(inventory).files);
  const paths = known.length > 0 ? known : [...records.values()];
  return {
    archive: text(plain(plain(inventory).archive).name) || null,
    files: paths.map((each) => readFile(each, records.get(text(each.path)), hashes.get(text(each.path)), missing, common)),
    counts: Object.fromEntries(numbers(told.counts)),
    verdicts,
    explained: Object.fromEntries(Object.entries(plain(plain(inventory).explained)).map(([name, words]) => [name, text(words)])),
    executed: told.executed === true,
    tools: Object.entries(plain(plain(manifest).tools)).map(([name, version]) => [name, text(version)]),
  };
}

function readFile(found: Plain, record: Plain | undefined, hashes: Plain | undefined, missing: Plain[], common: string | null): ConvertedFile {
  const path = text(found.path);
  const [before, after] = [plain(hashes?.before ?? found), plain(hashes?.after ?? record ?? found)];
  const compiled = isPlain(record?.compiled) ? record.compiled : null;
  const isChanged = text(before.sha256) !== text(after.sha256);
  return {
    path,
    outcome: (text(record?.outcome) as Outcome) || (isChanged ? "converted" : "copied"),
    reason: text(record?.reason) || text(found.reason),
    before: { sha256: text(before.sha256), size: number(before.size) ?? 0 },
    after: { sha256: text(after.sha256), size: number(after.size) ?? 0 },
    lines: number(found.lines),
    grammar: text(record?.grammar) || text(found.grammar) || null,
    encoding: text(found.encoding) || null,
    isBinary: found.binary === true,
    fixers: Object.entries(plain(record?.fixers)).map(([name, times]) => [name, number(times) ?? 0]),
    notes: [...texts(record?.notes), ...texts(compiled?.warnings)],
    compiled: compiled && { ok: compiled.ok === true, line: number(compiled.line), message: text(compiled.message) },
    verdict: text(record?.verdict) || (text(found.grammar) ? common : null),
    risks: list(record?.risks).map((risk) => ({
      construct: text(risk.construct),
      count: number(risk.count) ?? 0,
      lines: (Array.isArray(risk.lines) ? risk.lines : []).filter((line) => typeof line === "number"),
    })),
    secrets: list(found.credentials).map((each) => ({ line: number(each.line) ?? 0, kind: text(each.kind), masked: text(each.masked) })),
    missing: missing
      .filter((each) => each.path === path)
      .map((each) => ({ module: text(each.module), line: number(each.line) ?? 0, guarded: each.guarded === true })),
    further: record ? furtherOf(record) : [],
  };
}

/** What became of a file in one word; the one that matters most to whoever looks at it. */
export type Status = "broken" | "kept" | "review" | "converted" | "unchanged" | "copied";
export const STATUSES: readonly Status[] = ["broken", "kept", "review", "converted", "unchanged", "copied"];

export function statusOf(file: ConvertedFile): Status {
  if (file.compiled?.ok === false) return "broken";
  if (file.outcome === "kept") return "kept";
  return toReview(file) > 0 ? "review" : file.outcome;
}

/** In how many places a person should look at a file: what no rule settled, and checks that it did not pass. */
export function toReview(file: ConvertedFile): number {
  return file.risks.reduce((sum, risk) => sum + risk.count, 0) + file.further.filter(([, check]) => check.ok === false).length;
}

/** The file to begin with: the first of those that most need somebody. */
export function firstOf(files: readonly ConvertedFile[]): ConvertedFile | undefined {
  let best: ConvertedFile | undefined;
  for (const file of files) {
    if (!best || STATUSES.indexOf(statusOf(file)) < STATUSES.indexOf(statusOf(best))) best = file;
  }
  return best;
}
