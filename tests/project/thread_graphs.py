"""Graphs for tests of the thread protocol: one has something for every channel, one has an agent that asks another."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.stream.transformers import CustomTransformer, UpdatesTransformer
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Answers(FakeMessagesListChatModel):
    """A model that calls the tool that it is bound to once, and then has an answer; without a tool, the answer alone."""

    tool: str = ""
    answer: str

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Answers:  # type: ignore[override]
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        if self.tool and not any(message.type == "tool" for message in messages):
            call = {"id": f"call-{self.tool}", "name": self.tool, "args": {"topic": "bees"}}
            message = AIMessage("", tool_calls=[call])
        else:
            message = AIMessage(self.answer)
        return ChatResult(generations=[ChatGeneration(message=message)])


def model(answer: str, *, tool: str = "") -> Answers:
    return Answers(responses=[], answer=answer, tool=tool)


class Tour(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    items: Annotated[list[str], operator.add]


def progress(step: str) -> None:
    get_stream_writer()({"name": "progress", "step": step})


async def say(_: Tour) -> dict[str, Any]:
    progress("say")
    return {"messages": [await model("good morning").ainvoke("hello")], "items": ["said"]}


def ask(_: Tour) -> dict[str, Any]:
    progress("ask")
    return {"items": [f"heard {interrupt('shall we?')}"]}


def inner(_: Tour) -> dict[str, Any]:
    progress("inner")
    return {"items": ["inside"]}


def visit(_: Tour) -> dict[str, Any]:
    progress("visit")
    return {"items": [*room.invoke({"items": []})["items"], "visited"]}


_room = StateGraph(Tour)
_room.add_node("inner", inner)
_room.add_edge(START, "inner")
_room.add_edge("inner", END)
room = _room.compile()

_tour = StateGraph(Tour)
for _step in (say, ask, visit):
    _tour.add_node(_step.__name__, _step)
_tour.add_edge(START, "say")
_tour.add_edge("say", "ask")
_tour.add_edge("ask", "visit")
_tour.add_edge("visit", END)
tour = _tour.compile(name="tour", transformers=[CustomTransformer, UpdatesTransformer])

helper = create_agent(model("in hives"), name="helper")


@tool
async def research(topic: str) -> str:
    """Ask the helper about a topic."""
    found = await helper.ainvoke({"messages": [{"role": "user", "content": topic}]})
    return str(found["messages"][-1].content)


team = create_agent(model("they live in hives", tool="research"), [research], name="team")
