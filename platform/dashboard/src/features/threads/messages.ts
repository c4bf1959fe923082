/** Who says something in a conversation. */
export type Speaker = "person" | "agent" | "tool" | "system";

export interface Message {
  id: string;
  speaker: Speaker;
  /** Of the tool, or of who says it. */
  name: string | null;
  text: string;
  /** What of it is no text: `image`, `audio`, … */
  others: string[];
  calls: { id: string; name: string; args: unknown }[];
  /** For a tool's answer: which call it answers. */
  answers: string | null;
  failed: boolean;
}

const SPEAKERS: Record<string, Speaker> = {
  human: "person",
  user: "person",
  HumanMessageChunk: "person",
  ai: "agent",
  assistant: "agent",
  AIMessageChunk: "agent",
  tool: "tool",
  function: "tool",
  system: "system",
  developer: "system",
};

type Json = Record<string, unknown>;
const record = (value: unknown): Json | null => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null);
const word = (value: unknown) => (typeof value === "string" ? value : null);

function speakerOf(message: Json): Speaker | undefined {
  return SPEAKERS[word(message.type) ?? ""] ?? SPEAKERS[word(message.role) ?? ""];
}

/** Content is a text, or a list of parts of which some are texts. */
function contentOf(content: unknown): Pick<Message, "text" | "others"> {
  if (typeof content === "string") return { text: content, others: [] };
  const texts: string[] = [];
  const others: string[] = [];
  for (const part of Array.isArray(content) ? content : []) {
    const own = record(part);
    const said = word(part) ?? word(own?.text);
    if (said !== null) texts.push(said);
    else if (own) others.push(word(own.type) ?? "?");
  }
  return { text: texts.join("\n"), others: others.filter((type) => type !== "tool_use" && type !== "tool_call") };
}

function callsOf(message: Json): Message["calls"] {
  return (Array.isArray(message.tool_calls) ? message.tool_calls : []).flatMap((each) => {
    const call = record(each);
    if (!call) return [];
    const inner = record(call.function);
    let args = call.args ?? inner?.arguments;
    if (typeof args === "string") {
      try {
        args = JSON.parse(args);
      } catch {
        // What a model has written that is no JSON is shown as it is.
      }
    }
    return [{ id: String(call.id ?? ""), name: word(call.name) ?? word(inner?.name) ?? "?", args }];
  });
}

/** Messages of LangChain, or in OpenAI's shape; what is no message is left out. */
export function messagesOf(values: unknown): Message[] {
  const list = Array.isArray(values) ? values : record(values)?.messages;
  return (Array.isArray(list) ? list : []).flatMap((each, index): Message[] => {
    const message = record(each);
    const speaker = message && speakerOf(message);
    if (!message || !speaker) return [];
    return [
      {
        id: word(message.id) ?? String(index),
        speaker,
        name: word(message.name),
        ...contentOf(message.content),
        calls: callsOf(message),
        answers: word(message.tool_call_id),
        failed: message.status === "error",
      },
    ];
  });
}
