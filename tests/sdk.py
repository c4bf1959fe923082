"""LangGraph's SDK for tests: its async and its sync client with one face."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from anyio import to_thread
from langgraph_sdk import get_client, get_sync_client

from tests.servers import Servers

KINDS = ("async", "sync")


class Awaited:
    """A sync client with the face of the async one: calls and iterators run in a thread."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return Awaited(found)
        if name.endswith("stream"):
            return lambda *args, **given: self._iterate(found(*args, **given))
        return lambda *args, **given: to_thread.run_sync(partial(found, *args, **given))

    async def _iterate(self, parts: Iterator[Any]) -> AsyncIterator[Any]:
        end = object()
        while (part := await to_thread.run_sync(next, parts, end)) is not end:
            yield part


@asynccontextmanager
async def sdk(kind: str, servers: Servers) -> AsyncIterator[Any]:
    """A client of one of `KINDS` with the servers' key."""
    if kind == "async":
        async with get_client(url=servers.url, api_key=servers.key) as found:
            yield found
    else:
        with get_sync_client(url=servers.url, api_key=servers.key) as plain:
            yield Awaited(plain)
