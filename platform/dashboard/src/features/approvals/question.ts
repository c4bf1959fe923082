import type { Schemas } from "@/api/client";
import type { Schema } from "@/features/submit/schema-form/schema";

/** What a graph asks, read by the same shapes as the API reads it (`mutirao/jobs/decisions.py`). */

export type Kind = Schemas["Kind"];
export const KINDS: readonly Kind[] = ["approve", "edit", "reject", "answer"];

/** Something a graph wants to do, or to know. */
export interface Action {
  /** Of the tool; null for a plain question. */
  name: string | null;
  description: string | null;
  /** What it would be called with; undefined when nothing is proposed. */
  args: unknown;
  allowed: Kind[];
  /** Of the arguments. */
  schema: Schema | null;
}

export interface Question {
  /**
   * `actions`: each has its verdict. `effect`: something was begun and its end is not known. `breakpoint`: the graph stands
   * before or after a step. `open`: anything else.
   */
  kind: "actions" | "effect" | "breakpoint" | "open";
  /** In words, where the graph says it in words. */
  text: string | null;
  actions: Action[];
  /** What it says besides. */
  details: Record<string, unknown>;
  /** What an answer must look like. */
  answerSchema: Schema | null;
  /** Answers to choose from. */
  options: (string | number)[];
}

const WORDS = ["question", "prompt", "message", "title"];
const PROPOSALS = ["args", "arguments", "proposal", "draft", "value", "content"];
/** How it is to be asked, which the approval itself tells. */
const TERMS = ["assignee", "expires_seconds", "on_expiry", "escalate_to", "remind_seconds"];
const ALLOWED: [Kind, string][] = [
  ["approve", "allow_accept"],
  ["edit", "allow_edit"],
  ["reject", "allow_ignore"],
  ["answer", "allow_respond"],
];

type Plain = Record<string, unknown>;
const isPlain = (value: unknown): value is Plain => typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : null);
const schemaOf = (value: unknown) => (isPlain(value) && Object.keys(value).length > 0 ? (value as Schema) : null);

export function readQuestion(request: unknown): Question {
  const interrupts = Array.isArray(request) ? request : [request];
  if (interrupts.length > 0 && interrupts.every((each) => isPlain(each) && isPlain(each.action_request) && isPlain(each.config))) {
    return { ...OPEN, kind: "actions", actions: interrupts.map((each) => fromInterrupt(each as Plain)) };
  }
  if (!isPlain(request)) {
    return { ...OPEN, text: text(request), details: text(request) || request === null ? {} : { value: request }, actions: [plainAction(undefined)] };
  }
  const { action_requests: requests } = request;
  if (Array.isArray(requests) && requests.length > 0 && requests.every(isPlain)) return batched(request, requests);
  if (request.type === "tool_approval") {
    const { name, args, description, type: _, ...details } = request;
    const action = { ...plainAction(args), name: text(name), description: text(description), schema: schemaOf(request.args_schema) };
    return { ...OPEN, kind: "actions", actions: [action], details: without(details, [...TERMS, "args_schema"]) };
  }
  if (typeof request.effect === "string" && isPlain(request.schema)) {
    const details = text(request.refused) ? { refused: request.refused } : {};
    return { ...OPEN, kind: "effect", text: request.effect, details, answerSchema: request.schema };
  }
  if (Array.isArray(request.breakpoint)) {
    return { ...OPEN, kind: "breakpoint", details: { steps: request.breakpoint }, actions: [{ ...plainAction(undefined), allowed: ["approve"] }] };
  }
  return open(request);
}

const OPEN: Question = { kind: "open", text: null, actions: [], details: {}, answerSchema: null, options: [] };

function plainAction(args: unknown): Action {
  const allowed = KINDS.filter((kind) => kind !== "edit" || args !== undefined);
  return { name: null, description: null, args, allowed, schema: null };
}

function without(value: Plain, keys: readonly string[]): Plain {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

function fromInterrupt(one: Plain): Action {
  const request = one.action_request as Plain;
  const config = one.config as Plain;
  return {
    name: text(request.action),
    description: text(one.description),
    args: request.args,
    allowed: ALLOWED.flatMap(([kind, key]) => (config[key] ? [kind] : [])),
    schema: null,
  };
}

function batched(request: Plain, requests: Plain[]): Question {
  const reviews = (Array.isArray(request.review_configs) ? request.review_configs : []).filter(isPlain);
  const actions = requests.map((each): Action => {
    const review = reviews.find((one) => one.action_name === each.name);
    const names = Array.isArray(review?.allowed_decisions) ? review.allowed_decisions : [];
    return {
      name: text(each.name),
      description: text(each.description),
      args: each.args ?? each.arguments,
      allowed: review ? KINDS.filter((kind) => names.includes(kind) || (kind === "answer" && names.includes("respond"))) : [...KINDS],
      schema: schemaOf(review?.args_schema),
    };
  });
  return { ...OPEN, kind: "actions", actions, details: without(request, [...TERMS, "action_requests", "review_configs"]) };
}

function open(request: Plain): Question {
  const words = WORDS.find((key) => text(request[key]));
  const proposal = PROPOSALS.find((key) => request[key] !== undefined);
  const options = (Array.isArray(request.options) ? request.options : []).filter(
    (each): each is string | number => typeof each === "string" || typeof each === "number",
  );
  const used = [...TERMS, "schema", "response_schema", words ?? "", proposal ?? "", options.length > 0 ? "options" : ""];
  const named = text(request.action) ?? text(request.tool);
  return {
    ...OPEN,
    text: words ? text(request[words]) : null,
    actions: [{ ...plainAction(proposal && request[proposal]), name: proposal ? named : null }],
    details: without(request, proposal && named ? [...used, "action", "tool"] : used),
    answerSchema: schemaOf(request.schema) ?? schemaOf(request.response_schema),
    options,
  };
}

/** One line that says what is asked; empty when the graph gives no words for it. */
export function headline(question: Question): string {
  if (question.kind === "actions") return question.actions.map((each) => each.name ?? "?").join(", ");
  if (question.text) return question.text.split("\n", 1)[0] ?? "";
  if (question.kind === "breakpoint") return String(question.details.steps ?? "");
  const [action] = question.actions;
  return action?.name ?? Object.keys(question.details).join(", ");
}

const GIST = 120;
const SHORT = 60;

/** The first plain values of what is proposed or said besides: what tells two questions of one kind apart. */
export function gist(question: Question): string {
  const from = question.kind === "actions" ? question.actions[0]?.args : question.details;
  if (!isPlain(from) || question.kind === "breakpoint") return "";
  const values = Object.values(from).filter((each): each is string => typeof each === "string" && each !== "");
  const isLong = (value: string) => Number(value.length > SHORT || value.includes("\n"));
  values.sort((a, b) => isLong(a) - isLong(b));
  return values.join(" · ").replace(/\s+/g, " ").slice(0, GIST);
}
