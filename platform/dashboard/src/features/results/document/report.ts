/** A report as it is read: its sections with their sentences, its citations, and how each sentence got there. */

/** How a sentence got into the report, or that it did not. */
export type Fate = "kept" | "replaced" | "quoted" | "dropped";
export const FATES: readonly Fate[] = ["kept", "replaced", "quoted", "dropped"];

export interface Citation {
  /** `E3`: as the job names it. */
  id: string;
  /** Counts from 1 in the order of reading: as the page names it. */
  number: number;
  document: { id: string; name: string; version: number; mediaType: string };
  page: number;
  /** Characters (code points) of the document's text. */
  start: number;
  end: number;
  quote: string;
}

export interface Sentence {
  key: string;
  text: string;
  /** Whether it is the words of a document. */
  isQuote: boolean;
  citations: Citation[];
  /** Evidence it names that nothing in the report stands for. */
  unknown: string[];
  fate: Fate;
  /** What the model wrote, where something else stands here. */
  written: string | null;
  reasons: string[];
}

/** A paragraph, or statements on which the documents differ. */
export interface Block {
  kind: "paragraph" | "dispute";
  sentences: Sentence[];
}

export interface ReportSection {
  title: string;
  blocks: Block[];
}

export interface ReasonStep {
  thought: string;
  claim: string;
  evidence: string[];
  confidence: number;
  byModel: boolean;
}

export interface Report {
  title: string;
  language: string | null;
  sections: ReportSection[];
  citations: Citation[];
  steps: ReasonStep[];
  counts: { sentences: number; cited: number; documents: number } & Record<Fate, number>;
}

type Plain = Record<string, unknown>;
const plain = (value: unknown): Plain => (typeof value === "object" && value !== null ? (value as Plain) : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const texts = (value: unknown): string[] => list(value).filter((each): each is string => typeof each === "string");
const number = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);

/** Whether an output is a report: sentences that name what they stand on. */
export function isReport(output: unknown): boolean {
  const { sentences, citations } = plain(output);
  const isSentence = (told: Plain) => typeof told.text === "string" && Array.isArray(told.citations);
  const isCitation = (told: Plain) => typeof told.start === "number" && typeof told.end === "number" && text(plain(told.document).id) !== "";
  return (
    Array.isArray(citations) &&
    Array.isArray(sentences) &&
    sentences.every((each) => isSentence(plain(each))) &&
    citations.every((each) => isCitation(plain(each)))
  );
}

/** The report of a job's output. `written` is what its model wrote (of `quality.json`), where that is known. */
export function readReport(output: unknown, written: unknown): Report {
  const told = plain(output);
  const citations = list(told.citations).map((each, index) => readCitation(plain(each), index + 1));
  const known = new Map(citations.map((each) => [each.id, each]));
  const sentences = list(told.sentences).map((each) => plain(each));
  const fates = readFates(sentences, list(written).map(plain));
  const sections: ReportSection[] = [];
  let waiting: Sentence[] = [];
  sentences.forEach((each, index) => {
    const names = texts(each.citations);
    const fate = fates.of[index];
    const sentence: Sentence = {
      key: `s${index}`,
      text: text(each.text),
      isQuote: each.origin === "quote",
      citations: names.flatMap((name) => known.get(name) ?? []),
      unknown: names.filter((name) => !known.has(name)),
      fate: fate?.fate ?? (each.origin === "quote" ? "quoted" : "kept"),
      written: fate?.written ?? null,
      reasons: fate?.reasons ?? [],
    };
    const dispute = typeof each.dispute === "number" ? each.dispute : null;
    put(sections, text(each.section), sentence, dispute, dispute === (sentences[index - 1]?.dispute ?? null));
    waiting.push(...(fates.after.get(index) ?? []));
    // What was dropped next to a dispute belongs to none of its sides, and does not part them.
    const next = sentences[index + 1];
    if (dispute !== null && next?.dispute === dispute && next.section === each.section) return;
    for (const dropped of waiting) put(sections, text(each.section), dropped, null, true);
    waiting = [];
  });
  for (const dropped of fates.after.get(-1) ?? []) put(sections, dropped.section, dropped, null, true);
  const standing = sections.flatMap((section) => section.blocks.flatMap((block) => block.sentences));
  const count = (fate: Fate) => standing.filter((each) => each.fate === fate).length;
  const real = standing.filter((each) => each.fate !== "dropped");
  return {
    title: text(told.title) || text(told.topic),
    language: text(told.language) || null,
    sections,
    citations,
    steps: list(told.steps).map((each) => readStep(plain(each))),
    counts: {
      sentences: real.length,
      cited: real.filter(isCited).length,
      documents: new Set(citations.map((each) => each.document.id)).size,
      kept: count("kept"),
      replaced: count("replaced"),
      quoted: count("quoted"),
      dropped: count("dropped"),
    },
  };
}

