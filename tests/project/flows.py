"""Workflows that integration tests submit. Each writes down what it does where its input says, as a witness."""

import asyncio
import operator
import time
from pathlib import Path
from typing import Annotated, Any, Required
from typing import TypedDict as TypingTypedDict

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from mutirao_agents import job_context, workflow
from pydantic import BaseModel
from typing_extensions import TypedDict


class Counted(TypedDict, total=False):
    n: int


class Witnessed(TypedDict, total=False):
    witness: Required[str]
    gate: str
    seconds: float
    done: Annotated[list[str], operator.add]


class Note(BaseModel):
    text: str


class Noted(TypedDict, total=False):
    gate: str
    note: Note
    kind: str


class Remembered(TypedDict, total=False):
    say: str
    said: Annotated[list[str], operator.add]


class Shared(TypedDict, total=False):
    fail: str
    seen: Annotated[list[str], operator.add]


class Named(TypingTypedDict, total=False):
    name: str
    greeting: str


def chain(state: Any, **steps: Any) -> StateGraph[Any]:
    """A graph of these steps, one after another."""
    graph = StateGraph(state)
    before = START
    for name, step in steps.items():
        graph.add_node(name, step)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph


async def opened(gate: str) -> None:
    """Wait until the file is there; its name may be empty."""
    while gate and not Path(gate).exists():
        await asyncio.sleep(0.02)


def write_down(state: Witnessed, step: str) -> dict[str, list[str]]:
    job = job_context()
    with Path(state["witness"]).open("a") as file:
        file.write(f"{job.job_id} {job.epoch} {step}\n")
    return {"done": [step]}


async def add_one(state: Counted) -> Counted:
    return {"n": state.get("n", 0) + 1}


@workflow(name="noop", description="Three steps that add one.")
def noop() -> StateGraph[Any]:
    return chain(Counted, a=add_one, b=add_one, c=add_one)


@workflow(name="three", description="Three steps; the second waits for its gate.")
def three() -> StateGraph[Any]:
    async def first(state: Witnessed) -> Any:
        return write_down(state, "first")

    async def second(state: Witnessed) -> Any:
        written = write_down(state, "second")
        await opened(state.get("gate", ""))
        return written

    async def third(state: Witnessed) -> Any:
        return write_down(state, "third")

    return chain(Witnessed, first=first, second=second, third=third)


@workflow(name="sleep", description="Sleeps, then writes a line.")
def sleep() -> StateGraph[Any]:
    async def nap(state: Witnessed) -> Any:
        await asyncio.sleep(state.get("seconds", 0))
        return write_down(state, "woke")

    return chain(Witnessed, nap=nap)


@workflow(name="boom", description="Its second step raises.")
def boom() -> StateGraph[Any]:
    async def raises(state: Counted) -> Any:
        raise ValueError(f"no good: {state.get('n')!r}")

    return chain(Counted, fine=add_one, raises=raises)


@workflow(name="branches", description="Three branches at once; the one named by `fail` raises.")
def branches() -> StateGraph[Any]:
    def branch(name: str, seconds: float) -> Any:
        async def run(state: Shared) -> Any:
            await asyncio.sleep(seconds)
            job_context().emit("said", {"by": name})
            if state.get("fail") == name:
                raise LookupError(f"branch {name} fails")
            return {"seen": [name]}

        return run

    graph = StateGraph(Shared)
    for number, name in enumerate(("left", "middle", "right")):
        graph.add_node(name, branch(name, 0.05 * number))
        graph.add_edge(START, name)
        graph.add_edge(name, END)
    return graph


@workflow(name="sync", description="Synchronous nodes, and state as a typing.TypedDict.")
def sync() -> StateGraph[Any]:
    def greet(state: Named) -> Any:
        time.sleep(0.05)
        assert job_context().workflow == "sync"
        return {"greeting": f"Olá, {state['name']}!"}

    return chain(Named, greet=greet)


@workflow(name="blocked", description="A synchronous node that sleeps; cancelled, it is fenced.")
def blocked() -> StateGraph[Any]:
    def block(state: Witnessed) -> Any:
        write_down(state, "began")
        time.sleep(state.get("seconds", 0))
        return {"done": ["slept"]}

    async def after(state: Witnessed) -> Any:
        return write_down(state, "after")

    return chain(Witnessed, block=block, after=after)


@workflow(name="notes", description="Keeps a pydantic model in its state across steps.")
def notes() -> StateGraph[Any]:
    async def take(state: Noted) -> Any:
        return {"note": Note(text="kept")}

    async def wait(state: Noted) -> Any:
        await opened(state.get("gate", ""))
        return {}

    async def look(state: Noted) -> Any:
        return {"kind": type(state["note"]).__name__}

    return chain(Noted, take=take, wait=wait, look=look)


@workflow(name="remember", description="Adds what it is told to what its thread has been told.")
def remember() -> StateGraph[Any]:
    async def listen(state: Remembered) -> Any:
        await asyncio.sleep(0.05)
        return {"said": [state["say"]]}

    return chain(Remembered, listen=listen)


@workflow(name="nested", description="A subgraph inside a graph.")
def nested() -> StateGraph[Any]:
    return chain(Counted, before=add_one, inner=chain(Counted, deep=add_one).compile())


@workflow(name="files", description="Two artifacts, one of them twice, and progress.")
def files() -> StateGraph[Any]:
    async def produce(state: Counted) -> Any:
        job = job_context()
        await job.files.put("notes/a b.txt", b"first", "text/plain")
        await job.files.put("notes/a b.txt", b"second", "text/plain")
        await job.files.put("page.html", b"<script>alert(1)</script>", "text/html")
        job.progress(1, 2, "half")
        return {"n": 2}

    return chain(Counted, produce=produce)


@workflow(name="streams", description="Streams values of its own.")
def streams() -> StateGraph[Any]:
    async def write(state: Counted) -> Any:
        for value in ({"a": 1}, "text", [1, 2], None):
            get_stream_writer()(value)
        return {}

    return chain(Counted, write=write)


@workflow(name="asks", description="Interrupts itself to ask.")
def asks() -> StateGraph[Any]:
    async def ask(state: Counted) -> Any:
        return {"n": interrupt("how many?")}

    return chain(Counted, ask=ask)


@workflow(name="endless", description="A loop without an end.")
def endless() -> StateGraph[Any]:
    graph = StateGraph(Counted)
    graph.add_node("again", add_one)
    graph.add_edge(START, "again")
    graph.add_edge("again", "again")
    return graph


@workflow(name="chat", description="Asks a model that streams two words.")
def chat() -> StateGraph[Any]:
    model = GenericFakeChatModel(messages=iter([AIMessage("bom dia")] * 1000))

    async def talk(state: Counted) -> Any:
        answer = await model.ainvoke("say something kind")
        return {"n": len(answer.text)}

    return chain(Counted, talk=talk)
