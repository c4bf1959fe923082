import { describe, expect, it } from "vitest";
import type { Approval } from "@/api/client";
import { Unreadable } from "@/features/submit/schema-form/schema";
import { headline, readQuestion } from "./question";
import { beginDrafts, bodyOf, formSchema, isSaid, readDecision } from "./verdicts";

const MAIL = { name: "mail", args: { to: "a" }, description: "Sends." };
const BATCH = {
  action_requests: [MAIL, { name: "wipe", args: {} }],
  review_configs: [{ action_name: "mail", allowed_decisions: ["approve", "edit", "respond"], args_schema: { type: "object" } }],
  assignee: "ana",
};
const asApproval = (request: unknown) => ({ request, request_sha256: "abc" }) as Approval;

describe("readQuestion", () => {
  it("reads LangChain's batched request", () => {
    const question = readQuestion(BATCH);
    expect(question.actions.map((each) => [each.name, each.allowed])).toEqual([
      ["mail", ["approve", "edit", "answer"]],
      ["wipe", ["approve", "edit", "reject", "answer"]],
    ]);
    expect(question.actions[0]?.schema).toEqual({ type: "object" });
    expect(question.details).toEqual({});
    expect(headline(question)).toBe("mail, wipe");
  });

  it("reads a single tool call, and the older interrupt", () => {
    expect(readQuestion({ type: "tool_approval", name: "mail", args: { to: "a" } }).actions[0]).toMatchObject({ name: "mail", args: { to: "a" } });
    const one = { action_request: { action: "mail", args: { to: "a" } }, config: { allow_accept: true, allow_respond: true }, description: "d" };
    expect(readQuestion([one]).actions[0]).toMatchObject({ name: "mail", allowed: ["approve", "answer"], description: "d" });
    expect(readQuestion(one).kind).toBe("actions");
  });

  it("reads plain questions, proposals and choices", () => {
    expect(readQuestion("how many?")).toMatchObject({ kind: "open", text: "how many?", details: {} });
    expect(readQuestion("how many?").actions[0]?.allowed).not.toContain("edit");
    expect(readQuestion({ question: "may I?", draft: "text", tone: "warm", expires_seconds: 5 })).toMatchObject({
      text: "may I?",
      details: { tone: "warm" },
      actions: [{ args: "text" }],
    });
    expect(readQuestion({ question: "which?", options: ["a", "b"] }).options).toEqual(["a", "b"]);
    expect(readQuestion([1, 2]).details).toEqual({ value: [1, 2] });
  });

  it("reads an effect whose end is not known, and a breakpoint", () => {
    expect(readQuestion({ question: "…", effect: "pay", schema: { type: "object" }, refused: "no" })).toMatchObject({
      kind: "effect",
      text: "pay",
      details: { refused: "no" },
    });
    expect(readQuestion({ breakpoint: ["two"] })).toMatchObject({ kind: "breakpoint", actions: [{ allowed: ["approve"] }] });
  });
});

describe("verdicts", () => {
  it("propose the likely answer to one question, and none to several", () => {
    expect(beginDrafts(readQuestion("go on?"))[0]?.kind).toBe("approve");
    expect(beginDrafts(readQuestion("how many?"))[0]?.kind).toBe("answer");
    const drafts = beginDrafts(readQuestion(BATCH));
    expect(drafts.map((each) => each.kind)).toEqual([null, null]);
    expect(drafts.map((draft, index) => isSaid(readQuestion(BATCH).actions[index]!, readQuestion(BATCH), draft))).toEqual([false, false]);
  });

  it("are sent bound to the question", () => {
    const question = readQuestion(BATCH);
    const [mail, wipe] = beginDrafts(question);
    const drafts = [
      { ...mail!, kind: "edit" as const, args: { to: "b" } },
      { ...wipe!, kind: "reject" as const, message: "why?" },
    ];
    expect(bodyOf(asApproval(BATCH), question, drafts, "said")).toEqual({
      decisions: [
        { type: "edit", args: { to: "b" } },
        { type: "reject", message: "why?" },
      ],
      request_sha256: "abc",
      comment: "said",
    });
    const [draft] = beginDrafts(readQuestion("go on?"));
    expect(bodyOf(asApproval("go on?"), readQuestion("go on?"), [draft!], "")).toEqual({ type: "approve", request_sha256: "abc", decisions: [] });
  });

  it("edit a proposal without a schema by its own shape", () => {
    const question = readQuestion({ draft: { to: "a", copies: 2, tags: ["x"], odd: [1, "b"] } });
    const [action] = question.actions;
    expect(formSchema(null, action!.args)).toEqual({
      type: "object",
      properties: { to: { type: "string" }, copies: { type: "number" }, tags: { type: "array", items: { type: "string" } }, odd: {} },
    });
    const [draft] = beginDrafts(question);
    // What was emptied in the form is sent empty, not left out.
    const edited = { ...draft!, kind: "edit" as const, args: { copies: 3, tags: ["x"], odd: [1, "b"] } };
    expect(bodyOf(asApproval({}), question, [edited], "")).toMatchObject({ type: "edit", args: { to: "", copies: 3 } });
    expect(isSaid(action!, question, { ...edited, args: new Unreadable("{", "json") })).toBe(false);
  });

  it("are read back from what the graph was given", () => {
    const given = { decisions: [{ type: "edit", edited_action: { name: "mail", args: { to: "b" } } }, { type: "reject", message: "no" }] };
    expect(readDecision(readQuestion(BATCH), given)).toEqual([
      { kind: "edit", value: { to: "b" } },
      { kind: "reject", value: "no" },
    ]);
    expect(readDecision(readQuestion("go on?"), false)).toEqual([{ kind: "reject" }]);
    expect(readDecision(readQuestion("how many?"), 3)).toEqual([{ kind: "answer", value: 3 }]);
    expect(readDecision(readQuestion("go on?"), { expired: true })).toEqual([{ kind: "expired" }]);
  });
});
