import { describe, expect, it } from "vitest";
import { check } from "./check";
import { Errors, placed } from "./errors";
import { kindOf } from "./kinds";
import { nameOf, options, plain, resolved, Unreadable, type Schema } from "./schema";
import { initial, pruned, variantIndex } from "./values";

const SECTION: Schema = {
  type: "object",
  properties: { title: { type: "string", minLength: 1, maxLength: 120 }, question: { type: "string", minLength: 3 } },
  required: ["title", "question"],
  additionalProperties: false,
};
const REPORT: Schema = {
  $defs: { Section: SECTION, Budget: { type: "object", properties: { tokens: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: null } } } },
  type: "object",
  properties: {
    topic: { type: "string", minLength: 3, maxLength: 300 },
    collections: { type: "array", items: { type: "string" }, minItems: 1 },
    language: { type: "string", default: "auto", pattern: "^(auto|[a-z]{2})$" },
    writing: { type: "string", default: "auto", pattern: "^(auto|section|sentence)$" },
    sections: { type: "array", items: { $ref: "#/$defs/Section" }, maxItems: 30 },
    labels: { type: "array", items: { type: "string" }, default: ["a"] },
    max_evidence: { type: "integer", minimum: 1, maximum: 200, default: 40 },
    budget: { $ref: "#/$defs/Budget" },
  },
  required: ["topic", "collections"],
  additionalProperties: false,
};
const DECISION: Schema = {
  oneOf: [
    { title: "Approve", type: "object", properties: { type: { const: "approve" } }, required: ["type"] },
    { title: "Edit", type: "object", properties: { type: { const: "edit" }, text: { type: "string" } }, required: ["type", "text"] },
  ],
};

describe("schemas", () => {
  it("follow references, also within others, and let what stands beside count more", () => {
    expect(resolved({ $ref: "#/$defs/Section", title: "Mine" }, REPORT)).toMatchObject({ title: "Mine", type: "object" });
    expect(resolved({ allOf: [{ $ref: "#/$defs/Section" }], description: "d" }, REPORT).required).toEqual(["title", "question"]);
  });

  it("do not hang on a reference to itself", () => {
    const root: Schema = { $defs: { A: { $ref: "#/$defs/A" } } };
    expect(kindOf(plain({ $ref: "#/$defs/A" }, root).schema, "a", root)).toBe("json");
  });

  it("are plain without null", () => {
    expect(plain({ anyOf: [{ type: "string" }, { type: "null" }], default: null }, {})).toMatchObject({ nullable: true, schema: { type: "string" } });
    expect(plain({ type: ["integer", "null"] }, {})).toMatchObject({ nullable: true, schema: { type: "integer" } });
    expect(plain({ type: ["integer", "string"] }, {}).schema.anyOf).toHaveLength(2);
  });

  it("offer the values of enums, constants and patterns of words", () => {
    expect(options({ enum: ["a", 1] })?.map((option) => option.label)).toEqual(["a", "1"]);
    expect(options({ anyOf: [{ const: 1, title: "One" }, { const: 2 }] })?.map((option) => option.label)).toEqual(["One", "2"]);
    expect(options(REPORT.properties!.writing!)?.map((option) => option.value)).toEqual(["auto", "section", "sentence"]);
    expect(options(REPORT.properties!.language!)).toBeNull();
  });

  it("are named for people", () => {
    expect(nameOf({ title: "Max Evidence" }, "max_evidence")).toBe("Max evidence");
    expect(nameOf({ title: "Most quotes" }, "max_evidence")).toBe("Most quotes");
    expect(nameOf({ title: "ModelBudget" }, "budget")).toBe("Budget");
    expect(nameOf({ title: "ModelBudget" }, "")).toBe("ModelBudget");
  });
});

describe("kinds", () => {
  const kind = (schema: Schema, name = "x") => kindOf(plain(schema, REPORT).schema, name, REPORT);
  it("tell the control", () => {
    expect(kind({ type: "string", format: "uuid" }, "upload_id")).toBe("upload");
    expect(kind({ type: "array", items: { type: "string", format: "uuid" } }, "upload_ids")).toBe("list");
    expect(kind({ type: "string", format: "uuid" }, "document_id")).toBe("text");
    expect(kind(REPORT.properties!.collections!, "collections")).toBe("collections");
    expect(kind({ type: "string" }, "collection")).toBe("collection");
    expect(kind({ type: "array", items: { enum: ["a", "b"] } })).toBe("choices");
    expect(kind(REPORT.properties!.sections!)).toBe("list");
    expect(kind({ type: "string", maxLength: 300 })).toBe("long");
    expect(kind({ type: "object", additionalProperties: { type: "integer" } })).toBe("map");
    expect(kind({ type: "object", additionalProperties: true })).toBe("json");
    expect(kind(DECISION)).toBe("variants");
    expect(kind({})).toBe("json");
  });
});

