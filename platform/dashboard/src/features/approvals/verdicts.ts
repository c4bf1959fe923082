import type { Approval, Schemas } from "@/api/client";
import { check } from "@/features/submit/schema-form/check";
import { isObject, Unreadable, type Schema } from "@/features/submit/schema-form/schema";
import { pruned } from "@/features/submit/schema-form/values";
import type { Action, Kind, Question } from "./question";

/** What a person is about to decide on one action. */
export interface Draft {
  kind: Kind | null;
  /** For `edit`: the arguments as they stand in the form. */
  args: unknown;
  /** For `reject`: what the graph is told. */
  message: string;
  /** For `answer`. */
  answer: unknown;
}

export type Body = Schemas["DecisionRequest"];

/** How the form of a question begins. One thing to decide is proposed as its most likely answer; of several, none is. */
export function beginDrafts(question: Question): Draft[] {
  return question.actions.map((action) => ({
    kind: question.actions.length > 1 ? null : likely(question, action.allowed),
    args: action.args,
    message: "",
    answer: question.options[0] ?? "",
  }));
}

function likely(question: Question, allowed: Kind[]): Kind | null {
  if (question.kind === "open" && allowed.includes("answer")) {
    const isAnswer = question.answerSchema !== null || question.options.length > 0;
    // A question for a number or a name is not answered with yes.
    if (isAnswer || /^(how|what|which|who|when|where|why|quant|qua[il]|quem|quando|onde|por que|como)\b/i.test(question.text ?? "")) return "answer";
  }
  return allowed[0] ?? null;
}

/** The schema that a form for a value has: the graph's, else of exactly the shape that the value has. */
export function formSchema(schema: Schema | null, value: unknown): Schema {
  return schema ?? shapeOf(value);
}

function shapeOf(value: unknown): Schema {
  if (typeof value === "string" || typeof value === "boolean" || typeof value === "number") return { type: typeof value };
  if (isObject(value)) {
    const properties = Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shapeOf(each)]));
    return { type: "object", properties };
  }
  const items = Array.isArray(value) ? value : [];
  const isUniform = items.length > 0 && items.every((each) => each !== null && typeof each === typeof items[0] && !Array.isArray(each));
  return isUniform ? { type: "array", items: shapeOf(items[0]) } : {};
}

/** The arguments as they are sent. A text that was emptied is empty: only a schema can say that it may be left out. */
export function editedArgs(action: Action, args: unknown): unknown {
  if (action.schema) return pruned(args, action.schema);
  if (!isObject(args) || !isObject(action.args)) return args ?? "";
  const emptied = Object.entries(action.args).filter(([name, each]) => typeof each === "string" && args[name] === undefined);
  return { ...args, ...Object.fromEntries(emptied.map(([name]) => [name, ""])) };
}

const isReadable = (value: unknown): boolean =>
  !(value instanceof Unreadable) && (typeof value !== "object" || value === null || Object.values(value).every(isReadable));

/** Whether enough is said about an action to be sent. */
export function isSaid(action: Action, question: Question, draft: Draft | undefined): boolean {
  if (!draft?.kind) return false;
  if (draft.kind === "edit") {
    const args = editedArgs(action, draft.args);
    return isReadable(args) && (!action.schema || check(args, action.schema).length === 0);
  }
  if (draft.kind !== "answer") return true;
  if (draft.answer === undefined || draft.answer === "" || !isReadable(draft.answer)) return false;
  return !question.answerSchema || check(pruned(draft.answer, question.answerSchema), question.answerSchema).length === 0;
}

/** What all drafts say; null when they differ or one says nothing. */
export function commonKind(drafts: Draft[]): Kind | null {
  const [first, ...rest] = drafts.map((draft) => draft.kind);
  return first && rest.every((kind) => kind === first) ? first : null;
}

function verdict(draft: Draft, action: Action, question: Question): Schemas["VerdictRequest"] {
  const kind = draft.kind ?? "approve";
  if (kind === "edit") return { type: kind, args: editedArgs(action, draft.args) };
  if (kind === "answer") {
    return { type: kind, answer: question.answerSchema ? pruned(draft.answer, question.answerSchema) : draft.answer };
  }
  return { type: kind, ...(kind === "reject" && draft.message ? { message: draft.message } : {}) };
}

/** The decision as the API takes it, bound to the question that was read. */
export function bodyOf(approval: Approval, question: Question, drafts: Draft[], comment: string): Body {
  const bound = { request_sha256: approval.request_sha256 || null, ...(comment ? { comment } : {}) };
  const verdicts = question.actions.flatMap((action, index) => {
    const draft = drafts[index];
    return draft ? [verdict(draft, action, question)] : [];
  });
  const [only] = verdicts;
  if (verdicts.length === 1 && only) return { ...only, ...bound, decisions: [] };
  return { decisions: verdicts, ...bound };
}

export interface Decided {
  kind: Kind | "expired" | "other";
  /** The edited arguments, the answer, the reason: whatever goes with it. */
  value?: unknown;
}

type Plain = Record<string, unknown>;
const isPlain = (value: unknown): value is Plain => typeof value === "object" && value !== null && !Array.isArray(value);

/** What was decided on each action, read back from what the graph has been given. */
export function readDecision(question: Question, decision: unknown): Decided[] {
  if (isPlain(decision) && decision.expired === true) return [{ kind: "expired" }];
  if (question.kind === "actions") {
    const told = isPlain(decision) && Array.isArray(decision.decisions) ? decision.decisions : Array.isArray(decision) ? decision : [decision];
    return told.map(readOne);
  }
  if (question.kind === "breakpoint") return [{ kind: "approve" }];
  if (typeof decision === "boolean") return [{ kind: decision ? "approve" : "reject" }];
  return [{ kind: question.kind === "effect" ? "other" : "answer", value: decision }];
}

function readOne(told: unknown): Decided {
  if (!isPlain(told)) return { kind: "other", value: told };
  switch (told.type) {
    case "approve":
    case "accept":
      return { kind: "approve" };
    case "reject":
    case "ignore":
      return { kind: "reject", value: told.message };
    case "edit": {
      const edited = isPlain(told.edited_action) ? told.edited_action : told.args;
      return { kind: "edit", value: isPlain(edited) && "args" in edited ? edited.args : edited };
    }
    case "respond":
    case "response":
      return { kind: "answer", value: told.message ?? told.args };
    default:
      return { kind: "other", value: told };
  }
}