/** Whether a sentence stands on evidence, all of which is known. */
export function isCited(sentence: Sentence): boolean {
  return sentence.citations.length > 0 && sentence.unknown.length === 0;
}

function put(sections: ReportSection[], title: string, sentence: Sentence, dispute: number | null, sameGroup: boolean): void {
  let section = sections.at(-1);
  if (section?.title !== title) sections.push((section = { title, blocks: [] }));
  const kind = dispute === null ? "paragraph" : "dispute";
  const block = section.blocks.at(-1);
  if (block && block.kind === kind && sameGroup) block.sentences.push(sentence);
  else section.blocks.push({ kind, sentences: [sentence] });
}

function readCitation(told: Plain, order: number): Citation {
  const document = plain(told.document);
  return {
    id: text(told.id) || `#${order}`,
    number: order,
    document: {
      id: text(document.id),
      name: text(document.name),
      version: number(document.version),
      mediaType: text(document.media_type),
    },
    page: number(told.page),
    start: number(told.start),
    end: number(told.end),
    quote: text(told.quote),
  };
}

function readStep(told: Plain): ReasonStep {
  return {
    thought: text(told.thought),
    claim: text(told.claim),
    evidence: texts(told.evidence_ids),
    confidence: number(told.confidence),
    byModel: told.origin === "model",
  };
}

interface Fates {
  of: ({ fate: Fate; written: string | null; reasons: string[] } | undefined)[];
  /** What was dropped behind the sentence of this index; -1: in sections of which nothing stands. */
  after: Map<number, (Sentence & { section: string })[]>;
}

/**
 * What became of each sentence that the model wrote, found in the finished prose: the kept ones are the model's sentences
 * in their order; one that was replaced left the first quote of its section that stands on what it cited.
 */
function readFates(sentences: Plain[], written: Plain[]): Fates {
  const fates: Fates = { of: [], after: new Map() };
  const places = new Map<string, number>();
  written.forEach((entry, order) => {
    const section = text(entry.section);
    const reasons = texts(entry.reasons);
    const cited = texts(entry.cited);
    const found = sentences.findIndex((each, index) => {
      if (fates.of[index] || text(each.section) !== section) return false;
      if (entry.outcome === "kept") return each.origin === "model";
      return entry.outcome === "replaced" && each.origin === "quote" && cited.includes(texts(each.citations)[0] ?? "");
    });
    if (found >= 0) {
      const isKept = entry.outcome === "kept";
      fates.of[found] = { fate: isKept ? "kept" : "replaced", written: isKept ? null : text(entry.text), reasons };
      places.set(section, found);
      return;
    }
    const first = sentences.findIndex((each) => text(each.section) === section);
    const place = places.get(section) ?? first;
    const dropped = {
      key: `d${order}`,
      text: text(entry.text),
      section,
      isQuote: false,
      citations: [],
      unknown: [],
      fate: "dropped" as const,
      written: null,
      reasons,
    };
    fates.after.set(place, [...(fates.after.get(place) ?? []), dropped]);
  });
  return fates;
}
