"""Workflows with children, effects and model calls, which tests submit to real workers."""

from typing import Any

from langgraph.graph import END, START, StateGraph
from mutirao_agents import fan_out, fan_out_sync, job_context, workflow
from mutirao_agents.testing import ScriptedModel
from typing_extensions import TypedDict


class Square(TypedDict, total=False):
    n: int


class Spread(TypedDict, total=False):
    count: int
    fail_fast: bool
    squares: list[Any]
    states: list[str]


class Asked(TypedDict, total=False):
    calls: int
    answers: list[str]


def one(state: Any, step: Any) -> StateGraph[Any]:
    """A graph of one step."""
    graph = StateGraph(state)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_edge("step", END)
    return graph


@workflow(name="square", version="1")
def square() -> StateGraph[Any]:
    """n squared; there is none of 13."""

    async def step(state: Square) -> Square:
        if state["n"] == 13:
            raise ValueError("thirteen has no square")
        return {"n": state["n"] ** 2}

    return one(Square, step)


def _seen(results: list[Any]) -> Spread:
    return {
        "squares": [result.output["n"] if result.ok else None for result in results],
        "states": [result.state.value for result in results],
    }


@workflow(name="spread", version="1")
def spread() -> StateGraph[Any]:
    """The squares of 0…count-1, each by a child."""

    async def step(state: Spread) -> Spread:
        inputs = [{"n": n} for n in range(state["count"])]
        return _seen(await fan_out("square", inputs, fail_fast=state.get("fail_fast", False)))

    return one(Spread, step)


@workflow(name="spread-plainly", version="1")
def spread_plainly() -> StateGraph[Any]:
    """The same from a synchronous step, which has a process of its own."""

    def step(state: Spread) -> Spread:
        model = ScriptedModel(["spread"])
        job = job_context()
        assert job.effects.once_sync("said", lambda: model.invoke("what?").text) == "spread"
        return _seen(fan_out_sync("square", [{"n": n} for n in range(state["count"])]))

    return one(Spread, step)


@workflow(name="consults", version="1")
def consults() -> StateGraph[Any]:
    """Asks a scripted model so many times."""

    async def step(state: Asked) -> Asked:
        model = ScriptedModel()
        return {"answers": [(await model.ainvoke(str(n))).text for n in range(state["calls"])]}

    return one(Asked, step)
