import { describe, expect, it } from "vitest";
import type { JobEvent } from "@/api/client";
import { conversionsIn, firstOf, isConversion, readConversion, statusOf, toReview } from "./conversion";
import { linesOf, treeOf } from "./tree";

const record = (path: string, more = {}) => ({
  path,
  outcome: "converted",
  reason: "",
  grammar: "python2",
  sha256: "new",
  size: 5,
  fixers: { print: 2 },
  notes: ["a note"],
  compiled: { ok: true, line: null, message: "", warnings: ["a warning"] },
  verdict: "NOT VERIFIED",
  risks: [],
  ...more,
});
const event = (output: unknown, type = "step.finished") => ({ type, data: { output } }) as unknown as JobEvent;

describe("conversions", () => {
  it("are known by their output", () => {
    expect(isConversion({ counts: { converted: 1 }, verdicts: {} })).toBe(true);
    expect(isConversion({ counts: {} })).toBe(false);
  });

  it("are what the steps said last", () => {
    const events = [
      event({ conversions: [record("a.py", { sha256: "first" })] }),
      event({ conversions: [record("b.py")] }, "step.started"),
      event({ conversions: [record("a.py")] }),
      event("…"),
    ];
    expect(conversionsIn(events)).toEqual([record("a.py")]);
  });

  it("join what is known of each file", () => {
    const inventory = {
      archive: { name: "x.zip" },
      files: [
        { path: "a.py", sha256: "old", size: 4, lines: 3, grammar: "python2", encoding: "latin-1", credentials: [{ line: 1, kind: "key", masked: "***" }] },
        { path: "logo.png", sha256: "p", size: 9, binary: true },
      ],
      missing: [{ module: "mx", path: "a.py", line: 2, guarded: true }],
      explained: { round: "rounds otherwise" },
    };
    const manifest = { files: [{ path: "a.py", before: { sha256: "old", size: 4 }, after: { sha256: "new", size: 5 } }], tools: { python: "3.11" } };
    const said = [record("a.py", { tests: { ok: false, message: "2 of 3" }, equivalence: "unknown" })];
    const conversion = readConversion(said, inventory, manifest, { verdicts: { "NOT VERIFIED": 1 }, counts: { converted: 1, odd: "x" } });
    const [first, second] = conversion.files;
    expect(first).toMatchObject({ outcome: "converted", encoding: "latin-1", notes: ["a note", "a warning"], lines: 3 });
    expect(first?.missing).toEqual([{ module: "mx", line: 2, guarded: true }]);
    expect(first?.further).toEqual([
      ["tests", { ok: false, text: "2 of 3" }],
      ["equivalence", { ok: null, text: "unknown" }],
    ]);
    expect(first && [statusOf(first), toReview(first)]).toEqual(["review", 1]);
    expect(conversion).toMatchObject({ executed: false, verdicts: [["NOT VERIFIED", 1]], counts: { converted: 1 } });
    expect(second).toMatchObject({ outcome: "copied", isBinary: true });
    expect(second && statusOf(second)).toBe("copied");
    expect(firstOf([second!, first!])).toBe(first);
  });

  it("take the verdict that all files have for one whose record is not there", () => {
    const inventory = { files: [{ path: "a.py", grammar: "python2" }, { path: "b.txt" }] };
    const { files } = readConversion([], inventory, null, { verdicts: { "NOT VERIFIED": 1 } });
    expect(files.map((each) => each.verdict)).toEqual(["NOT VERIFIED", null]);
  });

  it("say what does not compile first", () => {
    const files = readConversion([record("a.py", { compiled: { ok: false } }), record("b.py", { outcome: "kept" })], null, null, null).files;
    expect(files.map(statusOf)).toEqual(["broken", "kept"]);
  });

  it("are a tree", () => {
    const files = readConversion(["z.py", "a/b/one.py", "a/b/c/two.py"].map((path) => record(path)), null, null, null).files;
    const tree = treeOf(files);
    expect(tree.files.map((each) => each.path)).toEqual(["z.py"]);
    expect(tree.folders.map((each) => each.name)).toEqual(["a/b"]);
    expect(tree.folders[0]?.folders.map((each) => each.path)).toEqual(["a/b/c"]);
    const drawn = (closed: string[]) => linesOf(tree, new Set(closed)).map((line) => `${line.depth} ${line.folder ? line.folder.name : line.file.path}`);
    expect(drawn([])).toEqual(["0 a/b", "1 c", "2 a/b/c/two.py", "1 a/b/one.py", "0 z.py"]);
    expect(drawn(["a/b"])).toEqual(["0 a/b", "0 z.py"]);
  });
});
