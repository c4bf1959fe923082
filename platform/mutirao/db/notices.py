"""PostgreSQL's NOTIFY as something a coroutine can wait for.

A notice is a wake-up, never the news itself: whoever wakes reads the table. So a notice that is lost (a connection that
broke) costs a delay and nothing else; after every reconnect all waiters are woken.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql

from mutirao.logs import logger

_log = logger("notices")
_LOOK_SECONDS = 0.05
_BACK_OFF_SECONDS = (0.1, 0.5, 1.0, 2.0)


class Notices:
    """Listens on one channel over one connection; payloads are keys (a job's id) that coroutines wait for.

    `beside` another one it shares that one's connection, which is made after it and lives longer: the server wakes each
    listening connection for every notice, whatever its channel.
    """

    def __init__(self, url: str, channel: str, *, beside: "Notices | None" = None) -> None:
        self.url = url
        self.channel = channel
        self._beside = beside
        self._channels: dict[str, Notices] = {channel: self}
        if beside is not None:
            assert channel not in beside._channels
            assert beside._task is None
            beside._channels[channel] = self
        self._waiters: dict[str, set[asyncio.Event]] = {}
        self._listeners: set[Callable[[str], None]] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._beside is None:
            self._task = asyncio.create_task(self._listen(), name=f"notices:{self.channel}")
        else:  # what came before is no news to who waits from now on, and yet to be looked at
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._wake_all)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @asynccontextmanager
    async def waiting(self, key: str, event: asyncio.Event | None = None) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever `key` is notified; the caller clears it before it reads the table.

        One that is given is set as well: it may wait for several keys.
        """
        event = event or asyncio.Event()
        self._waiters.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            waiters = self._waiters[key]
            waiters.discard(event)
            if not waiters:
                del self._waiters[key]

    def flag(self, key: str) -> asyncio.Event:
        """An event that is set whenever `key` is notified, and when anything may have been missed, for as long as this
        object lives."""
        event = asyncio.Event()
        self._waiters.setdefault(key, set()).add(event)
        return event

    @asynccontextmanager
    async def all_keys(self) -> AsyncIterator["asyncio.Queue[str]"]:
        """Every key that is notified, in order; `""` after a reconnect: anything may have been missed."""
        keys: asyncio.Queue[str] = asyncio.Queue()
        self.hear(put := keys.put_nowait)
        try:
            yield keys
        finally:
            self.unhear(put)

    def hear(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with every key that is notified, and with `""` when anything may have been missed."""
        self._listeners.add(listener)

    def unhear(self, listener: Callable[[str], None]) -> None:
        """Call it no more."""
        self._listeners.discard(listener)

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
                    for channel in self._channels:
                        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                    failures = 0
                    for each in self._channels.values():
                        each._wake_all()
                    await self._forward(connection)
            except (psycopg.Error, OSError) as error:
                pause = _BACK_OFF_SECONDS[min(failures, len(_BACK_OFF_SECONDS) - 1)]
                failures += 1
                _log.warning("notices.connection_lost", channel=self.channel, error=str(error), pause_seconds=pause)
                await asyncio.sleep(pause)

    async def _forward(self, connection: psycopg.AsyncConnection[Any]) -> None:
        async for notice in connection.notifies():
            self._channels[notice.channel]._tell(notice.payload)

    def _tell(self, payload: str) -> None:
        for event in self._waiters.get(payload, ()):
            event.set()
        for listener in self._listeners:
            listener(payload)

    def _wake_all(self) -> None:
        for events in self._waiters.values():
            for event in events:
                event.set()
        for listener in self._listeners:
            listener("")


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Wait until `event` is set, at most `seconds`; says whether it was."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
