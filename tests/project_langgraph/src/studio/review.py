"""A person decides in the middle. Steps are plain functions."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt


class State(TypedDict, total=False):
    topic: str
    draft: str
    log: Annotated[list[str], operator.add]
    approved: bool


def write(state: State) -> dict[str, Any]:
    return {"draft": f"All about {state['topic']}", "log": ["written"]}


def ask(state: State) -> dict[str, Any]:
    return {"approved": interrupt({"draft": state["draft"]}), "log": ["asked"]}


def publish(state: State) -> dict[str, Any]:
    return {"log": ["published" if state["approved"] else "dropped"]}


graph = (
    StateGraph(State)
    .add_node("write", write)
    .add_node("ask", ask)
    .add_node("publish", publish)
    .add_edge(START, "write")
    .add_edge("write", "ask")
    .add_edge("ask", "publish")
    .add_edge("publish", END)
    .compile(checkpointer=InMemorySaver())
)
