"""A graph in a graph; the inner one asks."""

from typing import Any

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Inner(TypedDict, total=False):
    question: str
    answer: str


class Outer(TypedDict, total=False):
    question: str
    answer: str
    seen: bool


async def look(state: Inner) -> dict[str, Any]:
    return {"answer": f"{state['question']}: {interrupt('what is it?')}"}


async def begin(state: Outer) -> dict[str, Any]:
    return {"seen": True}


researcher = StateGraph(Inner).add_node("look", look).add_edge(START, "look").compile()
graph = (
    StateGraph(Outer)
    .add_node("begin", begin)
    .add_node("researcher", researcher)
    .add_edge(START, "begin")
    .add_edge("begin", "researcher")
    .compile()
)
