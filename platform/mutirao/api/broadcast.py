"""Journals for many readers at once: of each job that is followed, one reads the table and all take from memory."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from mutirao.db import Database
from mutirao.db.notices import Notices, wait_for
from mutirao.errors import NotFound
from mutirao.jobs.states import TERMINAL, JobState

LOOK_SECONDS = 2.0
"""A wake-up may be lost with its connection; a journal that is followed is looked at this often all the same."""

_PAGE = 1_000
_PAGE_BYTES = 1 << 20
_FIRST_PAGE = 250
_MOST_KEPT = 2_000
_MOST_BYTES = 4 << 20  # of one job
# A job's last event is of one of these types, and one that rests has told so; others may have them in the middle, too.
_MAY_REST = frozenset(f"job.{state}" for state in (*TERMINAL, JobState.PAUSED))

# `data` as text: nobody parses it to write it again.
_EVENTS = text("""
SELECT seq, epoch, type, step, data, created_at, looked FROM (
    SELECT e.*, count(*) OVER () AS looked, sum(octet_length(data)) OVER (ORDER BY seq) AS size FROM (
        SELECT seq, epoch, type, step, data::text AS data, created_at FROM events
        WHERE job_id = :id AND seq > :after ORDER BY seq LIMIT :limit) e) e
