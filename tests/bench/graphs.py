"""The graphs that are measured; served by the worker and called directly by the floor."""

import asyncio

from langgraph.graph import END, START, StateGraph
from mutirao_agents import workflow
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    n: int


async def step(state: State) -> State:
    """No work but a counter."""
    return {"n": state.get("n", 0) + 1}


async def wait_two_seconds(state: State) -> State:
    """As a step that waits for a model does."""
    await asyncio.sleep(2)
    return {"n": 1}


def three_steps() -> "StateGraph[State]":
    """Three no-op steps in a row."""
    graph = StateGraph(State)
    for name in ("one", "two", "three"):
        graph.add_node(name, step)
    graph.add_edge(START, "one")
    graph.add_edge("one", "two")
    graph.add_edge("two", "three")
    graph.add_edge("three", END)
    return graph


@workflow(name="bench.noop", version="1")
def noop() -> "StateGraph[State]":
    """Three no-op steps."""
    return three_steps()


@workflow(name="bench.wait", version="1")
def wait() -> "StateGraph[State]":
    """One step that waits two seconds."""
    graph = StateGraph(State)
    graph.add_node("wait", wait_two_seconds)
    graph.add_edge(START, "wait")
    return graph
