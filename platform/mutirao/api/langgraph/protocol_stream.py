"""A thread's events as a stream that never ends by itself: what there is, then what comes, run after run."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager
from typing import Any
from uuid import UUID

from mutirao.api.langgraph.protocol_events import Filter, asks, told
from mutirao.db.notices import Notices, wait_for
from mutirao.jobs.channels import THREAD
from mutirao.jobs.thread_journal import Head, ThreadEvent, ThreadJournal

LOOK_SECONDS = 2.0
"""A wake-up may be lost with its connection; a thread that is followed is looked at this often all the same."""

PAUSE_SECONDS = 0.35
"""A question is told so much later to a stream that has nothing but questions and lifecycles, after all other streams of
the thread have told what came before it. A client reads a thread over several connections at once and stops to read all of
them at a question: what came before it must have come."""

ALONE_SECONDS = 1.0
"""So long such a stream waits for there to be another one, which its client may be about to open."""

BEHIND_SECONDS = 2.0
"""So long it waits for the others, at most."""

BEGIN_SECONDS = 0.3
"""A stream that begins anywhere waits so long for a run that its client has just asked for, before it takes the thread's
last run, which has ended, for the one that is meant."""

RECENT_SECONDS = 5.0
"""A run that ended longer ago is not told to a stream that begins anywhere."""

_PAGE = 500
_UNBEGUN = -1
_RUNS_HEARD = 2  # the one whose events are told, and the one that waits behind it


class ThreadStreams:
    """The streams of one API process."""

    def __init__(self, journal: ThreadJournal, notices: Notices, heartbeat_seconds: float) -> None:
        self.journal = journal
        self._notices = notices
        self._heartbeat_seconds = heartbeat_seconds
        self._readers: dict[tuple[UUID, UUID], _Readers] = {}

    async def follow(
        self, project_id: UUID, thread_id: UUID, wanted: Filter, since: int | None = None
    ) -> AsyncGenerator[dict[str, Any] | None, None]:
        """Events in order; None after some time without one.

        With `since`, every event with a higher `seq`. Without it, from the beginning of the newest run: the one that is
        under way, else the next one, else the one that has just ended or that waits for a person.
        """
        async with Bell(self._notices, thread_id) as bell:
            with self._reading(project_id, thread_id, wanted) as reader:
                first = since if since is not None else await self._beginning(project_id, thread_id, bell)
                async with aclosing(self._events(project_id, thread_id, reader, bell, first)) as events:
                    async for event in events:
                        if event is None:
                            yield None
                            continue
                        if wanted.wants(shown := told(event)):
                            if reader.narrow and asks(shown):
                                await reader.others_have(event.seq)
                            yield shown
                        reader.moved(event.seq)

    async def _events(
        self, project_id: UUID, thread_id: UUID, reader: "_Reader", bell: "Bell", cursor: int
    ) -> AsyncGenerator[ThreadEvent | None, None]:
        """All events after a number, for ever; None after some time without one."""
        idle = 0.0
        reader.moved(cursor)
        while True:
            bell.clear()
            events = await self.journal.after(project_id, thread_id, cursor, limit=_PAGE)
            for event in events:
                cursor, idle = event.seq, 0.0
                yield event
            # What a run has told before this stream listened to it may go on.
            newer = await (bell.listen(events[-1].job) if events else self._newer(project_id, thread_id, bell))
            if newer or len(events) == _PAGE:
                continue
            if not await bell.rang(LOOK_SECONDS):
                idle += LOOK_SECONDS
                if idle >= self._heartbeat_seconds:
                    idle = 0.0
                    yield None

    @contextmanager
    def _reading(self, project_id: UUID, thread_id: UUID, wanted: Filter) -> Iterator["_Reader"]:
        key = (project_id, thread_id)
        readers = self._readers.setdefault(key, _Readers())
        reader = _Reader(readers, narrow=wanted.channels <= {"lifecycle", "input"})
        readers.all.add(reader)
        readers.tell()
        try:
            yield reader
        finally:
            readers.all.discard(reader)
            readers.tell()
            if not readers.all and self._readers.get(key) is readers:
                del self._readers[key]

    async def _newer(self, project_id: UUID, thread_id: UUID, bell: "Bell") -> bool:
        """Whether there is a run whose news this stream has not been listening for; from now on it is."""
        head = await self.journal.head(project_id, thread_id)
        return head is not None and await bell.listen(head.job)

    async def _beginning(self, project_id: UUID, thread_id: UUID, bell: "Bell") -> int:
        """The number after which a stream begins that has said nothing about it."""
        head = await self.journal.head(project_id, thread_id)
        if head is not None and head.rests:
            head = await self._next(project_id, thread_id, bell, head)
        if head is None:
            return _UNBEGUN
        await bell.listen(head.job)
        if head.rests and not head.asks and (head.ended_ago or 0.0) > RECENT_SECONDS:
            return head.last
        return head.base or head.told

    async def _next(self, project_id: UUID, thread_id: UUID, bell: "Bell", old: Head) -> Head:
        """The run that comes after this one within a moment; this one when none comes."""
        until = time.monotonic() + BEGIN_SECONDS
        while (left := until - time.monotonic()) > 0:
            bell.clear()
            head = await self.journal.head(project_id, thread_id)
            if head is not None and head.job != old.job:
                return head
            await bell.rang(left)
        return old


class Bell:
    """Rings when a run is accepted in a thread, and at every event of the runs it listens to: the last two."""

    def __init__(self, notices: Notices, thread_id: UUID) -> None:
        self._notices = notices
        self._thread_id = thread_id
        self._runs: dict[UUID, AsyncExitStack] = {}
        self._news = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Bell":
        await self._stack.enter_async_context(self._notices.waiting(f"{THREAD}{self._thread_id}", self._news))
        return self

    async def __aexit__(self, *_: object) -> None:
        for registered in (*self._runs.values(), self._stack):
            await registered.aclose()

    async def listen(self, job_id: UUID) -> bool:
        """Listen to this run, too, and to the one that was named before it; says whether it did not before."""
        if job_id in self._runs:
            return False
        self._runs[job_id] = AsyncExitStack()
        await self._runs[job_id].enter_async_context(self._notices.waiting(str(job_id), self._news))
        if len(self._runs) > _RUNS_HEARD:
            await self._runs.pop(next(iter(self._runs))).aclose()
        return True

    def clear(self) -> None:
        """To be called before the tables are read."""
        self._news.clear()

    async def rang(self, seconds: float) -> bool:
        """Whether it has rung since, or does within so many seconds."""
        return await wait_for(self._news, seconds)


class _Readers:
    """The streams of one thread."""

    def __init__(self) -> None:
        self.all: set[_Reader] = set()
        self.news = asyncio.Event()

    def tell(self) -> None:
        """One of them has begun, has ended, or has come further: wake whoever waits for that."""
        self.news.set()
        self.news = asyncio.Event()


class _Reader:
    """How far one stream of a thread has told its client, beside the others of that thread."""

    def __init__(self, readers: _Readers, *, narrow: bool) -> None:
        self._readers = readers
        self.narrow = narrow
        self.seq = _UNBEGUN

    def moved(self, seq: int) -> None:
        """All up to this number is told."""
        self.seq = max(self.seq, seq)
        self._readers.tell()

    async def others_have(self, seq: int) -> None:
        """Return when the thread's other streams have told all up to that number, and their client has had time to read
        it; or when that has taken too long."""
        began = time.monotonic()
        while (left := self._patience(seq) - (time.monotonic() - began)) > 0:
            await wait_for(self._readers.news, left)
        await asyncio.sleep(PAUSE_SECONDS)

    def _patience(self, seq: int) -> float:
        """Seconds for which, from the first look on, it is worth to wait."""
        others = [reader for reader in self._readers.all if not reader.narrow]
        if not others:
            return ALONE_SECONDS
        return 0.0 if all(reader.seq >= seq for reader in others) else BEHIND_SECONDS
