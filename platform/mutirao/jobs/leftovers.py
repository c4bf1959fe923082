"""What nobody wants to keep: threads made for one run, and runs that were rolled back. Deleted soon after their end."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.db import Database
from mutirao.jobs.checkpoint_tables import CheckpointTables

_BATCH = 200
# A run that was rolled back is hidden at once; who follows it has so long to read its end.
_ROLLED_BACK_SECONDS = 30.0

# Served by ix_threads_ephemeral, oldest first. Not while anything is yet to be told of a job's end.
_THREADS = text("""
SELECT t.id FROM threads t
WHERE t.ephemeral AND NOT EXISTS (
    SELECT 1 FROM jobs j WHERE j.thread_id = t.id AND (j.finished_at IS NULL
        OR j.finished_at > now() - make_interval(secs => :seconds)
        OR EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.job_id = j.id AND d.state = 'pending')))
ORDER BY t.id LIMIT :limit FOR UPDATE OF t SKIP LOCKED""")

# Served by ix_jobs_rolled_back. As above, and with their threads, which nobody else may have locked before their jobs.
_JOBS = text("""
SELECT j.id FROM jobs j JOIN threads t ON t.id = j.thread_id
WHERE j.rolled_back AND j.finished_at < now() - make_interval(secs => :seconds)
  AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.job_id = j.id AND d.state = 'pending')
ORDER BY j.id LIMIT :limit FOR UPDATE OF t, j SKIP LOCKED""")

# These jobs and all that they have fanned out to, which goes with them.
_TREE = text("""
WITH RECURSIVE tree AS (
    SELECT id, thread_id, finished_at, id AS root, thread_id AS begun_in FROM jobs
    WHERE id = ANY(:jobs) OR thread_id = ANY(:threads)
    UNION ALL
    SELECT c.id, c.thread_id, c.finished_at, t.root, t.begun_in FROM jobs c JOIN tree t ON c.parent_id = t.id
)
SELECT id, thread_id, root, begun_in, finished_at IS NOT NULL AS over FROM tree""")

_DELETE_JOBS = text("DELETE FROM jobs WHERE id = ANY(:ids)")
_EMPTY = text("""
SELECT t.id FROM threads t WHERE t.id = ANY(:ids)
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.thread_id = t.id)""")
_DELETE_THREADS = text("DELETE FROM threads WHERE id = ANY(:ids)")


class Leftovers:
    """Deletes them, a batch at a time; safe to be done by several at once. `keep_seconds` 0: threads stay for ever."""

    def __init__(self, db: Database, keep_seconds: float) -> None:
        self._db = db
        self._keep_seconds = keep_seconds
        self._checkpoints = CheckpointTables()

    async def clear(self) -> None:
        """Delete what is due."""
        more = True
        while more:
            async with self._db.begin() as connection:
                more = await self._batch(connection)

    async def _batch(self, connection: AsyncConnection) -> bool:
        values = {"seconds": self._keep_seconds, "limit": _BATCH}
        threads = (await connection.scalars(_THREADS, values)).all() if self._keep_seconds else []
        rolled_back = (await connection.scalars(_JOBS, values | {"seconds": _ROLLED_BACK_SECONDS})).all()
        if not threads and not rolled_back:
            return False
        deleted = await self._delete(connection, threads, rolled_back)
        return deleted and _BATCH in (len(threads), len(rolled_back))

    async def _delete(self, connection: AsyncConnection, threads: Sequence[UUID], jobs: Sequence[UUID]) -> bool:
        """Delete these with all their children, but those that still have one at work; says whether there were any."""
        tree = (await connection.execute(_TREE, {"threads": list(threads), "jobs": list(jobs)})).all()
        waiting = {row.root for row in tree if not row.over}
        kept = {row.begun_in for row in tree if row.root in waiting}
        doomed = [row for row in tree if row.root not in waiting and (row.root in jobs or row.begun_in not in kept)]
        await connection.execute(_DELETE_JOBS, {"ids": [row.id for row in doomed]})
        # The thread of a run that was rolled back stays: others were, or may come, in it.
        own = {row.thread_id for row in doomed if row.id != row.root} | {
            thread for thread in threads if thread not in kept
        }
        emptied = list((await connection.scalars(_EMPTY, {"ids": sorted(own)})).all())
        await self._checkpoints.delete(connection, emptied)
        await connection.execute(_DELETE_THREADS, {"ids": emptied})
        return bool(doomed or emptied)
