"""A session of the typed thread protocol by the SDK's `threads.stream`, async and sync."""

import pytest
from langgraph_sdk import get_client, get_sync_client

from tests.servers import Servers

pytestmark = pytest.mark.integration


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["sse", "websocket"])
async def test_an_interrupted_run_is_answered_and_ends(servers: Servers, transport: str) -> None:
    # The SDK does not send a client's key with the handshake of a WebSocket: it must be said again.
    headers = {"x-api-key": servers.key}
    async with (
        get_client(url=servers.url, api_key=servers.key) as client,
        client.threads.stream(assistant_id="run_asking", transport=transport, headers=headers) as thread,  # type: ignore[arg-type]
    ):
        await thread.run.start(input={"items": []})
        async for _ in thread.values:
            if thread.interrupted:
                break
        await thread.run.respond("yes")
        output = await thread.output
    assert (output["value"], output["items"]) == ("yes", ["before", "ask", "after"])


def test_the_same_without_asyncio(servers: Servers) -> None:
    with (
        get_sync_client(url=servers.url, api_key=servers.key) as client,
        client.threads.stream(assistant_id="run_asking") as thread,
    ):
        thread.run.start(input={"items": []})
        for _ in thread.values:
            if thread.interrupted:
                break
        thread.run.respond("yes")
        assert thread.output["items"] == ["before", "ask", "after"]
