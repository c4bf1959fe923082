"""Care of stored checkpoints: copy a thread, delete what some runs left, thin out what is old.

The statements are on LangGraph's own tables (`checkpoints`, `checkpoint_blobs`, `checkpoint_writes`). Rows are looked up
by key and by arrays, never by joining two sets of a thread's rows: the few huge threads make such a plan quadratic.
"""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.postgres.base import (
    PRUNE_DELETE_THREADS_SQL,
    PRUNE_DELTA_THREADS_SQL,
    PRUNE_STRATEGIES,
)
from psycopg import AsyncCursor
from psycopg.rows import DictRow

Cursor = AsyncCursor[DictRow]

_COPY = (
    """
INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
SELECT %(target)s, checkpoint_ns, channel, version, type, blob FROM checkpoint_blobs WHERE thread_id = %(source)s
ON CONFLICT DO NOTHING""",
    """
INSERT INTO checkpoint_writes
    (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
SELECT %(target)s, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
FROM checkpoint_writes WHERE thread_id = %(source)s AND (%(until)s::text IS NULL OR checkpoint_id <= %(until)s)
ON CONFLICT DO NOTHING""",
    """
INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
SELECT %(target)s, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
FROM checkpoints WHERE thread_id = %(source)s AND (%(until)s::text IS NULL OR checkpoint_id <= %(until)s)
ON CONFLICT DO NOTHING""",
)

# A job is what LangGraph calls a run; its id is in the metadata of each of its checkpoints.
_OF_RUNS = """
SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints
WHERE metadata ->> 'run_id' = ANY(%(runs)s) OR metadata ->> 'job_id' = ANY(%(runs)s)"""

_OF_THREAD = """
SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints
WHERE thread_id = %(thread)s AND coalesce(metadata ->> 'job_id', metadata ->> 'run_id') = ANY(%(runs)s)"""

# Newest of each namespace. `stays` is false for a subgraph call (its namespace has a task's id behind a colon) that
# started from a saved checkpoint of the root graph other than the newest.
_NEWEST = """
WITH newest AS (
    SELECT DISTINCT ON (checkpoint_ns) checkpoint_ns, checkpoint_id, metadata -> 'parents' ->> '' AS root
    FROM checkpoints WHERE thread_id = %(thread)s ORDER BY checkpoint_ns, checkpoint_id DESC
)
SELECT n.checkpoint_ns, n.checkpoint_id,
    n.checkpoint_ns NOT LIKE '%%:%%' OR NOT EXISTS (
        SELECT 1 FROM checkpoints r WHERE r.thread_id = %(thread)s AND r.checkpoint_ns = '' AND r.checkpoint_id = n.root
            AND r.checkpoint_id <> (SELECT checkpoint_id FROM newest WHERE checkpoint_ns = '')) AS stays
FROM newest n"""

_OLD = """
SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints
WHERE thread_id = %(thread)s AND checkpoint_id <> ALL(%(ids)s)
  AND coalesce(metadata ->> 'job_id', metadata ->> 'run_id', '') <> ALL(%(runs)s)"""

_DELETE_WRITES = """
DELETE FROM checkpoint_writes WHERE thread_id = %(thread)s AND checkpoint_ns = %(ns)s AND checkpoint_id = ANY(%(ids)s)"""

_DELETE = """
WITH deleted AS (
    DELETE FROM checkpoints WHERE thread_id = %(thread)s AND checkpoint_ns = %(ns)s AND checkpoint_id = ANY(%(ids)s)
    RETURNING checkpoint -> 'channel_versions' AS versions
)
SELECT DISTINCT v.key AS channel, v.value AS version FROM deleted CROSS JOIN LATERAL jsonb_each_text(versions) AS v"""

_FORGET_PARENTS = """
UPDATE checkpoints SET parent_checkpoint_id = NULL
WHERE thread_id = %(thread)s AND checkpoint_ns = %(ns)s AND parent_checkpoint_id = ANY(%(ids)s)"""

_REFERENCED = """
SELECT DISTINCT v.key AS channel, v.value AS version
FROM checkpoints c CROSS JOIN LATERAL jsonb_each_text(c.checkpoint -> 'channel_versions') AS v
WHERE c.thread_id = %(thread)s AND c.checkpoint_ns = %(ns)s"""

_DELETE_BLOBS = """
DELETE FROM checkpoint_blobs
WHERE thread_id = %(thread)s AND checkpoint_ns = %(ns)s AND channel = %(channel)s AND version = ANY(%(versions)s)"""


