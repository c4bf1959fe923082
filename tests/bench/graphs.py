"""The graphs that are measured; served by the worker, by `langgraph dev`, and called directly by the floor."""

import asyncio
import time

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

BURST = 1_000
TICKS = 100
ROUND = ("plan", "search", "read", "write", "check")
_TICK_SECONDS = 0.03


class State(TypedDict, total=False):
    n: int


async def step(state: State) -> State:
    """No work but a counter."""
    return {"n": state.get("n", 0) + 1}


async def wait_two_seconds(state: State) -> State:
    """As a step that waits for a model does."""
    await asyncio.sleep(2)
    return {"n": 1}


async def wait_a_minute(state: State) -> State:
    """Something to cancel."""
    await asyncio.sleep(60)
    return {"n": 1}


async def say_much(state: State) -> State:
    """`BURST` events, as fast as it can; the loop gets its turn now and then, as a model's tokens would give it."""
    write = get_stream_writer()
    for number in range(BURST):
        write({"number": number, "text": "a token or two of an answer", "at": time.time()})
        if number % 20 == 0:
            await asyncio.sleep(0)
    return {"n": BURST}


async def tick(state: State) -> State:
    """`TICKS` events, each with its time; it waits first, until all readers are there."""
    write = get_stream_writer()
    await asyncio.sleep(3)
    for number in range(TICKS):
        write({"number": number, "at": time.time()})
        await asyncio.sleep(_TICK_SECONDS)
    return {"n": TICKS}


def _one(name: str, node: object) -> "StateGraph[State]":
    graph = StateGraph(State)
    graph.add_node(name, node)  # type: ignore[arg-type]
    graph.add_edge(START, name)
    graph.add_edge(name, END)
    return graph


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


def in_rounds() -> "StateGraph[State]":
    """As an agent that goes on until it is content: `ROUND` again and again."""
    graph = StateGraph(State)
    graph.add_sequence([(name, step) for name in ROUND])
    graph.add_edge(START, ROUND[0])
    graph.add_conditional_edges(ROUND[-1], lambda state: END if state["n"] >= len(ROUND) else ROUND[0], [ROUND[0], END])
    return graph


noop = three_steps()
wait = _one("wait", wait_two_seconds)
sleep = _one("sleep", wait_a_minute)
burst = _one("burst", say_much)
ticks = _one("ticks", tick)
rounds = in_rounds()
GRAPHS = {"noop": noop, "wait": wait, "sleep": sleep, "burst": burst, "ticks": ticks}
