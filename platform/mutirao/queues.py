"""Queues as a project sees them: what waits in each, what runs, and who serves it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from mutirao.db import Database
from mutirao.jobs.records import Record

# Only what has not ended is looked at: ix_jobs_queued and ix_jobs_running have nothing else.
_LOADS = text("""
WITH waiting AS (
    SELECT queue, count(*) AS queued, min(available_at) AS oldest, array_agg(DISTINCT workflow ORDER BY workflow) AS workflows
    FROM jobs WHERE project_id = :project_id AND state = 'queued' GROUP BY queue
), running AS (
    SELECT queue, count(*) AS running FROM jobs WHERE project_id = :project_id AND state = 'running' GROUP BY queue
), served AS (
    SELECT q.name AS queue, count(*) AS workers, sum(w.slots) AS slots FROM workers w CROSS JOIN unnest(w.queues) AS q (name)
    WHERE w.stopped_at IS NULL AND w.lease_expires_at > now() GROUP BY q.name
)
SELECT queue AS name, coalesce(queued, 0) AS queued, coalesce(running, 0) AS running, coalesce(workers, 0) AS workers,
    coalesce(slots, 0) AS slots, oldest AS oldest_queued_at, coalesce(workflows, '{}') AS workflows
FROM waiting FULL JOIN running USING (queue) FULL JOIN served USING (queue) ORDER BY queue""")


class QueueLoad(Record):
    """One queue. Its jobs are those of the project, its workers serve all projects."""

    name: str
    queued: int = Field(description="Jobs that wait for a worker, or for their time.")
    running: int
    workers: int = Field(description="Live worker processes that serve it.")
    slots: int = Field(description="Jobs they run at once, all together.")
    oldest_queued_at: datetime | None = Field(None, description="When the first of those that wait could begin.")
    workflows: list[str] = Field(exclude=True, description="Of those that wait.")


class Queues:
    """Reads what queues have to do."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def loads(self, project_id: UUID) -> Sequence[QueueLoad]:
        """Every queue that is served or has unfinished jobs of the project, by name."""
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_LOADS, {"project_id": project_id})).mappings()
            return [QueueLoad.model_validate(dict(row)) for row in rows]
