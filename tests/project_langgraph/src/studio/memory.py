"""Remembers across threads in the long-term store, from a coroutine and from a plain function."""

from typing import Any

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict


class Context(TypedDict, total=False):
    user: str


class State(TypedDict, total=False):
    fact: str
    recalled: list[str]


async def remember(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    assert runtime.store is not None
    await runtime.store.aput(("facts",), state["fact"], {"text": state["fact"]})
    return {}


def recall(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    assert runtime.store is not None
    found = runtime.store.search(("facts",), query="sea", limit=10)
    return {"recalled": [item.value["text"] for item in found]}


builder = (
    StateGraph(State, context_schema=Context)
    .add_node("remember", remember)
    .add_node("recall", recall)
    .add_edge(START, "remember")
    .add_edge("remember", "recall")
)
