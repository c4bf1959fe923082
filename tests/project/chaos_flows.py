"""Cheap workflows for tests/chaos. Every step says that it begins in the witness file of its input, in one write:

step <job> <attempt> <number of the step> <monotonic nanoseconds>
effect <job> <attempt> <key> <monotonic nanoseconds>

The lines need no lock (O_APPEND), and outlive the process that wrote them.
"""

import asyncio
import operator
import os
import signal
import time
from typing import Annotated, Any, Required

from flows import chain
from langgraph.graph import StateGraph
from langgraph.types import interrupt
from mutirao_agents import job_context, workflow
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    witness: Required[str]
    seconds: float
    many: int
    done: Annotated[list[int], operator.add]
    answer: Any


def say(state: State, kind: str, what: object) -> None:
    """One line in the witness file."""
    job = job_context()
    line = f"{kind} {job.job_id} {job.epoch} {what} {time.monotonic_ns()}\n"
    file = os.open(state["witness"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def step(number: int) -> Any:
    """A step that says that it begins, and takes `seconds`."""

    async def run(state: State) -> Any:
        say(state, "step", number)
        await asyncio.sleep(state.get("seconds", 0))
        return {"done": [number]}

    return run


@workflow(name="chaos.one", description="One step.")
def one() -> StateGraph[Any]:
    return chain(State, only=step(1))


@workflow(name="chaos.three", description="Three steps.")
def three() -> StateGraph[Any]:
    return chain(State, a=step(1), b=step(2), c=step(3))


@workflow(name="chaos.effect", description="The second of three steps does something outside, once.")
def effect() -> StateGraph[Any]:
    async def act(state: State) -> Any:
        async def outside() -> None:
            say(state, "effect", "act")

        say(state, "step", 2)
        await job_context().effects.once("act", outside, idempotent=True)
        await asyncio.sleep(state.get("seconds", 0))
        return {"done": [2]}

    return chain(State, before=step(1), act=act, after=step(3))


@workflow(name="chaos.talks", description="Writes `many` events of its own, a little apart.")
def talks() -> StateGraph[Any]:
    async def talk(state: State) -> Any:
        say(state, "step", 1)
        for number in range(state.get("many", 10)):
            job_context().emit("said", {"number": number, "text": "x" * 2_000})
            await asyncio.sleep(0.02)
        return {"done": [1]}

    return chain(State, talk=talk)


@workflow(name="chaos.kills", description="Kills the process it runs in.")
def kills() -> StateGraph[Any]:
    async def die(state: State) -> Any:
        say(state, "step", 1)
        os.kill(os.getpid(), signal.SIGKILL)

    return chain(State, die=die)


@workflow(name="chaos.asks", description="Waits for a decision.")
def asks() -> StateGraph[Any]:
    async def ask(state: State) -> Any:
        return {"answer": interrupt({"question": "go on?"})}

    return chain(State, before=step(1), ask=ask, after=step(3))
