"""As many branches as there are subjects."""

import operator
from typing import Annotated, Any

from langgraph.graph import START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    subjects: list[str]
    jokes: Annotated[list[str], operator.add]
    best: str


class One(TypedDict):
    subject: str


def spread(state: State) -> list[Send]:
    return [Send("joke", {"subject": subject}) for subject in state["subjects"]]


def joke(state: One) -> dict[str, Any]:
    return {"jokes": [f"why did the {state['subject']} cross the road?"]}


def choose(state: State) -> dict[str, Any]:
    return {"best": max(state["jokes"], key=len)}


graph = (
    StateGraph(State)
    .add_node("joke", joke)
    .add_node("choose", choose)
    .add_conditional_edges(START, spread, ["joke"])
    .add_edge("joke", "choose")
    .compile()
)
