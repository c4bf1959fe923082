"""Retention: what ended long ago is deleted, a little at a time.

Settings say how long each kind of thing is kept; the database clock decides. Every batch is one short transaction, and
only one process in the whole system deletes at a time.

What goes with a job, by the database's cascades: its children with all of theirs, events, attempts, model calls,
artifacts, usage, effects, approvals, groups of children and idempotency keys. Documents stay and forget it. Its thread
goes when it has no other job, and with the thread its checkpoints. All of it stays while a fork has yet to begin there.

Threads and items of the long-term store that have a time to live go when it has passed since their last use; sessions of
browsers and links that sign in, when they can be used no more.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.artifacts import BlobStore
from mutirao.db import Database
from mutirao.settings import RetentionSettings

_BATCH = 100
_HOUR_SECONDS = 3600
_DAY_SECONDS = 24 * _HOUR_SECONDS
_ALWAYS = 1.0  # what has a time of its own has been kept long enough

_ALONE = text("SELECT pg_try_advisory_xact_lock(7203665)")

# Jobs that ended long enough ago, from the mark on; served by ix_jobs_finished_at.
_ENDED = text("""
SELECT j.id, j.thread_id, j.finished_at FROM jobs j
LEFT JOIN retention_marks m ON m.what = :what
WHERE j.finished_at < now() - make_interval(secs => :seconds)
  AND (m.what IS NULL OR (j.finished_at, j.id) > (m.finished_at, m.job_id))
ORDER BY j.finished_at, j.id LIMIT :limit""")

_MARK = text("""
INSERT INTO retention_marks (what, finished_at, job_id) VALUES (:what, :finished_at, :job_id)
ON CONFLICT (what) DO UPDATE SET finished_at = excluded.finished_at, job_id = excluded.job_id""")

# A reader of the journal ends at the last event, which therefore stays.
_EVENTS = text("""
DELETE FROM events e USING jobs j WHERE j.id = ANY(:ids) AND e.job_id = j.id AND e.seq < j.last_seq""")
_MODEL_CALLS = text("DELETE FROM model_calls WHERE job_id = ANY(:ids)")
_FORGET_WORKER = text("""
UPDATE jobs SET worker_id = NULL WHERE id = ANY(:ids) AND finished_at IS NOT NULL AND worker_id IS NOT NULL""")

_GONE_WORKERS = text("""
DELETE FROM workers WHERE id IN (
    SELECT w.id FROM workers w WHERE w.lease_expires_at < now() - make_interval(secs => :seconds)
      AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.worker_id = w.id) LIMIT :limit)""")

# Jobs of these threads whose checkpoints are all kept.
_LIVELY = text("""
SELECT thread_id, id FROM jobs WHERE thread_id = ANY(:threads)
  AND (finished_at IS NULL OR finished_at >= now() - make_interval(secs => :seconds))""")

# Checkpoints that a job is yet to begin at, of its own thread or of another one.
_CHOSEN = text("""
SELECT start ->> 'checkpoint_id' FROM jobs WHERE start ->> 'checkpoint_id' IS NOT NULL
  AND (state = 'queued' OR state = 'running' OR state IN ('waiting', 'paused', 'stranded'))""")

# A fork that has not begun copies the checkpoints of another thread.
_UNFINISHED_FORK = """f.start ->> 'thread_id' IS NOT NULL
    AND (f.state = 'queued' OR f.state = 'running' OR f.state IN ('waiting', 'paused', 'stranded'))"""
_NEEDED_THREADS = text(f"""
SELECT DISTINCT CAST(f.start ->> 'thread_id' AS uuid) FROM jobs f
WHERE {_UNFINISHED_FORK} AND f.start ->> 'thread_id' = ANY(:threads)""")

# A child goes with its parent and never before it. With their threads, which whoever retries a job has locked before it.
_ROOTS = text(f"""
SELECT j.id FROM jobs j JOIN threads t ON t.id = j.thread_id
WHERE j.parent_id IS NULL AND j.finished_at < now() - make_interval(secs => :seconds)
  AND NOT EXISTS (SELECT 1 FROM jobs f WHERE {_UNFINISHED_FORK} AND f.start ->> 'thread_id' = j.thread_id::text)
  AND NOT EXISTS (SELECT 1 FROM jobs c WHERE c.parent_id = j.id AND c.finished_at IS NULL)
