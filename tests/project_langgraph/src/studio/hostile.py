"""A reducer that burns the processor when it is told to."""

import time
from typing import Annotated, Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


def slow(left: int, right: int) -> int:
    until = time.monotonic() + (60 if right == 666 else 0)
    while time.monotonic() < until:
        pass
    return left + right


class State(TypedDict, total=False):
    n: Annotated[int, slow]


async def one(state: State) -> dict[str, Any]:
    return {"n": 1}


graph = StateGraph(State).add_node("one", one).add_edge(START, "one").compile()
