"""The thread protocol as langgraph-sdk speaks it: `threads.stream`, async and sync, over HTTP and over a WebSocket."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

from tests.servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

BEFORE = ["said"]
AFTER = ["said", "heard yes", "inside", "visited"]
NOTHING: dict[str, Any] = {"messages": [], "items": []}
QUESTION: dict[str, Any] = {"messages": [{"role": "user", "content": "where do bees live?"}]}
TRANSPORTS = pytest.mark.parametrize("transport", ["sse", "websocket"])


@pytest.fixture
async def client(servers: Servers) -> Any:
    async with get_client(url=servers.url, api_key=servers.key) as found:
        yield found


@pytest.fixture
def plain(servers: Servers) -> Iterator[SyncLangGraphClient]:
    with get_sync_client(url=servers.url, api_key=servers.key) as found:
        yield found


@pytest.fixture
def options(servers: Servers) -> dict[str, Any]:
    """The WebSocket takes none of the client's headers."""
    return {"headers": {"x-api-key": servers.key}}


@TRANSPORTS
async def test_a_run_is_paused_answered_and_finished(client: LangGraphClient, options: Any, transport: Any) -> None:
    async with client.threads.stream(assistant_id="thread_tour", transport=transport, **options) as thread:
        started = await thread.run.start(input=NOTHING)
        values = [values async for values in thread.values]
        assert thread.interrupted
        assert [asked["value"] for asked in thread.interrupts] == ["shall we?"]
        assert values[-1]["items"] == BEFORE
        answered = await thread.run.respond("yes")
        assert answered["run_id"] != started["run_id"]
        assert (await thread.output)["items"] == AFTER
        assert not thread.interrupted
    runs = await client.runs.list(thread.thread_id)
    assert [run["status"] for run in runs] == ["success", "success"]


@TRANSPORTS
def test_the_same_without_a_loop(plain: SyncLangGraphClient, options: Any, transport: Any) -> None:
    with plain.threads.stream(assistant_id="thread_tour", transport=transport, **options) as thread:
        thread.run.start(input=NOTHING)
        assert list(thread.values)[-1]["items"] == BEFORE
        assert thread.interrupted
        thread.run.respond("yes")
        assert thread.output["items"] == AFTER


async def test_every_projection_has_all_that_came_before_a_question(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="thread_tour") as thread:
        await thread.run.start(input=NOTHING)
        messages = [message async for message in thread.messages]
        assert ["".join([text async for text in message.text]) for message in messages] == ["good morning"]
    async with client.threads.stream(assistant_id="thread_tour") as thread:
        await thread.run.start(input=NOTHING)
        assert [event["step"] async for event in thread.extensions["progress"]] == ["say", "ask"]
    async with client.threads.stream(assistant_id="thread_tour") as thread:
        await thread.run.start(input=NOTHING)
        assert [handle async for handle in thread.subgraphs] == []


async def test_an_agent_that_asks_another_has_tools_and_subgraphs(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="thread_team") as thread:
        await thread.run.start(input=QUESTION)
        [call] = [call async for call in thread.tool_calls]
        assert (call.name, call.input) == ("research", {"topic": "bees"})
        output = await call.output
        assert (output["status"], output["content"]) == ("success", "in hives")
    async with client.threads.stream(assistant_id="thread_team") as thread:
        await thread.run.start(input=QUESTION)
        [handle] = [handle async for handle in thread.subgraphs]
        assert (handle.graph_name, handle.status) == ("tools", "completed")
        [message] = [message async for message in handle.messages]
        assert "".join([text async for text in message.text]) == "in hives"


async def test_two_threads_at_once_are_told_apart(client: LangGraphClient) -> None:
    async with (
        client.threads.stream(assistant_id="thread_tour") as one,
        client.threads.stream(assistant_id="thread_team") as other,
    ):
        await one.run.start(input=NOTHING)
        await other.run.start(input=QUESTION)
        assert (await other.output)["messages"][-1]["content"] == "they live in hives"
        async for _ in one.values:
            assert not one.interrupted
        await one.run.respond("yes")
        assert (await one.output)["items"] == AFTER


async def test_a_second_session_goes_on_where_the_first_one_stopped(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="thread_tour") as first:
        await first.run.start(input=NOTHING)
        async for _ in first.values:
            pass
    async with client.threads.stream(first.thread_id, assistant_id="thread_tour") as second:
        async for _ in second.values:  # what waits for a person is told again
            pass
        assert [asked["value"] for asked in second.interrupts] == ["shall we?"]
        await second.run.respond("yes")
        assert (await second.output)["items"] == AFTER


async def test_a_thread_can_be_looked_at_and_gone_back_in(client: LangGraphClient, servers: Servers) -> None:
    async with client.threads.stream(assistant_id="thread_team") as thread:
        await thread.run.start(input=QUESTION)
        await thread.output
    headers = {"x-api-key": servers.key}
    async with httpx.AsyncClient(base_url=servers.url, headers=headers, timeout=30, trust_env=False) as raw:

        async def command(method: str, **params: Any) -> dict[str, Any]:
            body = {"id": 1, "method": method, "params": params}
            answer = (await raw.post(f"/threads/{thread.thread_id}/commands", json=body)).json()
            assert answer["type"] == "success", answer
            return dict(answer["result"])

        state = await command("state.get", namespace=[], keys=["messages"])
        assert state["values"]["messages"][-1]["content"] == "they live in hives"
        checkpoints = (await command("state.listCheckpoints", limit=50))["checkpoints"]
        assert checkpoints[0]["id"] == state["checkpoint"]["id"]
        older = await command("state.listCheckpoints", limit=1, before=checkpoints[0]["id"])
        assert older["checkpoints"] == checkpoints[1:2]
        first = next(each for each in checkpoints if each["step"] == 0)
        forked = await command("state.fork", checkpoint_id=first["id"])
        assert forked["thread_id"] == thread.thread_id
        run = await client.runs.join(thread.thread_id, forked["run_id"])
        assert dict(run)["messages"][-1]["content"] == "they live in hives"
        tree = (await command("agent.getTree", run_id=forked["run_id"]))["tree"]
        assert [(child["graph_name"], child["status"]) for child in tree["children"]] == [("helper", "completed")]


async def test_a_run_that_is_cancelled_ends_what_reads_it(client: LangGraphClient) -> None:
    async with client.threads.stream(assistant_id="run_holding") as thread:
        started = await thread.run.start(input={"items": [], "seconds": 60})
        seen = 0
        async for _ in thread.values:
            seen += 1
            if seen == 2:
                await client.runs.cancel(thread.thread_id, started["run_id"])
        with pytest.raises(RuntimeError, match="cancelled"):
            await thread.output
