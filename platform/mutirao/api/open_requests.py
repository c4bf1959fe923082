"""What is open for each caller: counted, and closed within seconds when its key or token is over."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from mutirao.db.notices import Notices
from mutirao.keys import Identity, Keys
from mutirao.logs import logger
from mutirao.sessions import Sessions

_log = logger("api")

LOOK_SECONDS = 2.0
"""A notice may be lost with its connection: open requests are looked after this often besides."""


@dataclass(eq=False)
class OpenRequest:
    """A request that is being answered."""

    identity: Identity
    task: "asyncio.Task[Any]"
    streams: int = 0
    """How many streams it is: a websocket is one, and each of its subscriptions."""
    began: float = field(default_factory=time.monotonic)
    cut: bool = False
    """It was ended from here: its task is cancelled."""
    spared: bool = False
    """It ends its own session, and is to say so: it is not ended with it."""

    def end(self) -> None:
        """End it; it says so itself (see `Gate`)."""
        if not self.cut and not self.spared:
            self.cut = True
            self.task.cancel()


@dataclass
class OpenRequests:
    """All of one process."""

    keys: Keys
    sessions: Sessions
    notices: Notices
    on_change: Callable[[], None]
    """Called when a key has changed: what is remembered of keys is old."""
    longest_seconds: float = 0
    """So long a request of somebody without a key of ours stays open: nobody says when that is over. 0: for ever."""
    _by_caller: dict[Any, set[OpenRequest]] = field(default_factory=dict)
    _watch: "asyncio.Task[None] | None" = None

    async def start(self) -> None:
        await self.notices.start()
        self._watch = asyncio.create_task(self._watching(), name="open-requests")

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self.notices.stop()

    @contextlib.contextmanager
    def entered(self, identity: Identity) -> Iterator[OpenRequest]:
        """The request of the running task is open inside the block."""
        task = asyncio.current_task()
        assert task is not None
        request = OpenRequest(identity, task)
        caller = caller_of(identity)
        mine = self._by_caller.setdefault(caller, set())
        mine.add(request)
        try:
            yield request
        finally:
            mine.discard(request)
            if not mine and self._by_caller.get(caller) is mine:
                del self._by_caller[caller]

    def streams_of(self, identity: Identity) -> int:
        """How many streams this caller has open."""
        return sum(int(request.streams) for request in self._by_caller.get(caller_of(identity), ()))

    def end_all(self, key_id: UUID) -> None:
        """End what a key has open."""
        for request in [*self._by_caller.get(key_id, ())]:
            request.end()

    async def _watching(self) -> None:
        async with self.notices.all_keys() as told:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await told.get()
                        self.on_change()
                try:
                    await self._look()
                except (SQLAlchemyError, OSError) as error:
                    # Whoever cannot be looked up stays: the database is asked again soon.
                    _log.warning("api.keys_not_read", error=str(getattr(error, "orig", error)).splitlines()[0])

    async def _look(self) -> None:
        open_keys = {caller for caller in self._by_caller if isinstance(caller, UUID)}
        for key_id in await self.keys.over(open_keys) if open_keys else ():
            self.on_change()
            self.end_all(key_id)
        await self._look_at_sessions()
        now, moment = time.time(), time.monotonic()
        for requests in [*self._by_caller.values()]:
            for request in [*requests]:
                expires_at, keyless = request.identity.expires_at, request.identity.key_id is None
                if (expires_at is not None and expires_at.timestamp() <= now) or (
                    keyless and 0 < self.longest_seconds <= moment - request.began
                ):
                    request.end()

    async def _look_at_sessions(self) -> None:
        """End what was begun by sessions that are over."""
        mine: dict[UUID, list[OpenRequest]] = {}
        for request in [request for requests in self._by_caller.values() for request in requests]:
            if request.identity.session_id is not None:
                mine.setdefault(request.identity.session_id, []).append(request)
        for session_id in await self.sessions.over(mine) if mine else ():
            self.on_change()
            for request in mine[session_id]:
                request.end()


def caller_of(identity: Identity) -> UUID | str:
    """What limits count by: a key, or the subject of a token in its project."""
    return identity.key_id or f"{identity.project_id}:{identity.subject}"
