"""Workflows of users who do everything wrong: none of them may harm another job."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from flows import chain
from langgraph.graph import StateGraph
from mutirao_agents import job_context, workflow
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    what: str
    out: Any


VALUES: dict[str, Any] = {
    "nul": "before\x00after",
    "surrogate": "half a pair: \ud83d.",
    "big": 2**200,
    "set": {3, 1, 2},
    "bytes": b"\x00\xff",
    "path": Path("/somewhere"),
    "nan": float("nan"),
    "object": object(),
    "keys": {1: "one", (2, 3): "tuple"},
}


class Fatal(BaseException):
    pass


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


@workflow(name="odd_values", description="Returns something that is not JSON.")
def odd_values() -> StateGraph[Any]:
    async def odd(state: State) -> Any:
        value = [VALUES[state["what"]]] if state["what"] != "deep" else deep()
        job_context().emit("odd", {"value": value})
        return {"out": value}

    return chain(State, odd=odd)


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(400):
        value = [value]
    return value


@workflow(name="odd_errors", description="Raises something that is not a decent exception.")
def odd_errors() -> StateGraph[Any]:
    async def odd(state: State) -> Any:
        match state["what"]:
            case "unprintable":
                raise Unprintable
            case "nul":
                raise ValueError("nul \x00 byte and half a pair \ud83d")
            case "long":
                raise ValueError("x" * 1_000_000)
            case "group":
                raise BaseExceptionGroup("many", [ValueError("one"), KeyError("two")])
            case "base":
                raise Fatal("not an Exception at all")
            case _:
                raise asyncio.CancelledError

    return chain(State, odd=odd)


@workflow(name="odd_events", description="Writes events that are not its own to write.")
def odd_events() -> StateGraph[Any]:
    async def odd(state: State) -> Any:
        emit = job_context().emit
        for kind in ("job.succeeded", "attempt.lost", "step.finished", "model.call", "", "two\nlines", "x" * 500):
            try:
                emit(kind, {"input_tokens": "many"})
            except ValueError as error:
                emit("refused", {"message": str(error)})
        emit("fine", {"after": "all"})
        return {"out": "done"}

    return chain(State, odd=odd)


@workflow(name="deadly", description="Ends the process it runs in.")
def deadly() -> StateGraph[Any]:
    async def die(state: State) -> Any:
        if state["what"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        sys.exit(3)

    return chain(State, die=die)
