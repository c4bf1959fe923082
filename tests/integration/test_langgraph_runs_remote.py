"""`RemoteGraph`: a workflow served here as a graph, or as a node of another graph, somewhere else."""

import operator
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.types import Command
from langgraph_sdk import get_client, get_sync_client
from typing_extensions import TypedDict

from tests.servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


Remote = Callable[[str], RemoteGraph]


class State(TypedDict, total=False):
    items: Annotated[list[str], operator.add]
    value: str


@pytest.fixture
async def remote(servers: Servers) -> AsyncIterator[Callable[[str], RemoteGraph]]:
    given = {"url": servers.url, "api_key": servers.key}
    async with get_client(**given) as client:
        with get_sync_client(**given) as sync_client:
            yield lambda name: RemoteGraph(name, client=client, sync_client=sync_client, name="remote")


def around(node: RemoteGraph) -> Any:
    graph = StateGraph(State)
    graph.add_node("remote", node)
    graph.add_edge(START, "remote")
    graph.add_edge("remote", END)
    return graph.compile(checkpointer=InMemorySaver())


def in_thread() -> Any:
    return {"configurable": {"thread_id": str(uuid4())}}


async def test_as_a_graph(remote: Remote) -> None:
    graph = remote("run_steps")
    assert graph.invoke({"items": []}) == {"items": ["one", "two", "three"]}
    updates = list(graph.stream({"items": []}, stream_mode="updates"))
    assert updates == [{name: {"items": [name]}} for name in ("one", "two", "three")]


async def test_as_a_graph_awaited(remote: Remote) -> None:
    graph = remote("run_nested")
    modes = [part[0] async for part in graph.astream({"items": []}, stream_mode=["updates", "custom"])]
    assert modes == ["custom", "updates", "updates"]
    parts = [part async for part in graph.astream({"items": []}, stream_mode=["updates"], subgraphs=True)]
    assert [len(namespace) for namespace, _, _ in parts] == [0, 1, 0]


async def test_as_a_node(remote: Remote) -> None:
    graph = around(remote("run_steps"))
    assert graph.invoke({"items": []}, in_thread()) == {"items": ["one", "two", "three"]}
    parts = list(graph.stream({"items": []}, in_thread(), stream_mode="updates", subgraphs=True))
    inner = [update for namespace, update in parts if namespace]
    assert inner == [{name: {"items": [name]}} for name in ("one", "two", "three")]


async def test_a_failure(remote: Remote) -> None:
    with pytest.raises(RemoteException, match="no good: x"):
        remote("run_failing").invoke({"value": "x"})


async def test_an_interrupt_and_the_thread(remote: Remote) -> None:
    graph, config = remote("run_asking"), in_thread()
    asked = graph.invoke({"items": []}, config)
    assert [interrupt["value"] for interrupt in asked["__interrupt__"]] == [{"question": "go on?"}]
    assert graph.invoke(Command(resume="yes"), config) == {"items": ["before", "ask", "after"], "value": "yes"}
