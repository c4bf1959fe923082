import { describe, expect, it } from "vitest";
import { messagesOf } from "./messages";

describe("messagesOf", () => {
  it("reads LangChain's messages", () => {
    const values = {
      messages: [
        { type: "human", id: "a", content: "Rain?" },
        { type: "ai", id: "b", content: "", tool_calls: [{ id: "c1", name: "look", args: { topic: "rain" } }] },
        { type: "tool", content: "wet", tool_call_id: "c1", name: "look", status: "error" },
        { type: "ai", content: [{ type: "text", text: "It" }, "rains", { type: "image_url" }] },
      ],
    };
    const messages = messagesOf(values);
    expect(messages.map((each) => [each.id, each.speaker, each.text])).toEqual([["a", "person", "Rain?"], ["b", "agent", ""], ["2", "tool", "wet"], ["3", "agent", "It\nrains"]]);
    expect(messages[1]!.calls).toEqual([{ id: "c1", name: "look", args: { topic: "rain" } }]);
    expect(messages[2]).toMatchObject({ answers: "c1", failed: true });
    expect(messages[3]!.others).toEqual(["image_url"]);
  });
  it("reads messages in OpenAI's shape", () => {
    const [said] = messagesOf([{ role: "assistant", content: null, tool_calls: [{ id: "x", function: { name: "f", arguments: '{"a": 1}' } }] }]);
    expect(said).toMatchObject({ speaker: "agent", text: "", calls: [{ id: "x", name: "f", args: { a: 1 } }] });
    expect(messagesOf([{ role: "user", content: "x", tool_calls: [{ function: { arguments: "{" } }] }])[0]!.calls[0]!.args).toBe("{");
  });
  it("finds none where there are none", () => {
    for (const values of [null, 5, "x", {}, { messages: "no" }, { messages: [1, null, { type: "odd" }] }]) expect(messagesOf(values)).toEqual([]);
  });
});