ORDER BY j.finished_at LIMIT :limit FOR UPDATE OF t, j SKIP LOCKED""")

_TREE = text("""
WITH RECURSIVE tree AS (
    SELECT id, thread_id, finished_at, id AS root FROM jobs WHERE id = ANY(:roots)
    UNION ALL
    SELECT c.id, c.thread_id, c.finished_at, t.root FROM jobs c JOIN tree t ON c.parent_id = t.id
)
SELECT id, thread_id, finished_at, root FROM tree""")

_LOCK_THREADS = text("SELECT id FROM threads WHERE id = ANY(:threads) ORDER BY id FOR UPDATE")
_SHARED_THREADS = text("""
SELECT DISTINCT thread_id FROM jobs WHERE thread_id = ANY(:threads) AND id <> ALL(:ids)""")
_DELETE_THREADS = text("DELETE FROM threads WHERE id = ANY(:threads)")
_DELETE_JOBS_OF = text("DELETE FROM jobs WHERE thread_id = ANY(:threads)")
_DELETE_JOBS = text("DELETE FROM jobs WHERE id = ANY(:ids)")

_KEYS = text("""
DELETE FROM idempotency_keys WHERE (project_id, key) IN (
    SELECT k.project_id, k.key FROM idempotency_keys k LEFT JOIN jobs j ON j.id = k.job_id
    WHERE k.created_at < now() - make_interval(secs => :seconds) AND (j.id IS NULL OR j.finished_at IS NOT NULL)
    LIMIT :limit)""")

# Threads whose time has passed since their last use; served by ix_threads_expires_at. A job that has not ended, be it that
# it waits for a person, uses its thread.
_UNUSED = f"""t.expires_at < now()
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.thread_id = t.id AND (j.finished_at IS NULL
        OR j.finished_at >= now() - make_interval(secs => coalesce(t.ttl_minutes, 0) * 60)))
  AND NOT EXISTS (SELECT 1 FROM jobs f WHERE {_UNFINISHED_FORK} AND f.start ->> 'thread_id' = t.id::text)"""
_EXPIRED = text(f"""
SELECT t.id FROM threads t WHERE {_UNUSED} ORDER BY t.expires_at LIMIT :limit FOR UPDATE OF t SKIP LOCKED""")
# A statement sees what was committed before it began, and not what was before it had its locks: look again.
_STILL_EXPIRED = text(f"SELECT t.id, t.ttl_strategy FROM threads t WHERE t.id = ANY(:threads) AND {_UNUSED}")
_EXPIRES_LATER = text("""
UPDATE threads SET expires_at = now() + make_interval(secs => ttl_minutes * 60) WHERE id = ANY(:threads)""")

_EXPIRED_ITEMS = text("""
DELETE FROM store_items WHERE ctid IN (SELECT ctid FROM store_items WHERE expires_at < now() LIMIT :limit)""")

# Served by ix_sessions_expires_at and ix_sign_in_links_expires_at.
_OVER = tuple(
    text(f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE expires_at < now() LIMIT :limit)")
    for table in ("sessions", "sign_in_links")
)

# Every column that names a blob.
_REFERENCED = text("""
SELECT sha256 FROM artifacts WHERE sha256 = ANY(:blobs)
UNION SELECT sha256 FROM uploads WHERE sha256 = ANY(:blobs)
UNION SELECT sha256 FROM documents WHERE sha256 = ANY(:blobs)
UNION SELECT text_sha256 FROM documents WHERE text_sha256 = ANY(:blobs)""")


class Checkpoints(Protocol):
    """What retention asks of the store of checkpoints; both verbs may be done twice."""

    async def prune_thread(
        self, thread_id: str, *, runs: Collection[str] = (), ids: Collection[str] = ()
    ) -> int | None:
        """Delete its checkpoints but those of the jobs `runs`, those of `ids` and the newest; returns how many."""

    async def delete_threads(self, thread_ids: Collection[str]) -> None:
        """Delete all checkpoints of these threads."""


@dataclass
class Pruned:
    """How much one round has deleted."""

    events: int = 0
    model_calls: int = 0
    checkpoints: int = 0
    jobs: int = 0
    threads: int = 0
    keys: int = 0
    workers: int = 0
    items: int = 0
    sessions: int = 0
    blobs: int = 0


class Retention:
    """Deletes what the settings do not ask to keep."""

    def __init__(
        self, db: Database, blobs: BlobStore, settings: RetentionSettings, checkpoints: Checkpoints, batch: int = _BATCH
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._settings = settings
        self._checkpoints = checkpoints
        self._batch = batch

    async def prune_once(self) -> Pruned:
        """Delete all that is due. Ends early, with what it has deleted so far, when another process is at it."""
        keep, pruned = self._settings, Pruned()
        await self._each_batch(pruned, self._expired_threads, _ALWAYS)
        await self._each_batch(pruned, self._expired_items, _ALWAYS)
        await self._each_batch(pruned, self._sessions, _ALWAYS)
        await self._each_batch(pruned, self._jobs, keep.keep_jobs_days * _DAY_SECONDS)
        await self._each_batch(pruned, self._old_checkpoints, keep.keep_checkpoints_days * _DAY_SECONDS)
        await self._each_batch(pruned, self._events, keep.keep_events_days * _DAY_SECONDS)
        await self._each_batch(pruned, self._workers, keep.keep_events_days * _DAY_SECONDS)
        await self._each_batch(pruned, self._keys, keep.keep_keys_hours * _HOUR_SECONDS)
        await self._unreferenced(pruned, keep.keep_blob_hours * _HOUR_SECONDS)
        return pruned

    async def _each_batch(
        self, pruned: Pruned, one: Callable[[AsyncConnection, Pruned, float], Awaitable[bool]], seconds: float
    ) -> None:
        """Let `one` do a batch in a transaction of its own as long as it says that there may be more."""
        more = seconds > 0
        while more:
            async with self._db.begin() as connection:
                more = bool(await connection.scalar(_ALONE)) and await one(connection, pruned, seconds)

    async def _ended(self, connection: AsyncConnection, what: str, seconds: float) -> Sequence[Row[Any]]:
        """The next jobs that ended; they count as done when the transaction is committed."""
        values = {"what": what, "seconds": seconds, "limit": self._batch}
        jobs = (await connection.execute(_ENDED, values)).all()
        if jobs:
            last = {"finished_at": jobs[-1].finished_at, "job_id": jobs[-1].id}
            await connection.execute(_MARK, {"what": what} | last)
        return jobs

    async def _events(self, connection: AsyncConnection, pruned: Pruned, seconds: float) -> bool:
        ids = {"ids": [job.id for job in await self._ended(connection, "events", seconds)]}
        pruned.events += (await connection.execute(_EVENTS, ids)).rowcount
        pruned.model_calls += (await connection.execute(_MODEL_CALLS, ids)).rowcount
        await connection.execute(_FORGET_WORKER, ids)
        return len(ids["ids"]) == self._batch

    async def _workers(self, connection: AsyncConnection, pruned: Pruned, seconds: float) -> bool:
        count = (await connection.execute(_GONE_WORKERS, {"seconds": seconds, "limit": self._batch})).rowcount
        pruned.workers += count
        return count == self._batch

    async def _expired_threads(self, connection: AsyncConnection, pruned: Pruned, _: float) -> bool:
        locked = (await connection.scalars(_EXPIRED, {"limit": self._batch})).all()
        expired = (await connection.execute(_STILL_EXPIRED, {"threads": list(locked)})).all()
        thinned = [row.id for row in expired if row.ttl_strategy == "keep_latest"]
        await self._delete_threads(connection, pruned, [row.id for row in expired if row.id not in thinned])
        for thread in thinned:
            pruned.checkpoints += await self._checkpoints.prune_thread(str(thread)) or 0
        await connection.execute(_EXPIRES_LATER, {"threads": thinned})
        return len(locked) == self._batch and bool(expired)

    async def _delete_threads(self, connection: AsyncConnection, pruned: Pruned, threads: Sequence[UUID]) -> None:
        """Threads with all of their jobs, which nobody can have submitted to them since they were locked."""
        await self._checkpoints.delete_threads([str(thread) for thread in threads])
        pruned.jobs += (await connection.execute(_DELETE_JOBS_OF, {"threads": list(threads)})).rowcount
        await connection.execute(_DELETE_THREADS, {"threads": list(threads)})
        pruned.threads += len(threads)

    async def _expired_items(self, connection: AsyncConnection, pruned: Pruned, _: float) -> bool:
        count = (await connection.execute(_EXPIRED_ITEMS, {"limit": self._batch})).rowcount
        pruned.items += count
        return count == self._batch

    async def _sessions(self, connection: AsyncConnection, pruned: Pruned, _: float) -> bool:
        """Of browsers, and the links that nobody has used."""
        counts = [(await connection.execute(over, {"limit": self._batch})).rowcount for over in _OVER]
        pruned.sessions += sum(counts)
        return max(counts) == self._batch

    async def _keys(self, connection: AsyncConnection, pruned: Pruned, seconds: float) -> bool:
        count = (await connection.execute(_KEYS, {"seconds": seconds, "limit": self._batch})).rowcount
        pruned.keys += count
        return count == self._batch

    async def _old_checkpoints(self, connection: AsyncConnection, pruned: Pruned, seconds: float) -> bool:
        jobs = await self._ended(connection, "checkpoints", seconds)
        pruned.checkpoints += await self._thin_out(connection, {job.thread_id for job in jobs}, seconds)
        return len(jobs) == self._batch

    async def _thin_out(self, connection: AsyncConnection, threads: Collection[UUID], seconds: float) -> int:
        """Leave of the threads' checkpoints the newest and those of jobs that did not end that long ago."""
        rows = await connection.execute(_LIVELY, {"threads": list(threads), "seconds": seconds})
        lively = [(row.thread_id, str(row.id)) for row in rows]
        chosen = list((await connection.scalars(_CHOSEN)).all())
        count = 0
        for thread in threads:
            runs = [job for owner, job in lively if owner == thread]
            count += await self._checkpoints.prune_thread(str(thread), runs=runs, ids=chosen) or 0
        return count

    async def _jobs(self, connection: AsyncConnection, pruned: Pruned, seconds: float) -> bool:
        roots = (await connection.scalars(_ROOTS, {"seconds": seconds, "limit": self._batch})).all()
        tree = (await connection.execute(_TREE, {"roots": list(roots)})).all()
        # No job can be submitted to these threads, nor forked from them, until this is over.
        await connection.execute(_LOCK_THREADS, {"threads": sorted({row.thread_id for row in tree})})
        needed = set(
            (await connection.scalars(_NEEDED_THREADS, {"threads": [str(row.thread_id) for row in tree]})).all()
        )
        kept = {row.root for row in tree if row.finished_at is None or row.thread_id in needed}
        jobs = [row for row in tree if row.root not in kept]
        ids, threads = [row.id for row in jobs], sorted({row.thread_id for row in jobs})
        shared = set((await connection.scalars(_SHARED_THREADS, {"threads": threads, "ids": ids})).all())
        emptied = [thread for thread in threads if thread not in shared]
        # Checkpoints first: when this ends in between, the jobs are still there to say which are left.
        await self._checkpoints.delete_threads([str(thread) for thread in emptied])
        await connection.execute(_DELETE_JOBS, {"ids": ids})
        await connection.execute(_DELETE_THREADS, {"threads": emptied})
        pruned.checkpoints += await self._thin_out(connection, shared, seconds)
        pruned.jobs += len(ids)
        pruned.threads += len(emptied)
        return len(roots) == self._batch and bool(ids)

    async def _unreferenced(self, pruned: Pruned, seconds: float) -> None:
        if seconds <= 0:
            return
        async for blobs in self._blobs.old(seconds):
            async with self._db.begin() as connection:
                if not await connection.scalar(_ALONE):
                    return
                referenced = set((await connection.scalars(_REFERENCED, {"blobs": blobs})).all())
            pruned.blobs += await self._blobs.delete_old([blob for blob in blobs if blob not in referenced], seconds)