class CheckpointCare(AsyncPostgresSaver):
    """What LangGraph's Postgres saver lacks of LangGraph's own contract, and pruning by job.

    Every write is one transaction. A checkpoint whose parent is deleted has none from then on.
    """

    @abstractmethod
    def _transaction(self) -> AbstractAsyncContextManager[Cursor]:
        """A cursor in a transaction that may write."""

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str, *, until: str | None = None) -> None:
        """Copy all checkpoints and writes, or those up to the checkpoint `until`; what the target has already is left
        as it is."""
        threads = {"source": str(source_thread_id), "target": str(target_thread_id), "until": until}
        async with self._cursor(pipeline=True) as cursor:
            for statement in _COPY:
                await cursor.execute(statement, threads)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of these runs or jobs, the newest too. Reads the whole table: ids have no index.

        Raises:
            NotImplementedError: a thread that keeps other checkpoints uses a `DeltaChannel`, whose state is in all of them.
        """
        if not run_ids:
            return
        async with self._transaction() as cursor:
            doomed = await _rows(cursor, _OF_RUNS, {"runs": [str(run) for run in run_ids]})
            if delta := await _delta_threads(cursor, {row["thread_id"] for row in doomed}):
                raise NotImplementedError(f"threads that use a DeltaChannel cannot lose single runs: {sorted(delta)}")
            await _delete(cursor, doomed)

    async def delete_of_jobs(self, thread_id: str, job_ids: Sequence[str]) -> None:
        """Delete the checkpoints that these jobs have left in their thread, the newest too.

        Raises:
            NotImplementedError: the thread uses a `DeltaChannel`, whose state is in all of its checkpoints.
        """
        async with self._transaction() as cursor:
            wanted = {"thread": thread_id, "runs": [str(job) for job in job_ids]}
            doomed = await _rows(cursor, _OF_THREAD, wanted)
            if await _delta_threads(cursor, {row["thread_id"] for row in doomed}):
                raise NotImplementedError(f"a thread that uses a DeltaChannel cannot lose single runs: {thread_id}")
            await _delete(cursor, doomed)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """As the base class says, one transaction for each thread whose latest checkpoints are kept."""
        if isinstance(thread_ids, str) or strategy not in PRUNE_STRATEGIES:
            raise ValueError(f"prune {thread_ids!r} by {strategy!r}: give a list of ids and one of {PRUNE_STRATEGIES}")
        threads = [str(thread) for thread in thread_ids]
        if strategy == "delete":
            async with self._cursor(pipeline=True) as cursor:
                for statement in PRUNE_DELETE_THREADS_SQL:
                    await cursor.execute(statement, (threads,))
            return
        for thread in threads:
            if await self.prune_thread(thread) is None:
                raise NotImplementedError(f"keep_latest cannot prune a thread that uses a DeltaChannel: {thread}")

    async def prune_thread(
        self, thread_id: str, *, runs: Collection[str] = (), ids: Collection[str] = ()
    ) -> int | None:
        """Delete a thread's checkpoints but those of `runs`, those with an id of `ids`, and the newest of each namespace
        (of a subgraph's call: when the newest of the root graph has made it). Returns how many.

        A thread that uses a `DeltaChannel`, whose state is in all of its checkpoints, is left as it is: None.
        """
        async with self._transaction() as cursor:
            if await _delta_threads(cursor, {thread_id}):
                return None
            newest = await _rows(cursor, _NEWEST, {"thread": thread_id})
            kept = [*ids, *(row["checkpoint_id"] for row in newest if row["stays"])]
            doomed = await _rows(cursor, _OLD, {"thread": thread_id, "ids": kept, "runs": list(runs)})
            await _delete(cursor, doomed)
        return len(doomed)

    async def delete_threads(self, thread_ids: Collection[str]) -> None:
        """Delete everything of these threads."""
        await self.aprune(list(thread_ids), strategy="delete")


async def _rows(cursor: Cursor, statement: str, values: Mapping[str, Any]) -> list[DictRow]:
    # Unprepared: a cached plan would compare each row with an array one element at a time.
    await cursor.execute(statement.encode(), values, prepare=False)
    return await cursor.fetchall()


async def _delta_threads(cursor: Cursor, thread_ids: Collection[str]) -> set[str]:
    threads = list(thread_ids)
    await cursor.execute(PRUNE_DELTA_THREADS_SQL, (threads, threads), prepare=False)
    return {row["thread_id"] for row in await cursor.fetchall()}


async def _delete(cursor: Cursor, doomed: Sequence[DictRow]) -> None:
    """Delete checkpoints, their writes, and the values that no other checkpoint of their namespace has."""
    places: dict[tuple[str, str], list[str]] = {}
    for row in doomed:
        places.setdefault((row["thread_id"], row["checkpoint_ns"]), []).append(row["checkpoint_id"])
    for (thread, ns), ids in places.items():
        at = {"thread": thread, "ns": ns}
        await cursor.execute(_DELETE_WRITES, at | {"ids": ids}, prepare=False)
        freed = await _rows(cursor, _DELETE, at | {"ids": ids})
        await cursor.execute(_FORGET_PARENTS, at | {"ids": ids}, prepare=False)
        kept = {(row["channel"], row["version"]) for row in await _rows(cursor, _REFERENCED, at)}
        garbage: dict[str, list[str]] = {}
        for row in freed:
            if (row["channel"], row["version"]) not in kept:
                garbage.setdefault(row["channel"], []).append(row["version"])
        for channel, versions in garbage.items():
            await cursor.execute(_DELETE_BLOBS, at | {"channel": channel, "versions": versions}, prepare=False)
