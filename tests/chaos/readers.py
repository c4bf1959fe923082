"""Readers of event streams: one that breaks off and goes on, and one that never reads."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import UUID

import httpx

_SECONDS = 90.0


async def follow(client: httpx.AsyncClient, job: UUID, break_after: int) -> list[int]:
    """`seq` of every event, read in two connections: the second goes on after the last event of the first."""
    async with asyncio.timeout(_SECONDS):
        first = await _read(client, job, 0, break_after)
        return first + await _read(client, job, first[-1] if first else 0, None)


async def _read(client: httpx.AsyncClient, job: UUID, after: int, most: int | None) -> list[int]:
    headers = {"Last-Event-ID": str(after)} if after else {}
    seen: list[int] = []
    async with client.stream("GET", f"/jobs/{job}/events", headers=headers) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                seen.append(int(line.removeprefix("id: ")))
                if len(seen) == most:
                    break
    return seen


@contextlib.asynccontextmanager
async def stalled(url: str, key: str, job: UUID) -> AsyncIterator[None]:
    """A reader that has asked and reads nothing, with a small receive buffer."""
    parts = urlsplit(url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (parts.hostname, parts.port))
        request = (
            f"GET /api/v1/jobs/{job}/events HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n\r\n"
        )
        await loop.sock_sendall(connection, request.encode())
        yield
