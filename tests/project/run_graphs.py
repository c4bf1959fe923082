"""Graphs for tests of runs: each step leaves its name in `items`."""

from __future__ import annotations

import asyncio
import operator
from pathlib import Path
from typing import Annotated, Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    items: Annotated[list[str], operator.add]
    value: str
    seconds: float
    marker: str


def step(name: str) -> Any:
    async def run(state: State) -> dict[str, Any]:
        get_stream_writer()({"at": name})
        return {"items": [name]}

    run.__name__ = name
    return run


def line(*steps: Any) -> StateGraph[State]:
    graph = StateGraph(State)
    before = START
    for node in steps:
        graph.add_node(node.__name__, node)
        graph.add_edge(before, node.__name__)
        before = node.__name__
    graph.add_edge(before, END)
    return graph


async def ask(state: State) -> dict[str, Any]:
    return {"items": ["ask"], "value": interrupt({"question": "go on?"})}


async def fail(state: State) -> dict[str, Any]:
    raise ValueError("no good: " + state.get("value", ""))


async def hold(state: State) -> dict[str, Any]:
    """Goes on for `seconds`, and leaves a line in the file `marker` every now and then."""
    for _ in range(int(state["seconds"] * 50)):
        await asyncio.sleep(0.02)
        if state.get("marker"):
            with Path(state["marker"]).open("a") as file:
                file.write("still here\n")
    return {"items": ["hold"]}


async def tick(state: State) -> dict[str, Any]:
    """Many parts, some time apart: for streams that are cut."""
    write = get_stream_writer()
    for number in range(100):
        write(number)
        await asyncio.sleep(0.02)
    return {"items": ["tick"]}


steps = line(step("one"), step("two"), step("three")).compile()
asking = line(step("before"), ask, step("after")).compile()
failing = line(step("before"), fail).compile()
holding = line(step("before"), hold).compile()
ticking = line(step("before"), tick).compile()
inner = line(step("deep")).compile(name="inner")


def nested() -> Any:
    graph = StateGraph(State)
    graph.add_node("one", step("one"))
    graph.add_node("inner", inner)
    graph.add_edge(START, "one")
    graph.add_edge("one", "inner")
    graph.add_edge("inner", END)
    return graph
