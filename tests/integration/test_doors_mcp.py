"""The reference MCP client against the door: list, call, progress, cancel; and tools of MCP servers for agents."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mutirao.settings import McpServerSettings, ModelSettings, Settings
from mutirao_agents import mcp_tools, use_context
from mutirao_agents.mcp_tools import McpServerUnknown
from mutirao_agents.testing import test_context as context_of_a_test

from tests.servers import Servers

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def connected(servers: Servers, key: str | None = None) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key or servers.key}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=30) as http,
        Client(streamable_http_client(f"{servers.url}/mcp", http_client=http)) as client,
    ):
        yield client


async def test_workflows_are_tools_with_their_schemas(servers: Servers) -> None:
    async with connected(servers) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert tools["echo_chat"].description == "Says what you said."
    assert tools["echo_chat"].input_schema["properties"].keys() >= {"messages"}


async def test_a_call_is_a_job_whose_steps_are_progress(servers: Servers) -> None:
    told: list[str | None] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async with connected(servers) as client:
        result = await client.call_tool("noop", {"n": 2}, progress_callback=progress)
    assert not result.is_error
    job_id = (result.meta or {})["mutirao/job_id"]
    assert result.structured_content == servers.http.get(f"/jobs/{job_id}").json()["output"]
    assert [message for message in told if message and message.endswith("finished")]


async def test_input_that_does_not_fit_is_an_error_of_the_tool(servers: Servers) -> None:
    async with connected(servers) as client:
        result = await client.call_tool("noop", {"n": "two"})
    assert result.is_error
    assert "/n" in result.content[0].text


async def test_a_cancelled_call_cancels_its_job(servers: Servers) -> None:
    started = anyio.Event()

    async def progress(done: float, total: float | None, message: str | None) -> None:
        if message and message.endswith(": started"):
            started.set()

    async with connected(servers) as client, anyio.create_task_group() as tasks:

        async def call() -> None:
            await client.call_tool(
                "slow_chat", {"messages": [{"type": "human", "content": "x"}]}, progress_callback=progress
            )

        tasks.start_soon(call)
        await started.wait()
        job = servers.http.get("/jobs", params={"workflow": "slow_chat"}).json()["jobs"][0]
        tasks.cancel_scope.cancel()
    assert servers.ended(job["id"])["state"] == "cancelled"


async def test_no_key_is_refused_before_anything_else(servers: Servers) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{servers.url}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"


SERVER = """
from mcp.server.mcpserver import MCPServer

server = MCPServer("sums")

@server.tool()
def add(a: int, b: int) -> int:
    "Adds."
    return a + b

server.run("stdio")
"""


async def test_agents_use_the_tools_of_the_servers_in_the_settings(tmp_path: Path) -> None:
    program = tmp_path / "sums.py"
    program.write_text(SERVER)
    server = McpServerSettings(command=sys.executable, args=[str(program)])
    context = context_of_a_test(settings=Settings(model=ModelSettings(mcp_servers={"sums": server})))
    with use_context(context):
        tools = await mcp_tools("sums")
        assert [tool.name for tool in tools] == ["sums_add"]
        answer = await tools[0].ainvoke({"a": 2, "b": 3})
        assert answer[0]["text"] == "5"
        with pytest.raises(McpServerUnknown, match="'sums'"):
            await mcp_tools("others")
