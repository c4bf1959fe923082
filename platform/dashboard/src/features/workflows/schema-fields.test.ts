import { describe, expect, it } from "vitest";
import { fieldsOf, sampleOf } from "./schema-fields";

const REPORT = {
  type: "object",
  $defs: {
    Section: {
      type: "object",
      required: ["title"],
      properties: { title: { type: "string", minLength: 1 }, parts: { type: "array", items: { $ref: "#/$defs/Section" } } },
    },
    Tone: { enum: ["dry", "warm"] },
  },
  required: ["topic", "collections"],
  properties: {
    tone: { $ref: "#/$defs/Tone", description: "How it sounds.", default: "dry" },
    topic: { type: "string", maxLength: 300 },
    sections: { type: "array", items: { $ref: "#/$defs/Section" } },
    most: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: null },
    collections: { type: "array", items: { type: "string" }, minItems: 1 },
    mixed: { anyOf: [{ type: "string", format: "uuid" }, { type: "integer" }] },
  },
};

describe("fieldsOf", () => {
  const fields = fieldsOf(REPORT);
  const field = (path: string) => fields.find((each) => each.path === path)!;

  it("lists what is required first, and what is inside of lists and objects below them", () => {
    expect(fields.map((each) => each.path)).toEqual(["topic", "collections", "tone", "sections", "sections[].title", "sections[].parts", "most", "mixed"]);
    expect(field("sections[].title")).toMatchObject({ depth: 1, required: true, bounds: [{ is: "minLength", value: "1" }] });
  });
  it("follows references, keeping what stands beside them", () => {
    expect(field("tone")).toMatchObject({ kind: { is: "one_of", values: ['"dry"', '"warm"'] }, preset: '"dry"', description: "How it sounds." });
  });
  it("says what a field takes when it may be null, a list, or several things", () => {
    expect(field("most")).toMatchObject({ kind: { is: "named", name: "integer" }, bounds: [{ is: "minimum", value: "1" }], preset: "null" });
    expect(field("collections").kind).toEqual({ is: "list", of: { is: "named", name: "string" } });
    expect(field("mixed").kind).toEqual({ is: "any_of", kinds: [{ is: "named", name: "uuid" }, { is: "named", name: "integer" }] });
  });
  it("survives a schema of anything, and references to nothing or itself", () => {
    expect(fieldsOf({})).toEqual([]);
    expect(fieldsOf({ properties: { a: { $ref: "#/$defs/None" } } })[0]!.kind).toEqual({ is: "named", name: "any" });
    expect(fieldsOf({ properties: { a: { $ref: "#/properties/a" } } })).toHaveLength(1);
  });
});

describe("sampleOf", () => {
  it("gives what must be given", () => {
    expect(sampleOf(REPORT)).toEqual({ topic: "…", collections: ["…"] });
    expect(sampleOf({ required: ["n", "s"], properties: { n: { type: "integer", minimum: 3 }, s: { examples: ["x"] } } })).toEqual({ n: 3, s: "x" });
    expect(sampleOf({})).toEqual({});
  });
});
