"""The tables of LangGraph's Postgres saver by thread: copied, deleted, measured.

The platform never loads LangGraph: it relies on the saver's columns. The saver makes the tables when the first worker
starts; until then there is nothing to be done.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_THERE = text("SELECT to_regclass('checkpoint_writes') IS NOT NULL")

# One statement, one snapshot: no checkpoint comes over without its values, whatever is written meanwhile.
_COPY = text("""
WITH blob AS (
    INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT :to, checkpoint_ns, channel, version, type, blob FROM checkpoint_blobs WHERE thread_id = :source
), write AS (
    INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
    SELECT :to, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
    FROM checkpoint_writes WHERE thread_id = :source
)
INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
SELECT :to, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
FROM checkpoints WHERE thread_id = :source""")

_DELETE = [
    text(f"DELETE FROM {table} WHERE thread_id = ANY(:threads)")
    for table in ("checkpoint_writes", "checkpoint_blobs", "checkpoints")
]

_SIZES = text("""
SELECT 'checkpoints' AS kind, count(*) AS count, coalesce(sum(pg_column_size(c.*)), 0) AS bytes
FROM checkpoints c WHERE thread_id = :thread
UNION ALL SELECT 'writes', count(*), coalesce(sum(pg_column_size(w.*)), 0) FROM checkpoint_writes w WHERE thread_id = :thread
UNION ALL SELECT 'blobs', count(*), coalesce(sum(pg_column_size(b.*)), 0) FROM checkpoint_blobs b WHERE thread_id = :thread""")

_ANY = text("SELECT EXISTS (SELECT 1 FROM checkpoints WHERE thread_id = :thread)")


class CheckpointTables:
    """Each verb runs in the caller's transaction. The caller has made sure that the threads are its own."""

    async def any(self, connection: AsyncConnection, thread_id: UUID) -> bool:
        """Whether the thread has a checkpoint."""
        if not await connection.scalar(_THERE):
            return False
        return bool(await connection.scalar(_ANY, {"thread": str(thread_id)}))

    async def copy(self, connection: AsyncConnection, source: UUID, to: UUID) -> None:
        """Copy all checkpoints of a thread to one that has none."""
        if await connection.scalar(_THERE):
            await connection.execute(_COPY, {"source": str(source), "to": str(to)})

    async def delete(self, connection: AsyncConnection, thread_ids: Sequence[UUID]) -> None:
        """Delete all checkpoints of these threads."""
        if thread_ids and await connection.scalar(_THERE):
            for statement in _DELETE:
                await connection.execute(statement, {"threads": [str(thread) for thread in thread_ids]})

    async def sizes(self, connection: AsyncConnection, thread_id: UUID) -> dict[str, tuple[int, int]]:
        """Rows and bytes of `checkpoints`, `writes` and `blobs`."""
        if not await connection.scalar(_THERE):
            return {"checkpoints": (0, 0), "writes": (0, 0), "blobs": (0, 0)}
        rows = (await connection.execute(_SIZES, {"thread": str(thread_id)})).all()
        return {kind: (count, size) for kind, count, size in rows}
