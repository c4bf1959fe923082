"""The MCP door, `/mcp`: authentication and life of the MCP server, which is loaded by its first request."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from mutirao.api.gate import IDENTITY
from mutirao.api.services import Services

if TYPE_CHECKING:
    from mutirao.api.doors.mcp_server import McpServer

PATH = "/mcp"
METHODS = ["GET", "POST", "DELETE"]


class McpDoor:
    """ASGI endpoint of streamable HTTP. A session belongs to the key that has opened it."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._server: McpServer | None = None
        self._opening = asyncio.Lock()
        self._closing = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request of the caller that the gate has let in."""
        server = await self._opened(self._app.state.services)
        await server.handle(scope[IDENTITY], scope, receive, send)

    async def close(self) -> None:
        """End all sessions."""
        self._closing.set()
        if self._life is not None:
            await asyncio.gather(self._life, return_exceptions=True)

    async def _opened(self, services: Services) -> "McpServer":
        async with self._opening:
            if self._server is None:
                # Half a second of imports that an API without MCP clients never needs.
                from mutirao.api.doors.mcp_server import McpServer

                server = McpServer(services)
                ready = asyncio.Event()
                # Its task group must be left in the task that has entered it.
                self._life = asyncio.create_task(self._live(server, ready), name="mcp")
                await ready.wait()
                self._server = server
            return self._server

    async def _live(self, server: "McpServer", ready: asyncio.Event) -> None:
        with suppress(asyncio.CancelledError):
            async with server.running():
                ready.set()
                await self._closing.wait()
