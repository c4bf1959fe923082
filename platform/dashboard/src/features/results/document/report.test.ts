import { describe, expect, it } from "vitest";
import { isCited, isReport, readReport } from "./report";

const quoted = (text: string, id: string, more = {}) => ({ text, section: "A", origin: "quote", citations: [id], dispute: null, ...more });
const citation = (id: string) => ({
  id,
  document: { id: `doc-${id}`, name: "a.md", version: 1, sha256: "", media_type: "text/markdown" },
  page: 1,
  page_start: 0,
  start: 3,
  end: 9,
  quote: "quoted",
});
const output = {
  title: "Bees",
  language: "en",
  sentences: [
    { text: "Bees fly.", section: "A", origin: "model", citations: ["E1"], dispute: null },
    quoted("Bees live in hives.", "E2"),
    quoted("Ten.", "E3", { dispute: 0 }),
    quoted("Twelve.", "E4", { dispute: 0 }),
    quoted("The end.", "E9", { section: "B" }),
  ],
  citations: ["E1", "E2", "E3", "E4"].map(citation),
};
const written = [
  { text: "bees fly", section: "A", cited: ["E1"], outcome: "kept", reasons: [] },
  { text: "Bees live in 7 hives.", section: "A", cited: ["E2"], outcome: "replaced", reasons: ["number"] },
  { text: "Bees sing.", section: "A", cited: [], outcome: "dropped", reasons: ["uncited"] },
];

describe("readReport", () => {
  it("knows a report by its sentences and citations", () => {
    expect(isReport(output)).toBe(true);
    expect(isReport({ sentences: ["a"], citations: [] })).toBe(false);
    expect(isReport({ ...output, sentences: [{ text: "a", citations: null }] })).toBe(false);
    expect(isReport({ ...output, citations: [null] })).toBe(false);
    expect(isReport(null)).toBe(false);
  });

  it("tells how each sentence got there", () => {
    const report = readReport(output, written);
    const all = report.sections.flatMap((section) => section.blocks.flatMap((block) => block.sentences));
    expect(all.map((each) => [each.text, each.fate])).toEqual([
      ["Bees fly.", "kept"],
      ["Bees live in hives.", "replaced"],
      ["Bees sing.", "dropped"],
      ["Ten.", "quoted"],
      ["Twelve.", "quoted"],
      ["The end.", "quoted"],
    ]);
    expect(all[1]?.written).toBe("Bees live in 7 hives.");
    expect(report.counts).toMatchObject({ sentences: 5, cited: 4, kept: 1, replaced: 1, quoted: 3, dropped: 1 });
  });

  it("keeps the sides of a dispute together, and apart from the rest", () => {
    const [section] = readReport(output, []).sections;
    expect(section?.blocks.map((block) => [block.kind, block.sentences.length])).toEqual([
      ["paragraph", 2],
      ["dispute", 2],
    ]);
    const replaced = { text: "Nine.", section: "A", cited: ["E3"], outcome: "replaced", reasons: [] };
    const dropped = { text: "Eleven.", section: "A", cited: ["E3"], outcome: "dropped", reasons: [] };
    const [first] = readReport(output, [replaced, dropped]).sections;
    expect(first?.blocks.map((block) => block.sentences.map((each) => each.text))).toEqual([
      ["Bees fly.", "Bees live in hives."],
      ["Ten.", "Twelve."],
      ["Eleven."],
    ]);
  });

  it("marks a sentence whose evidence is not in the report", () => {
    const last = readReport(output, []).sections.at(-1)?.blocks[0]?.sentences[0];
    expect(last && isCited(last)).toBe(false);
    expect(last?.unknown).toEqual(["E9"]);
  });
});
