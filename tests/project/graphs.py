"""Graphs as a LangGraph user has them: a builder, a compiled graph, a factory."""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    text: str
    shout: str


async def shout(state: State) -> dict[str, Any]:
    return {"shout": state["text"].upper()}


builder = StateGraph(State)
builder.add_node("shout", shout)
builder.add_edge(START, "shout")
builder.add_edge("shout", END)

compiled = builder.compile()


def factory() -> StateGraph[State]:
    return builder
