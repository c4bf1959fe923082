// The JavaScript SDK against the API named by MUTIRAO_URL and MUTIRAO_KEY: threads, streams, interrupts, join, cancel,
// and the React hook useStream in a document of its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { JSDOM } from "jsdom";
import { Client } from "@langchain/langgraph-sdk";

const apiUrl = process.env.MUTIRAO_URL;
const apiKey = process.env.MUTIRAO_KEY;
const client = new Client({ apiUrl, apiKey });

async function all(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

test("a thread is made, read and changed", async () => {
  const thread = await client.threads.create({ metadata: { from: "js" } });
  assert.equal(thread.status, "idle");
  await client.threads.update(thread.thread_id, { metadata: { more: 1 } });
  assert.deepEqual((await client.threads.get(thread.thread_id)).metadata, { from: "js", more: 1 });
});

test("several modes come in one stream", async () => {
  const { thread_id } = await client.threads.create();
  const parts = await all(
    client.runs.stream(thread_id, "run_steps", {
      input: { items: [] },
      streamMode: ["values", "updates", "custom"],
    }),
  );
  const kinds = parts.map((part) => part.event);
  assert.equal(kinds[0], "metadata");
  assert.ok(parts[0].data.run_id);
  for (const kind of ["values", "updates", "custom"]) assert.ok(kinds.includes(kind), kind);
  assert.deepEqual(
    parts.filter((part) => part.event === "updates").map((part) => Object.keys(part.data)[0]),
    ["one", "two", "three"],
  );
  assert.deepEqual(parts.filter((part) => part.event === "values").at(-1).data.items, ["one", "two", "three"]);
});

test("sub-graphs are in the stream when they are asked for", async () => {
  const parts = await all(
    client.runs.stream(null, "run_nested", {
      input: { items: [] },
      streamMode: ["updates"],
      streamSubgraphs: true,
    }),
  );
  assert.ok(parts.some((part) => part.event.startsWith("updates|inner:")), JSON.stringify(parts.map((p) => p.event)));
});

test("an interrupt is resumed by a command", async () => {
  const { thread_id } = await client.threads.create();
  const parts = await all(
    client.runs.stream(thread_id, "run_asking", { input: { items: [] }, streamMode: ["updates"] }),
  );
  const asked = parts.find((part) => part.data.__interrupt__).data.__interrupt__[0];
  assert.deepEqual(asked.value, { question: "go on?" });
  assert.equal((await client.threads.get(thread_id)).status, "interrupted");
  const state = await client.threads.getState(thread_id);
  assert.deepEqual(state.next, ["ask"]);
  const values = await client.runs.wait(thread_id, "run_asking", { command: { resume: "yes" } });
  assert.deepEqual([values.value, values.items], ["yes", ["before", "ask", "after"]]);
  assert.ok((await client.threads.getHistory(thread_id)).length > 3);
});

test("a run is joined, listed and read", async () => {
  const { thread_id } = await client.threads.create();
  const run = await client.runs.create(thread_id, "run_steps", { input: { items: [] } });
  const values = await client.runs.join(thread_id, run.run_id);
  assert.deepEqual(values.items, ["one", "two", "three"]);
  assert.equal((await client.runs.get(thread_id, run.run_id)).status, "success");
  assert.equal((await client.runs.list(thread_id)).length, 1);
});

test("a stream is joined from its beginning", async () => {
  const { thread_id } = await client.threads.create();
  const run = await client.runs.create(thread_id, "run_ticking", {
    input: { items: [] },
    streamMode: ["custom"],
    streamResumable: true,
  });
  const parts = await all(client.runs.joinStream(thread_id, run.run_id, { lastEventId: "-1", streamMode: ["custom"] }));
  const told = parts.filter((part) => part.event === "custom").map((part) => part.data);
  const numbers = told.filter((part) => typeof part === "number");
  assert.deepEqual(numbers, Array.from({ length: 100 }, (_, number) => number));
});

test("a run is cancelled", async () => {
  const { thread_id } = await client.threads.create();
  const run = await client.runs.create(thread_id, "run_holding", { input: { seconds: 60 } });
  while ((await client.runs.get(thread_id, run.run_id)).status === "pending");
  await client.runs.cancel(thread_id, run.run_id, true);
  assert.equal((await client.runs.get(thread_id, run.run_id)).status, "interrupted");
});

test("assistants, crons and the store", async () => {
  const assistant = await client.assistants.create({ graphId: "run_steps", name: "from js" });
  assert.equal((await client.assistants.get(assistant.assistant_id)).graph_id, "run_steps");
  await client.store.putItem(["js", "tests"], "one", { n: 1 });
  assert.equal((await client.store.getItem(["js", "tests"], "one")).value.n, 1);
  const cron = await client.crons.create("run_steps", { schedule: "0 0 1 1 *", input: { items: [] } });
  await client.crons.delete(cron.cron_id);
  await client.assistants.delete(assistant.assistant_id);
});

test("useStream submits, shows messages, and resumes an interrupt", async () => {
  const page = new JSDOM("<div id=root></div>", { url: apiUrl });
  Object.assign(globalThis, { window: page.window, document: page.window.document, IS_REACT_ACT_ENVIRONMENT: false });
  Object.defineProperty(globalThis, "navigator", { value: page.window.navigator, configurable: true });
  const React = await import("react");
  const { createRoot } = await import("react-dom/client");
  const { useStream } = await import("@langchain/langgraph-sdk/react");
  let stream;
  let shown = false;
  function Page() {
    stream = useStream({ apiUrl, apiKey, assistantId: "run_asking" });
    React.useEffect(() => {
      shown = true;
    }, []);
    // What a page reads while it renders is what the hook asks the server for.
    return JSON.stringify([stream.values, stream.interrupt, stream.isLoading]);
  }
  const root = createRoot(page.window.document.getElementById("root"));
  root.render(React.createElement(Page));
  const until = async (condition) => {
    for (let tries = 0; !condition(); tries += 1) {
      assert.ok(tries < 1500, `not in time: ${condition}; error: ${stream?.error}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  };
  // As people do: before its first effects the hook takes the new thread for another one, and hangs up.
  await until(() => shown);
  await stream.submit({ items: [] });
  await until(() => stream.interrupt && !stream.isLoading);
  assert.deepEqual(stream.interrupt.value, { question: "go on?" });
  await stream.submit(undefined, { command: { resume: "from a page" } });
  await until(() => stream.values?.items?.includes("after") && !stream.isLoading);
  assert.equal(stream.values.value, "from a page");
  root.unmount();
});
