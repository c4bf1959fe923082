/** What an event has of a payload that was too large for it. */
export interface Preview {
  preview: string;
  bytes: number;
}

export function isPreview(value: unknown): value is Preview {
  if (typeof value !== "object" || value === null) return false;
  const { preview, bytes, ...rest } = value as Record<string, unknown>;
  return typeof preview === "string" && typeof bytes === "number" && Object.keys(rest).length === 0;
}

/** A quote that the researcher has kept, and how well it answers its question. */
export interface Source {
  id: string;
  document_id: string | null;
  document_name: string;
  page: number | null;
  start: number | null;
  end: number | null;
  quote: string;
  heading: string;
  question: string;
  score: number;
}

/** One step of a chain of thought: what stands behind a claim. */
export interface Thought {
  thought: string;
  claim: string;
  evidence_ids: string[];
  confidence: number;
  origin: string;
}

type Json = Record<string, unknown>;
const objects = (value: unknown): Json[] =>
  Array.isArray(value) ? value.filter((each): each is Json => typeof each === "object" && each !== null && !Array.isArray(each)) : [];
const text = (value: unknown) => (typeof value === "string" ? value : "");
const number = (value: unknown) => (typeof value === "number" ? value : null);

/** Whatever in a step's output looks like retrieved sources: quotes or passages with scores, best first. */
export function sourcesIn(output: unknown): Source[] {
  if (typeof output !== "object" || output === null || isPreview(output)) return [];
  for (const value of Object.values(output as Json)) {
    const found = objects(value).filter((each) => typeof each.score === "number" && (each.quote ?? each.text) !== undefined);
    if (found.length === 0) continue;
    return found
      .map((each) => ({
        id: text(each.id),
        document_id: text(each.document_id) || null,
        document_name: text(each.document_name) || text(each.document) || text(each.source),
        page: number(each.page),
        start: number(each.start),
        end: number(each.end),
        quote: text(each.quote) || text(each.text),
        heading: text(each.heading),
        question: text(each.question),
        score: number(each.score) ?? 0,
      }))
      .sort((a, b) => b.score - a.score);
  }
  return [];
}

/** Whatever in a step's output looks like a chain of thought. */
export function thoughtsIn(output: unknown): Thought[] {
  if (typeof output !== "object" || output === null || isPreview(output)) return [];
  for (const value of Object.values(output as Json)) {
    const found = objects(value).filter((each) => typeof each.thought === "string" && typeof each.claim === "string");
    if (found.length === 0) continue;
    return found.map((each) => ({
      thought: text(each.thought),
      claim: text(each.claim),
      evidence_ids: Array.isArray(each.evidence_ids) ? each.evidence_ids.map(String) : [],
      confidence: number(each.confidence) ?? 0,
      origin: text(each.origin),
    }));
  }
  return [];
}

/** Whether a payload, or what is shown of it, has sources or thoughts. */
export function hints(output: unknown): { sources: boolean; thoughts: boolean } {
  if (isPreview(output)) {
    const { preview } = output;
    return {
      sources: /"evidence":\s*\[/.test(preview) || (/"(quote|text)":/.test(preview) && /"score":/.test(preview)),
      thoughts: /"thought":/.test(preview) || /"steps":\s*\[/.test(preview),
    };
  }
  return { sources: sourcesIn(output).length > 0, thoughts: thoughtsIn(output).length > 0 };
}
