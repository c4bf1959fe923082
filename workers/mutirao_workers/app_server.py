"""The child that serves a project's own routes: `http.app` of its `langgraph.json`, an ASGI application.

What it tells: `serving {port}`, once it can be reached. It ends when the other side hangs up.
"""

import asyncio
import socket

import uvicorn
from mutirao.settings import Settings
from mutirao_agents.discovery import Found

from mutirao_workers.frames import Link

_LEAVE_SECONDS = 2


class AppServer:
    """uvicorn on a free port."""

    def __init__(self, settings: Settings, found: Found) -> None:
        self._host = settings.worker.app_host
        self._app = found.extras.app

    async def run(self, sock: socket.socket) -> int:
        """Serve until the other side hangs up; the process's exit code."""
        link = await Link.open(sock)
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, 0))
            config = uvicorn.Config(
                self._app, log_level="warning", access_log=False, timeout_graceful_shutdown=_LEAVE_SECONDS
            )
            server = uvicorn.Server(config)
            leaving = asyncio.create_task(_leave(link, server))
            telling = asyncio.create_task(_tell(link, server, listener.getsockname()[1]))
            await server.serve(sockets=[listener])
            began = server.started
            for task in (leaving, telling):
                task.cancel()
        return 0 if began else 1


async def _leave(link: Link, server: uvicorn.Server) -> None:
    async for _ in link.heard():
        pass
    server.should_exit = True


async def _tell(link: Link, server: uvicorn.Server, port: int) -> None:
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    link.say(op="serving", port=port)
