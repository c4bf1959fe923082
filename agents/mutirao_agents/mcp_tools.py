"""Tools of MCP servers for agents: `MUTIRAO_MCP_SERVERS` says which there are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from mutirao.errors import MutiraoError
from mutirao.settings import McpServerSettings

from mutirao_agents.context import job_context

if TYPE_CHECKING:
    from mcp.client.client import Client
    from mcp_types import CallToolResult, Tool

_TIMEOUT_SECONDS = 300.0


class McpServerUnknown(MutiraoError):
    """Raised when an agent asks for the tools of a server that the settings do not name."""

    code = "mcp_server_unknown"


async def mcp_tools(*servers: str) -> list[BaseTool]:
    """The tools of these servers, of all where none is named, as LangChain tools named `<server>_<tool>`.

    Each call of a tool opens a session of its own. A tool that changes something outside belongs into `effects.once`:
    a step that runs again calls it again.

    Raises:
        McpServerUnknown: a name is not in `MUTIRAO_MCP_SERVERS`.
    """
    known = job_context().settings.model.mcp_servers
    for name in servers:
        if name not in known:
            names = ", ".join(map(repr, known)) or "none"
            raise McpServerUnknown(f"no MCP server {name!r}; MUTIRAO_MCP_SERVERS has {names}", server=name)
    tools: list[BaseTool] = []
    for name in servers or known:
        async with _session(known[name]) as client:
            cursor = None
            while True:
                page = await client.list_tools(cursor=cursor)
                tools += [_tool(name, known[name], tool) for tool in page.tools]
                cursor = page.next_cursor
                if cursor is None:
                    break
    return tools


def _tool(name: str, server: McpServerSettings, tool: "Tool") -> BaseTool:
    async def call(**arguments: Any) -> tuple[list[dict[str, Any]], Any]:
        async with _session(server) as client:
            result = await client.call_tool(tool.name, arguments)
        return _content(result), result.structured_content

    return StructuredTool(
        name=f"{name}_{tool.name}",
        description=tool.description or "",
        args_schema=tool.input_schema,
        coroutine=call,
        response_format="content_and_artifact",
    )


def _content(result: "CallToolResult") -> list[dict[str, Any]]:
    """A result as LangChain's content blocks; the model is told of an error of the tool as such."""
    blocks = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]
    if result.is_error:
        raise ToolException("\n".join(str(block.get("text", "")) for block in blocks) or "the tool has failed")
    return blocks


@asynccontextmanager
async def _session(server: McpServerSettings) -> AsyncIterator["Client"]:
    # Half a second of imports that most workers never need.
    import httpx2
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client

    if server.url is None:
        env = {name: value.get_secret_value() for name, value in server.env.items()}
        parameters = StdioServerParameters(command=str(server.command), args=server.args, env=env or None)
        async with Client(stdio_client(parameters)) as client:
            yield client
        return
    headers = {name: value.get_secret_value() for name, value in server.headers.items()}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=_TIMEOUT_SECONDS) as http,
        Client(streamable_http_client(server.url, http_client=http)) as client,
    ):
        yield client
