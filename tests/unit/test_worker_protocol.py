"""What LangGraph streams, as events of the thread protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import orjson
import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.stream import StreamChannel, StreamTransformer
from langgraph.types import Command, interrupt
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.states import JobState
from mutirao_workers.endings import Ending
from mutirao_workers.protocol import PROTOCOL, Protocol
from mutirao_workers.steps import MODES
from typing_extensions import TypedDict

pytestmark = pytest.mark.anyio

Event = dict[str, Any]


class State(TypedDict, total=False):
    text: str
    messages: list[AnyMessage]


class Scripted(FakeMessagesListChatModel):
    """A model that calls tools when its script says so."""

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Scripted:  # type: ignore[override]
        return self


def scripted(*messages: AIMessage) -> Scripted:
    return Scripted(responses=list(messages))


def calling(name: str, **arguments: Any) -> AIMessage:
    return AIMessage("", id=f"calls-{name}", tool_calls=[{"id": f"call-{name}", "name": name, "args": arguments}])


def claim() -> Claim:
    return Claim(
        job_id=uuid4(),
        project_id=uuid4(),
        thread_id=uuid4(),
        workflow="flow",
        version="1",
        input={},
        metadata={},
        epoch=1,
    )


async def told(graph: Any, given: Any, error: Problem | None = None, **options: Any) -> list[Event]:
    """The events of one attempt that ends well, or with an error."""
    events: list[NewEvent] = []
    protocol = Protocol(events.append, claim(), graph, **options)
    config = {"configurable": {"thread_id": "1", "__pregel_stream_messages_v2": True}}
    modes = list(dict.fromkeys([*MODES, *Protocol.modes]))
    async for part in graph.astream(given, config, stream_mode=modes, subgraphs=True, version="v2"):
        await protocol.take(part)
    await protocol.ended(Ending(state=JobState.FAILED if error else JobState.SUCCEEDED, error=error))
    assert {event.type for event in events} <= {PROTOCOL}
    return [orjson.loads(orjson.dumps(event.data)) for event in events]


def of(events: list[Event], method: str, namespace: list[str] | None = None) -> list[Any]:
    return [
        event["data"]
        for event in events
        if event["method"] == method and (namespace is None or event["namespace"] == namespace)
    ]


def one_step(step: Callable[..., Any], **compiled: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("step", step)
    builder.add_edge(START, "step")
    builder.add_edge("step", END)
    return builder.compile(**compiled)


async def test_a_plain_graph_tells_values_updates_and_tasks() -> None:
    events = await told(one_step(lambda _: {"text": "b"}), {"text": "a"})
    assert of(events, "values") == [{"text": "a"}, {"text": "b"}]
    assert of(events, "updates") == [{"step": {"text": "b"}}]
    assert [event.get("node") for event in events if event["method"] == "updates"] == ["step"]
    begun, ended = of(events, "tasks")
    assert (begun["name"], begun["input"], ended["result"]) == ("step", {"text": "a"}, {"text": "b"})


async def test_a_model_is_told_by_content_blocks_that_name_their_message() -> None:
    async def say(_: State) -> dict[str, Any]:
        return {"messages": [await scripted(AIMessage("well, then", id="m1")).ainvoke("hello")]}

    messages = of(await told(one_step(say), {"messages": []}), "messages")
    assert [event["event"] for event in messages[:2]] == ["message-start", "content-block-start"]
    assert messages[-1]["event"] == "message-finish"
    start = messages[0]
    assert (start["id"], start["role"], start["metadata"]["langgraph_node"]) == ("m1", "ai", "step")
    assert {event["message_id"] for event in messages[1:]} == {"m1"}
    deltas = [event["delta"]["text"] for event in messages if event["event"] == "content-block-delta"]
    assert "".join(deltas) == "well, then"


async def test_messages_that_a_node_writes_are_in_the_values_alone() -> None:
    events = await told(one_step(lambda _: {"messages": [AIMessage("by hand", id="m1")]}), {"messages": []})
    assert of(events, "messages") == []
    assert of(events, "values")[-1]["messages"][0]["content"] == "by hand"


async def test_an_agent_that_calls_another_tells_tools_and_lifecycles() -> None:
    helper = create_agent(scripted(AIMessage("found it", id="h1")), name="helper")

    @tool
    async def research(topic: str) -> str:
        """Look something up."""
        answer = await helper.ainvoke({"messages": [{"role": "user", "content": topic}]})
        return str(answer["messages"][-1].content)

    boss = create_agent(
        scripted(calling("research", topic="bees"), AIMessage("done", id="b1")), [research], name="boss"
    )
    events = await told(boss, {"messages": [{"role": "user", "content": "go"}]})
    started, finished = of(events, "tools", [])
    assert (started["event"], started["tool_name"], started["input"]) == ("tool-started", "research", {"topic": "bees"})
    assert (finished["event"], finished["output"]["status"]) == ("tool-finished", "success")
    assert finished["output"]["content"] == "found it"
    [began, ended] = [event for event in events if event["method"] == "lifecycle"]
    assert (began["data"]["event"], began["data"]["graph_name"]) == ("started", "helper")
    assert began["data"]["cause"] == {"type": "toolCall", "tool_call_id": "call-research"}
    assert (ended["data"]["event"], ended["namespace"]) == ("completed", began["namespace"])
    assert began["namespace"][0].startswith("tools:")
    assert [event["id"] for event in of(events, "messages", began["namespace"]) if "id" in event] == ["h1"]


async def test_an_interrupt_is_no_update_and_no_value() -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    graph = one_step(lambda _: {"text": interrupt("sure?")}, checkpointer=InMemorySaver())
    events = await told(graph, {"text": "a"})
    assert of(events, "updates") == []
    assert all("__interrupt__" not in values for values in of(events, "values"))
    assert of(await told(graph, Command(resume="yes")), "values")[-1] == {"text": "yes"}


async def test_a_checkpoint_names_its_parent() -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    events = of(
        await told(one_step(lambda _: {"text": "b"}, checkpointer=InMemorySaver()), {"text": "a"}), "checkpoints"
    )
    assert [event["source"] for event in events] == ["input", "loop", "loop"]
    assert [event["parent_id"] for event in events] == [None, *[event["id"] for event in events[:-1]]]
    assert "values" not in events[-1]


async def test_what_a_graph_writes_is_told_as_it_is() -> None:
    async def write(_: State) -> dict[str, Any]:
        get_stream_writer()({"name": "progress", "done": 1})
        get_stream_writer()("text")
        return {"text": "b"}

    assert of(await told(one_step(write), {"text": "a"}), "custom") == [{"name": "progress", "done": 1}, "text"]


class Counting(StreamTransformer):
    """Counts the values, on a channel of its own."""

    def __init__(self, scope: tuple[str, ...] = ()) -> None:
        super().__init__(scope)
        self._counts: StreamChannel[int] = StreamChannel("counts")
        self._seen = 0

    def init(self) -> dict[str, Any]:
        return {"counts": self._counts}

    def process(self, event: Any) -> bool:
        if event["method"] == "values":
            self._seen += 1
            self._counts.push(self._seen)
        return True

    def finalize(self) -> None:
        self._counts.push(-1)


class Failing(Counting):
    """Fails at the second value."""

    def process(self, event: Any) -> bool:
        super().process(event)
        if self._seen > 1:
            raise RuntimeError("no good")
        return True


async def test_the_transformers_of_a_graph_have_channels_of_their_own() -> None:
    events = await told(one_step(lambda _: {"text": "b"}, transformers=[Counting]), {"text": "a"})
    assert of(events, "custom") == [{"name": "counts", "payload": count} for count in (1, 2, -1)]


async def test_a_transformer_that_fails_fails_nothing_else() -> None:
    events = await told(one_step(lambda _: {"text": "b"}, transformers=[Failing]), {"text": "a"})
    assert of(events, "values") == [{"text": "a"}, {"text": "b"}]
    assert len(of(events, "custom")) == 2
    unbuilt = await told(one_step(lambda _: {"text": "b"}, transformers=[lambda _: 1 / 0]), {"text": "a"})
    assert len(of(unbuilt, "values")) == 2


async def test_what_is_too_large_is_left_out_and_said() -> None:
    events = await told(one_step(lambda _: {"text": "b" * 500}), {"text": "a"}, most_bytes=400)
    assert of(events, "values") == [{"text": "a"}, {"__omitted__": {"bytes": 511, "max_bytes": 400}}]
