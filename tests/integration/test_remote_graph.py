"""A workflow here as a node of a graph elsewhere: `RemoteGraph`, by runs and by the thread protocol."""

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph.types import Command
from langgraph_sdk import get_client, get_sync_client
from typing_extensions import TypedDict

from tests.servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

AFTER = ["said", "heard yes", "inside", "visited"]
NOTHING: dict[str, Any] = {"messages": [], "items": []}
QUESTION: dict[str, Any] = {"messages": [{"role": "user", "content": "where do bees live?"}]}


Remote = Callable[[str], RemoteGraph]


class State(TypedDict, total=False):
    text: str
    shout: str
    end: str


@pytest.fixture
async def remote(servers: Servers) -> AsyncIterator[Callable[[str], RemoteGraph]]:
    async with get_client(url=servers.url, api_key=servers.key) as client:
        with get_sync_client(url=servers.url, api_key=servers.key) as plain:
            yield lambda workflow: RemoteGraph(workflow, client=client, sync_client=plain, name="remote")


@pytest.fixture
def here() -> dict[str, Any]:
    return {"configurable": {"thread_id": str(uuid.uuid4())}}


def around(node: RemoteGraph) -> Any:
    """A graph of this process with the remote one in the middle."""
    builder = StateGraph(State)
    builder.add_node("before", lambda state: {"text": state["text"] + "!"})
    builder.add_node("remote", node)
    builder.add_node("after", lambda state: {"end": state["shout"] + "?"})
    builder.add_edge(START, "before")
    builder.add_edge("before", "remote")
    builder.add_edge("remote", "after")
    builder.add_edge("after", END)
    return builder.compile(checkpointer=InMemorySaver())


async def test_it_is_a_node_of_another_graph(remote: Remote, here: Any) -> None:
    whole = around(remote("lg_compiled"))
    expected = {"text": "hi!", "shout": "HI!", "end": "HI!?"}
    assert await whole.ainvoke({"text": "hi"}, here) == expected
    assert whole.invoke({"text": "hi"}, {"configurable": {"thread_id": str(uuid.uuid4())}}) == expected


async def test_its_steps_are_streamed_as_those_of_a_subgraph(remote: Remote, here: Any) -> None:
    parts = [part async for part in around(remote("lg_compiled")).astream({"text": "hi"}, here, subgraphs=True)]
    assert [part for place, part in parts if not place] == [
        {"before": {"text": "hi!"}},
        {"remote": {"text": "hi!", "shout": "HI!"}},
        {"after": {"end": "HI!?"}},
    ]
    inside = [(place, part) for place, part in parts if place]
    assert [part for _, part in inside] == [{"shout": {"shout": "HI!"}}]
    assert all(place[0].startswith("remote") for place, _ in inside)


async def test_it_is_invoked_and_streamed_by_itself(remote: Remote) -> None:
    graph = remote("lg_compiled")
    assert await graph.ainvoke({"text": "hi"}) == {"text": "hi", "shout": "HI"}
    assert graph.invoke({"text": "hi"}) == {"text": "hi", "shout": "HI"}
    updates = [part async for part in graph.astream({"text": "hi"}, stream_mode="updates")]
    assert updates == [{"shout": {"shout": "HI"}}]
    both = [part[:2] for part in graph.stream({"text": "hi"}, stream_mode=["values", "updates"])]
    assert ("updates", {"shout": {"shout": "HI"}}) in both
    assert both[-1] == ("values", {"text": "hi", "shout": "HI"})


async def test_its_state_is_read_and_changed(remote: Remote, servers: Servers) -> None:
    graph = remote("lg_compiled")
    assert graph.client is not None
    thread = await graph.client.threads.create()
    config = {"configurable": {"thread_id": thread["thread_id"]}}
    await graph.ainvoke({"text": "hi"}, config)
    assert (await graph.aget_state(config)).values == {"text": "hi", "shout": "HI"}
    await graph.aupdate_state(config, {"shout": "changed"})
    assert graph.get_state(config).values["shout"] == "changed"
    graph.update_state(config, {"shout": "again"})
    history = [state.values.get("shout") async for state in graph.aget_state_history(config)]
    assert history[:3] == ["again", "changed", "HI"]


async def test_its_drawing_is_that_of_the_workflow(remote: Remote) -> None:
    assert set((await remote("lg_compiled").aget_graph()).nodes) == {"__start__", "shout", "__end__"}


async def test_it_is_followed_by_the_thread_protocol(remote: Remote) -> None:
    async with await remote("thread_team").astream_events(QUESTION, version="v3") as run:
        output = await run.output()
        assert output["messages"][-1]["content"] == "they live in hives"
        assert not await run.interrupted()
    with remote("thread_team").stream_events(QUESTION, version="v3") as run:
        assert run.output["messages"][-1]["content"] == "they live in hives"


async def test_its_question_is_answered_in_another_session(remote: Remote, here: Any) -> None:
    graph = remote("thread_tour")
    async with await graph.astream_events(NOTHING, here, version="v3") as run:
        async for _ in run.values:
            if await run.interrupted():
                break
        assert [asked["value"] for asked in await run.interrupts()] == ["shall we?"]
    async with await graph.astream_events(Command(resume="yes"), here, version="v3") as run:
        assert (await run.output())["items"] == AFTER
        assert not await run.interrupted()


async def test_a_thread_that_has_ended_can_be_gone_on_with_at_once(remote: Remote, here: Any) -> None:
    graph = remote("lg_compiled")
    for text in ("one", "two", "three"):
        async with await graph.astream_events({"text": text}, here, version="v3") as run:
            assert (await run.output())["shout"] == text.upper()


async def test_a_run_is_given_up(remote: Remote, here: Any, servers: Servers) -> None:
    graph = remote("run_holding")
    async with await graph.astream_events({"items": [], "seconds": 60}, here, version="v3") as run:
        await run.abort()
    servers.until(lambda: _statuses(servers, here) == ["cancelled"], "the run is cancelled")


def _statuses(servers: Servers, here: Any) -> list[str]:
    thread = here["configurable"]["thread_id"]
    return [state for (state,) in servers.sql("SELECT state FROM jobs WHERE thread_id = %s", thread)]