describe("what a form begins with", () => {
  it("is what must be sent and is known", () => {
    expect(initial(REPORT)).toEqual({});
    expect(initial(DECISION.oneOf![0]!)).toEqual({ type: "approve" });
    const schema: Schema = { type: "object", properties: { a: { default: 3 }, b: { default: 4 }, c: { ...SECTION } }, required: ["a", "c"] };
    expect(initial(schema)).toEqual({ a: 3, c: {} });
  });
});

describe("what is sent", () => {
  it("leaves out optional parts that are empty", () => {
    const value = { topic: "Rain", collections: ["a"], language: undefined, sections: [], budget: { tokens: undefined } };
    expect(pruned(value, REPORT)).toEqual({ topic: "Rain", collections: ["a"] });
  });

  it("keeps emptiness that says something, and what the schema does not know", () => {
    expect(pruned({ topic: "", labels: [], other: "" }, REPORT)).toEqual({ topic: "", labels: [], other: "" });
    expect(pruned({}, { type: "object", properties: { a: { type: "array" } }, required: ["a"] })).toEqual({ a: [] });
  });

  it("is null where something is required and may be null", () => {
    const schema: Schema = { type: "object", properties: { a: { type: ["string", "null"] } }, required: ["a"] };
    expect(pruned({}, schema)).toEqual({ a: null });
  });

  it("is pruned within lists and alternatives", () => {
    const schema: Schema = { type: "array", items: { type: "object", properties: { a: { type: "string" } } } };
    expect(pruned([{ a: "" }, { a: "x" }], schema)).toEqual([{}, { a: "x" }]);
    expect(pruned({ type: "edit", text: undefined }, DECISION)).toEqual({ type: "edit" });
  });
});

describe("checks", () => {
  const codes = (value: unknown, schema: Schema = REPORT) => check(value, schema).map((miss) => `${miss.path} ${miss.code}`);
  it("find nothing wrong with what fits", () => {
    expect(codes({ topic: "Rain", collections: ["a"], language: "pt", sections: [{ title: "A", question: "Why?" }] })).toEqual([]);
  });

  it("say where and what", () => {
    expect(codes({ topic: "R", collections: [], language: "xyz", max_evidence: 0, zzz: 1, sections: [{ title: "" }] })).toEqual([
      "/topic min_length",
      "/collections required",
      "/language pattern",
      "/max_evidence minimum",
      " unknown",
      "/sections/0/question required",
      "/sections/0/title required",
    ]);
  });

  it("know alternatives, null and what is still being typed", () => {
    expect(codes({ type: "edit" }, DECISION)).toEqual(["/text required"]);
    expect(codes({ topic: "Rain", collections: ["a"], budget: { tokens: null } })).toEqual([]);
    expect(codes({ topic: "Rain", collections: ["a"], max_evidence: new Unreadable("4x", "number") })).toEqual(["/max_evidence unreadable_number"]);
    expect(variantIndex({ type: "edit" }, plain(DECISION, DECISION).schema, DECISION)).toBe(1);
  });

  it("leave patterns of another dialect to the API", () => {
    expect(codes("x", { type: "string", pattern: "(?P<a>x)" })).toEqual([]);
  });
});

describe("errors of the API", () => {
  it("are placed in the input", () => {
    const rejected = [
      { path: "/", message: "'topic' is a required property" },
      { path: "/sections/0", message: "'title' is a required property" },
      { path: "/max_evidence", message: "0 is less than the minimum of 1" },
    ];
    expect(placed(rejected, "/input", "input_rejected").map((error) => error.path)).toEqual(["/topic", "/sections/0/title", "/max_evidence"]);
    const invalid = [{ path: "/priority", message: "too much" }, { path: "/input/topic", message: "NUL" }, { path: "/inputs", message: "no" }];
    expect(placed(invalid, "/input", "invalid_request")).toEqual([{ path: "/topic", message: "NUL" }]);
  });

  it("are found at their part, or at what holds it", () => {
    const errors = new Errors([{ path: "/a/0", message: "bad" }]);
    expect(errors.at("/a")).toBeUndefined();
    expect(errors.at("/a", true)).toBe("0: bad");
    expect(errors.has("/a")).toBe(true);
    expect(errors.has("/ab")).toBe(false);
  });
});
