"""Graphs made anew for each run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph_sdk.runtime import ServerRuntime
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    text: str
    access: str
    open: bool


_open: set[int] = set()


@contextlib.asynccontextmanager
async def per_run(config: RunnableConfig, runtime: ServerRuntime) -> AsyncIterator[CompiledStateGraph[Any, Any, Any]]:
    mine = id(runtime)
    _open.add(mine)

    async def say(state: State) -> dict[str, Any]:
        return {
            "access": runtime.access_context,
            "open": mine in _open,
            "text": config["configurable"].get("word", "-"),
        }

    try:
        yield StateGraph(State).add_node("say", say).add_edge(START, "say").compile()
    finally:
        _open.discard(mine)


async def with_config(config: RunnableConfig) -> StateGraph[State]:
    word = config["configurable"].get("word", "-")

    async def say(state: State) -> dict[str, Any]:
        return {"text": f"{word} {os.environ['STUDIO_GREETING']} {os.environ['STUDIO_SET_ALREADY']}"}

    return StateGraph(State).add_node("say", say).add_edge(START, "say")


def with_nothing() -> StateGraph[State]:
    async def say(state: State) -> dict[str, Any]:
        return {"text": "made"}

    return StateGraph(State).add_node("say", say).add_edge(START, "say")
