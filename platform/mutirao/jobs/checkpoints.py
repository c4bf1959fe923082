"""Checkpoints as clients see them, read off the table that LangGraph's Postgres saver keeps.

The platform never loads LangGraph. It relies on the saver's columns and on two keys of its JSON: `ts` of a checkpoint,
`step`, `source` and `job_id` (our own) of its metadata.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from mutirao.db import Database
from mutirao.errors import NotFound
from mutirao.jobs.records import Job, Record

# The saver makes its table when the first worker starts.
_THERE = text("SELECT to_regclass('checkpoints') IS NOT NULL")

# Of the outermost graph. Checkpoints that a fork has copied name the job that wrote them; only those that other jobs of
# the same thread wrote are not this job's.
_PAGE = text("""
SELECT checkpoint_id AS id, parent_checkpoint_id AS parent_id, (metadata->>'step')::int AS step,
    metadata->>'source' AS source, (checkpoint->>'ts')::timestamptz AS created_at, metadata->>'job_id' AS job_id
FROM checkpoints c
WHERE thread_id = :thread AND checkpoint_ns = ''
  AND (CAST(:before AS text) IS NULL OR checkpoint_id < :before)
  AND (CAST(:id AS text) IS NULL OR checkpoint_id = :id)
  AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.thread_id = CAST(:thread AS uuid) AND o.id <> :job
                  AND o.id::text = c.metadata->>'job_id')
ORDER BY checkpoint_id DESC LIMIT :limit""")


_VERSIONED = text("SELECT to_regclass('checkpoint_migrations') IS NOT NULL")
_VERSION = text("SELECT coalesce(max(v), -1) FROM checkpoint_migrations")


async def checkpoint_version(db: Database) -> int:
    """The newest migration of LangGraph's tables that has been run; -1 when they are not there."""
    async with db.autocommit() as connection:
        if not await connection.scalar(_VERSIONED):
            return -1
        return int(await connection.scalar(_VERSION) or 0)


class CheckpointUnknown(NotFound):
    """Raised when a job has no checkpoint of that id."""

    code = "checkpoint_unknown"


class Checkpoint(Record):
    """The state of a graph between two steps."""

    id: str = Field(description="Ordered by time.")
    parent_id: str | None = None
    step: int | None = Field(None, description="Steps before it, -1 before the first.")
    source: str | None = Field(None, description="`input`, `loop`, `update` or `fork`.")
    created_at: datetime
    job_id: UUID | None = Field(None, description="The job that wrote it; another one where a fork has copied it.")


class CheckpointReader:
    """Reads checkpoints. The caller has made sure that the job is its own."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def page(self, job: Job, *, before: str | None = None, limit: int = 50) -> list[Checkpoint]:
        """At most `limit` checkpoints of the job, newest first, older than `before`."""
        return await self._rows(job, {"before": before, "id": None, "limit": limit})

    async def get(self, job: Job, checkpoint_id: str) -> Checkpoint:
        """Raises CheckpointUnknown."""
        found = await self._rows(job, {"before": None, "id": checkpoint_id, "limit": 1})
        if not found:
            raise CheckpointUnknown(
                f"job {str(job.id)!r} has no checkpoint {checkpoint_id!r}; "
                f"`GET /jobs/{job.id}/checkpoints` lists those it has"
            )
        return found[0]

    async def _rows(self, job: Job, values: dict[str, Any]) -> list[Checkpoint]:
        async with self.db.autocommit() as connection:
            if not await connection.scalar(_THERE):
                return []
            values |= {"thread": str(job.thread_id), "job": job.id}
            rows = (await connection.execute(_PAGE, values)).mappings()
            return [Checkpoint.model_validate(dict(row)) for row in rows]