WHERE size <= :bytes OR size = octet_length(data) ORDER BY seq""")

_WHERE_IT_IS = text("SELECT state, waiting_for, last_seq FROM jobs WHERE id = :id AND project_id = :project_id")


class Entry:
    """An event of a journal, as its readers share it. The fields are those of `mutirao.jobs.records.Event`.

    `raw` is its data as JSON; `json` the whole event as the API shows it; `frame` the same as a server-sent event, with
    `seq` as its id. Each is made once, when it is first asked for.
    """

    def __init__(self, seq: int, attempt: int, kind: str, step: str | None, raw: bytes, at: datetime) -> None:
        self.seq = seq
        self.attempt = attempt
        self.type = kind
        self.step = step
        self.raw = raw
        self.at = at

    @cached_property
    def data(self) -> dict[str, Any]:
        """What the event carries. Readers share it: nobody may change it."""
        found: dict[str, Any] = orjson.loads(self.raw)
        return found

    @cached_property
    def part(self) -> bytes:
        """Of an event `stream.*`: the part itself as JSON."""
        return orjson.dumps(self.data["data"])

    @cached_property
    def json(self) -> bytes:
        step = orjson.dumps(self.step)
        at = self.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        head = b'{"seq":%d,"attempt":%d,"type":"%b","step":%b,"data":' % (
            self.seq,
            self.attempt,
            self.type.encode(),
            step,
        )
        return b'%b%b,"at":"%b"}' % (head, self.raw, at.encode())

    @cached_property
    def frame(self) -> bytes:
        return b"id: %d\nevent: %b\ndata: %b\n\n" % (self.seq, self.type.encode(), self.json)


class Journals:
    """The journals of one API process as streams.

    However many follow a job, its table is read once for each batch of events. The newest events of a followed job are
    kept in memory, so many and so large and no more; who lags behind them reads the table. A reader that stands still
    costs what its connection holds: nothing is queued for it.
    """

    def __init__(self, db: Database, notices: Notices) -> None:
        self._db = db
        self._notices = notices
        self._followed: dict[tuple[UUID, UUID], _Followed] = {}

    async def follow(
        self, project_id: UUID, job_id: UUID, *, after: int = 0, until_rest: bool = False
    ) -> AsyncGenerator[Entry, None]:
        """Every event of a job with `seq > after`, in order, without a gap: what there is, then what comes.

        Ends when the job has ended and all of its events are told. A job that was retried has terminal events in the
        middle of its journal: the stream goes on behind them. With `until_rest` it ends, too, when the job is paused for
        an approval and all is told up to there.

        Raises:
            NotFound: no such job in this project, or not any more. Raised at the first event that is asked for: a route
                that streams makes sure before.
        """
        async with aclosing(self.batches(project_id, job_id, after=after, until_rest=until_rest)) as batches:
            async for batch in batches:
                for entry in batch:
                    yield entry

    async def batches(
        self,
        project_id: UUID,
        job_id: UUID,
        *,
        after: int = 0,
        until_rest: bool = False,
        idle_seconds: float | None = None,
    ) -> AsyncGenerator[Sequence[Entry], None]:
        """The same events as `follow`, as many at a time as there are; never more than a page, which is so long and so large.

        With `idle_seconds`, an empty batch whenever nothing has come for so long: for a sign of life.
        """
        async with self._joined(project_id, job_id, after) as followed:
            joined = followed.join()
            while True:
                news = followed.news
                if batch := await followed.behind(after):
                    after = batch[-1].seq
                    yield batch
                elif followed.over(after, joined, until_rest):
                    return
                elif not await _set(news, idle_seconds):
                    yield ()

    @asynccontextmanager
    async def _joined(self, project_id: UUID, job_id: UUID, after: int) -> AsyncIterator["_Followed"]:
        key = (project_id, job_id)
        followed = self._followed.get(key)
        if followed is None or followed.closed:
            followed = self._followed[key] = _Followed(self._db, self._notices, project_id, job_id, after)
        followed.readers += 1
        try:
            yield followed
        finally:
            followed.readers -= 1
            if not followed.readers:
                followed.stop()
                if self._followed.get(key) is followed:
                    del self._followed[key]


class _Followed:
    """One job that somebody follows. `news` is set, and replaced, whenever something about it has changed."""

    def __init__(self, db: Database, notices: Notices, project_id: UUID, job_id: UUID, after: int) -> None:
        self.readers = 0
        self.closed = False
        self.news = asyncio.Event()
        self._db = db
        self._notices = notices
        self._project_id = project_id
        self._job_id = job_id
        self._last = after
        self._kept: deque[Entry] = deque()
        self._bytes = 0
        self._rows = _FIRST_PAGE
        self._ended = False
        self._rests_at: int | None = None
        self._error: Exception | None = None
        self._notice: asyncio.Event | None = None
        self._looks = self._seen = 0  # begun, done
        self._task = asyncio.create_task(self._read(), name=f"journal:{job_id}")

    def join(self) -> int:
        """For a new reader, who may not believe what was read before it came: the number of the last look until now."""
        if self._notice is not None:
            self._notice.set()
        return self._looks

    def stop(self) -> None:
        """Read no more."""
        self.closed = True
        self._task.cancel()

    def over(self, after: int, joined: int, until_rest: bool) -> bool:
        """Whether a reader that has seen everything up to `after` has seen all there will be. Raises what reading did."""
        if self._error is not None:
            raise self._error
        rests = until_rest and self._rests_at == self._last and self._seen > joined
        return after >= self._last and (self._ended or rests)

    async def behind(self, after: int) -> list[Entry]:
        """Events behind `after`, a page at most: from memory, or from the table for who lags; empty: nothing is there.

        Raises:
            NotFound: the job is not there any more, and what is asked for not in memory.
        """
        if after >= self._last:
            return []
        first = self._kept[0].seq if self._kept else self._last + 1
        if after + 1 < first:
            page, _ = await self._page(after)
            if not page and after < self._last:
                raise self._unknown()  # deleted: a job that is there keeps its last event
            return page
        return _fitting(islice(self._kept, after + 1 - first, after + 1 - first + _PAGE))

    async def _read(self) -> None:
        try:
            async with self._notices.waiting(str(self._job_id)) as self._notice:
                await self._ask()  # before anything of it is told: it may be somebody else's
                while not self._ended:
                    self._notice.clear()
                    await self._look()
                    if not self._ended:
                        await wait_for(self._notice, LOOK_SECONDS)
        except Exception as error:  # noqa: BLE001 (carried to the readers)
            self._error = error
        self.closed = True
        self._tell()

    async def _look(self) -> None:
        """Take in what is new, and where the job is when it may be at its end."""
        self._looks += 1
        more = True
        while more:
            page, more = await self._page(self._last)
            if page:
                self._keep(page)
            if more:
                self._tell()
        if not page or page[-1].type in _MAY_REST:
            await self._ask()
        self._seen = self._looks
        self._tell()

    async def _ask(self) -> None:
        async with self._db.autocommit() as connection:
            values = {"id": self._job_id, "project_id": self._project_id}
            job = (await connection.execute(_WHERE_IT_IS, values)).first()
        if job is None:
            raise self._unknown()
        if job.last_seq <= self._last:
            self._last = job.last_seq  # lower when its first reader has asked for what is not there yet
            self._ended = JobState(job.state).terminal
            rests = job.state == JobState.PAUSED and job.waiting_for == "approval"
            self._rests_at = self._last if rests else None

    async def _page(self, after: int) -> tuple[list[Entry], bool]:
        """The next events of the table, and whether there may be more."""
        limit = self._rows
        values = {"id": self._job_id, "after": after, "limit": limit, "bytes": _PAGE_BYTES}
        async with self._db.autocommit() as connection:
            rows = (await connection.execute(_EVENTS, values)).all()
        looked = rows[0].looked if rows else 0
        more = looked == limit or len(rows) < looked
        if more:  # what does not fit has been read in vain: of large events, ask for few
            self._rows = min(2 * len(rows), _PAGE)
        return [Entry(row.seq, row.epoch, row.type, row.step, row.data.encode(), row.created_at) for row in rows], more

    def _unknown(self) -> NotFound:
        return NotFound(f"no job {str(self._job_id)!r} in this project")

    def _keep(self, page: list[Entry]) -> None:
        self._last = page[-1].seq
        self._kept.extend(page)
        self._bytes += sum(len(entry.raw) for entry in page)
        while len(self._kept) > _MOST_KEPT or self._bytes > _MOST_BYTES:
            self._bytes -= len(self._kept.popleft().raw)

    def _tell(self) -> None:
        news, self.news = self.news, asyncio.Event()
        news.set()


def _fitting(entries: Iterable[Entry]) -> list[Entry]:
    """As many of them as a page takes, at least one."""
    page: list[Entry] = []
    size = 0
    for entry in entries:
        size += len(entry.raw)
        if page and size > _PAGE_BYTES:
            break
        page.append(entry)
    return page


async def _set(event: asyncio.Event, seconds: float | None) -> bool:
    if seconds is None:
        return await event.wait()
    return await wait_for(event, seconds)
