"""What changes in projects, for pages that show lists of jobs: told live, whichever job it is.

One collector per process keeps the ids that notices name and reads them, for all projects that have readers, with one
statement at most every `FLUSH_SECONDS`, and only while there are readers. A frame is made once for all readers of a
project. Whoever cannot follow, because too much changes at once or because the reader is slow, is told `many` instead:
then it reads its lists again. So nothing is lost that a page would miss, and nothing is kept for anybody who stands still.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from mutirao.api.accepted import Accepted
from mutirao.api.frames import STILL_HERE
from mutirao.db import Database
from mutirao.db.notices import Notices, wait_for
from mutirao.db.tenancy import bound_to
from mutirao.jobs.records import Job
from mutirao.jobs.sql import JOB_SUMMARY
from mutirao.jobs.states import JobState
from mutirao.logs import logger

FLUSH_SECONDS = 0.2
_log = logger("api")
_AGAIN_SECONDS = 1.0  # before a database that does not answer is asked again
_MOST_JOBS = 500  # in a frame
_MOST_IDS = 2_000  # of all projects, between two looks
_MOST_BYTES = 1 << 20  # of a frame, and of what waits for a reader
_ID_CHARS = 36

# Served by the primary key. Rows of projects that nobody watches are not read on.
_JOBS = text(f"""
SELECT project_id, {JOB_SUMMARY} FROM (
    SELECT *, row_number() OVER (PARTITION BY project_id ORDER BY id) AS place FROM jobs
    WHERE id = ANY(:ids) AND project_id = ANY(:projects)
) j WHERE place <= :most""")

# Served by ix_approvals_pending.
_PENDING = text("""
SELECT project_id, count(*) AS pending FROM approvals WHERE state = 'pending' AND project_id = ANY(:projects)
GROUP BY project_id""")

_rows = TypeAdapter(list[Job])
_UNTOLD = {"__all__": {"input", "output"}}


def _frame(event: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.encode(), data)


MANY = _frame("many", b"{}")


class _Reader:
    """What waits to be sent to one reader: never more than `_MOST_BYTES`."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._frames: list[bytes] = []
        self._bytes = 0
        self._lost = False

    def put(self, frame: bytes) -> None:
        self._bytes += len(frame)
        if self._bytes > _MOST_BYTES:
            self._lost, self._frames = True, []
        if not self._lost:
            self._frames.append(frame)
        self.news.set()

    def take(self, feed: "_Feed") -> bytes:
        """All that waits; what it stands for when it was too much."""
        frames = [MANY, feed.approvals()] if self._lost else self._frames
        self._frames, self._bytes, self._lost = [], 0, False
        self.news.clear()
        return b"".join(frames)


class _Feed:
    """One project that somebody watches."""

    def __init__(self) -> None:
        self.readers: set[_Reader] = set()
        self.pending: int | None = None
        """Approvals that wait, as last told; None: nobody has counted them yet."""
        self.deleted: set[UUID] = set()
        """Jobs that are to be told of as gone."""
        self.stale = False
        """`many` is due."""

    def put(self, frame: bytes) -> None:
        for reader in self.readers:
            reader.put(frame)

    def tell(self, jobs: list[Job], *, many: bool = False) -> None:
        """Tell of jobs that have changed, and of those that are gone."""
        if many or self.stale:
            self.put(MANY)
        elif jobs or self.deleted:
            self.put(_frame_of(jobs, self.deleted))
        self.deleted, self.stale = set(), False

    def may_ask(self, jobs: Collection[Job]) -> bool:
        """Whether the number of approvals that wait may be another one: some did, or some of these jobs do now."""
        asks = any(job.state is JobState.PAUSED and job.waiting_for == "approval" for job in jobs)
        return asks or (bool(jobs or self.deleted or self.stale) and self.pending != 0)

    def count(self, pending: int) -> None:
        """Tell how many approvals wait, when it is another number."""
        if pending != self.pending:
            self.pending = pending
            self.put(self.approvals())

    def approvals(self) -> bytes:
        return _frame("approvals", orjson.dumps({"pending": self.pending or 0}))


