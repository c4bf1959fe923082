"""Workflows whose steps do not want to end: each appends a line to `witness` every 100 ms while it lives."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from flows import chain
from langgraph.graph import StateGraph
from mutirao_agents import workflow
from typing_extensions import TypedDict

LINES = 60
EVERY_SECONDS = 0.1


class State(TypedDict, total=False):
    witness: str
    how: str
    done: bool


WRITER = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "daemon" in sys.argv[2:]:
    if os.fork():
        os._exit(0)
    os.setsid()
for number in range(60):
    with open(sys.argv[1], "a") as witness:
        witness.write(f"{os.getpid()} {number}\\n")
    time.sleep(0.1)
"""


def append(path: str, number: int) -> None:
    with Path(path).open("a") as witness:
        witness.write(f"{os.getpid()} {number}\n")


def write_lines(path: str) -> None:
    for number in range(LINES):
        append(path, number)
        time.sleep(EVERY_SECONDS)


async def slow_lines(path: str) -> None:
    for number in range(LINES):
        append(path, number)
        await asyncio.sleep(EVERY_SECONDS)


def in_c(path: str) -> None:
    """One call into C that holds the interpreter for many seconds, between two lines."""
    append(path, 0)
    sum(range(3_000_000_000))
    append(path, 1)


@workflow(
    name="stubborn", description="A synchronous step that goes on for six seconds, in ways that are hard to stop."
)
def stubborn() -> StateGraph[Any]:
    def work(state: State) -> Any:
        path = state["witness"]
        match state.get("how"):
            case "grandchild":
                subprocess.run([sys.executable, "-c", WRITER, path], check=False)
            case "daemon":
                subprocess.run([sys.executable, "-c", WRITER, path, "daemon"], check=False)
                time.sleep(LINES * EVERY_SECONDS)
            case "c":
                in_c(path)
            case "signals":
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
                write_lines(path)
            case _:
                write_lines(path)
        return {"done": True}

    return chain(State, work=work)


@workflow(name="refuses", description="A coroutine that swallows its cancellation, or leaves a program running.")
def refuses() -> StateGraph[Any]:
    async def work(state: State) -> Any:
        if state.get("how") == "thread":
            await asyncio.to_thread(write_lines, state["witness"])
        if state.get("how") == "task":
            left = asyncio.create_task(slow_lines(state["witness"]))
            await asyncio.sleep(LINES * EVERY_SECONDS)
            await left
        if state.get("how") == "shell":
            line = f"while :; do echo $$ 0 >> {state['witness']}; sleep 0.1; done"
            await (await asyncio.create_subprocess_shell(line)).wait()
        if state.get("how") == "program":
            program = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, state["witness"])
            await program.wait()
        for number in range(LINES):
            append(state["witness"], number)
            try:
                await asyncio.sleep(EVERY_SECONDS)
            except asyncio.CancelledError:
                continue
        return {"done": True}

    return chain(State, work=work)


@workflow(name="burns", description="A coroutine that keeps the loop to itself for some seconds.")
def burns() -> StateGraph[Any]:
    async def work(state: State) -> Any:
        append(state["witness"], 0)
        if state.get("how") == "c":
            sum(range(1_200_000_000))
            return {"done": True}
        end = time.monotonic() + float(state.get("how") or 8)
        while time.monotonic() < end:
            pass
        append(state["witness"], 1)
        return {"done": True}

    return chain(State, work=work)


@workflow(name="dies", description="Its step ends the process it runs in: `how` says by what.")
def dies() -> StateGraph[Any]:
    async def work(state: State) -> Any:
        append(state["witness"], 0)
        match state.get("how"):
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "mother":
                os.kill(os.getppid(), signal.SIGKILL)
                await asyncio.sleep(30)
        return {"done": True}

    return chain(State, work=work)
