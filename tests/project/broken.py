"""One workflow that cannot be loaded, and one beside it that can."""

from langgraph.graph import START, StateGraph
from mutirao_agents import workflow
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    n: int


@workflow(name="broken")
def broken() -> StateGraph[State]:
    raise RuntimeError("this builder is broken on purpose")


async def step(state: State) -> State:
    return {"n": 1}


@workflow(name="beside_broken")
def beside_broken() -> StateGraph[State]:
    graph = StateGraph(State)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    return graph