class Changes:
    """The changes in the projects of one API process as streams of server-sent events."""

    def __init__(self, db: Database, notices: Notices) -> None:
        self._db = db
        self._notices = notices
        self._accepted = Accepted(db, notices)
        self._feeds: dict[UUID, _Feed] = {}
        self._ids: set[str] = set()
        self._missed = False
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def told(self, job_id: UUID) -> None:
        """A job has been accepted by this process; the database says nothing of that before somebody works on it.

        Readers of this process are told at once, those of others a moment later.
        """
        self._accepted.add(job_id)
        if self._feeds:
            self._hear(str(job_id))

    def deleted(self, project_id: UUID, job_id: UUID | None = None) -> None:
        """A job, or a thread with its jobs, was deleted by this process: there is no row left that could say so."""
        if (feed := self._feeds.get(project_id)) is None:
            return
        if job_id is None or len(feed.deleted) >= _MOST_JOBS:
            feed.stale = True
        else:
            feed.deleted.add(job_id)
        self._news.set()

    async def follow(self, project_id: UUID, *, idle_seconds: float) -> AsyncGenerator[bytes, None]:
        """Frames, as long as the reader likes: `hello` with the server's time, how many `approvals` wait, then `jobs` with
        those that have changed, `approvals` when their number has, and `many` when it is too much to tell.

        What changes from `hello` on is told: who reads its lists behind it misses nothing.
        """
        with self._joined(project_id) as (feed, reader):
            yield _frame("hello", orjson.dumps({"at": await self._db.now()}, option=orjson.OPT_UTC_Z))
            if feed.pending is None:
                await self._count_first(project_id, feed)
            yield feed.approvals()
            while True:
                if await wait_for(reader.news, idle_seconds):
                    yield reader.take(feed)
                else:
                    yield STILL_HERE

    async def _count_first(self, project_id: UUID, feed: _Feed) -> None:
        found = await self._counts([project_id])
        if feed.pending is None:  # whoever has counted meanwhile has the newer number
            feed.pending = found.get(project_id, 0)

    async def stop(self) -> None:
        """Tell other processes no more."""
        await self._accepted.stop()

    @contextmanager
    def _joined(self, project_id: UUID) -> Iterator[tuple[_Feed, _Reader]]:
        if not self._feeds:
            self._notices.hear(self._hear)
            self._task = asyncio.create_task(self._run(), name="changes")
        feed, reader = self._feeds.setdefault(project_id, _Feed()), _Reader()
        feed.readers.add(reader)
        try:
            yield feed, reader
        finally:
            feed.readers.discard(reader)
            if not feed.readers:
                del self._feeds[project_id]
            if not self._feeds:
                self._rest()

    def _rest(self) -> None:
        """Nobody watches any more."""
        self._notices.unhear(self._hear)
        if self._task is not None:
            self._task.cancel()
        self._task, self._missed = None, False
        self._ids.clear()
        self._news.clear()

    def _hear(self, key: str) -> None:
        if len(key) == _ID_CHARS and len(self._ids) < _MOST_IDS:
            self._ids.add(key)
        elif not key or len(key) == _ID_CHARS:
            self._missed = True  # a notice may be lost, or there are too many
        else:  # of a thread, of an assistant, or said of a job a second time; or what another process has accepted
            for job_id in self._accepted.ids_of(key):
                self._hear(job_id)
            return
        self._news.set()

    async def _run(self) -> None:
        # Begun by whoever came first, and for all projects: not bound to that one's.
        with bound_to(None):
            while True:
                await self._news.wait()
                self._news.clear()
                await asyncio.sleep(FLUSH_SECONDS if await self._flush() else _AGAIN_SECONDS)

    async def _flush(self) -> bool:
        """Tell what has changed since the last time; whether the database has answered."""
        ids, missed = self._ids, self._missed
        self._ids, self._missed = set(), False
        try:
            if missed:
                await self._tell_many()
            else:
                await self._tell_jobs([UUID(key) for key in ids])
        except (SQLAlchemyError, OSError) as error:
            self._missed = True
            self._news.set()
            _log.warning("api.changes_not_read", error=str(getattr(error, "orig", error)).splitlines()[0])
            return False
        return True

    async def _tell_many(self) -> None:
        counts = await self._counts(self._feeds)
        for project_id, feed in self._feeds.items():
            feed.tell([], many=True)
            feed.count(counts.get(project_id, 0))

    async def _tell_jobs(self, ids: Sequence[UUID]) -> None:
        changed = await self._changed(ids) if ids else {}
        counted = []
        for project_id, feed in self._feeds.items():
            jobs = changed.get(project_id, [])
            if feed.may_ask(jobs):
                counted.append(project_id)
            feed.tell(jobs)
        counts = await self._counts(counted) if counted else {}
        for project_id in counted:
            if (found := self._feeds.get(project_id)) is not None:
                found.count(counts.get(project_id, 0))

    async def _changed(self, ids: Sequence[UUID]) -> dict[UUID, list[Job]]:
        changed: dict[UUID, list[Job]] = {}
        values = {"ids": ids, "projects": [*self._feeds], "most": _MOST_JOBS + 1}
        async with self._db.autocommit() as connection:
            for row in (await connection.execute(_JOBS, values)).mappings():
                changed.setdefault(row["project_id"], []).append(Job.model_validate(dict(row)))
        return changed

    async def _counts(self, projects: Collection[UUID]) -> dict[UUID, int]:
        async with self._db.autocommit() as connection:
            rows = await connection.execute(_PENDING, {"projects": [*projects]})
            return {row.project_id: row.pending for row in rows}


def _frame_of(jobs: list[Job], deleted: Collection[UUID]) -> bytes:
    if len(jobs) > _MOST_JOBS:
        return MANY
    untold: Any = _UNTOLD
    there = _rows.dump_json([job for job in jobs if job.id not in deleted], exclude=untold)
    frame = _frame("jobs", b'{"jobs":%b,"deleted":%b}' % (there, orjson.dumps([*deleted])))
    return frame if len(frame) <= _MOST_BYTES else MANY
