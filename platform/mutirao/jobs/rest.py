"""The state of a thread at rest: what its row says of it, so that nobody has to ask a worker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.db import Database
from mutirao.jobs.records import Claim
from mutirao.jobs.sql import statement

# What is NULL here is not known: the row keeps what it says; all of it, when the job is to leave nothing behind.
RESTING = """
    values = coalesce(:rest_values, t.values),
    interrupts = coalesce(:rest_interrupts, t.interrupts),
    next = coalesce(CAST(:rest_next AS text[]), t.next),
    error = :rest_error,
    workflow = coalesce(:rest_workflow, t.workflow),
    assistant_id = coalesce(CAST(:rest_assistant_id AS uuid), t.assistant_id),
    state_updated_at = now(), updated_at = now()"""
RESTING_JSON = ("rest_values", "rest_interrupts", "rest_error")

_REST = statement(
    f"""
UPDATE threads t SET {RESTING}
WHERE t.id = :thread AND NOT EXISTS (
    SELECT 1 FROM jobs j WHERE j.thread_id = :thread AND j.state = 'running' AND j.rolled_back)""",
    nullable=RESTING_JSON,
)

_LOCK = text("SELECT 1 FROM threads WHERE id = :thread FOR NO KEY UPDATE")

_HELD = text("SELECT 1 FROM jobs WHERE id = :job AND epoch = :epoch AND state = 'running' FOR SHARE")


@dataclass(frozen=True, kw_only=True)
class Rest:
    """What a thread's row says once none of its jobs runs. None of `values`, `interrupts` and `next`: not known.

    `interrupts`: `{task id: [{"id", "value"}]}`. `error`: `{"error": class, "message"}` of the exception that ended its
    last job. All of it may hold what `mutirao.db.jsonb.dumps` takes.
    """

    thread_id: UUID
    values: Any = None
    interrupts: Mapping[str, Any] | None = None
    next: Sequence[str] | None = None
    error: Mapping[str, Any] | None = None
    workflow: str | None = None
    assistant_id: UUID | None = field(default=None)

    async def lock(self, connection: AsyncConnection) -> None:
        """Lock the thread's row, until the end of the transaction, as `write` does."""
        await connection.execute(_LOCK, {"thread": self.thread_id})

    async def write_before(self, db: Database, claim: Claim) -> None:
        """Write it in a transaction of its own, as long as the attempt holds the job: for ends that others write."""
        async with db.begin() as connection:
            await self.lock(connection)  # before the job
            if await connection.scalar(_HELD, {"job": claim.job_id, "epoch": claim.epoch}) is not None:
                await self.write(connection)

    async def write(self, connection: AsyncConnection) -> None:
        """Write it, the thread locked. In a transaction that changes jobs of the thread, too, the lock comes first: whoever
        submits a job locks the thread before its jobs.

        Locked by a statement of its own: one that waits for the lock itself would not see that the job was to be rolled
        back meanwhile.
        """
        await self.lock(connection)
        await connection.execute(_REST, self.row())

    def row(self) -> dict[str, Any]:
        """Parameters of a statement with `RESTING` in it, and `thread`."""
        return {
            "thread": self.thread_id,
            "rest_values": self.values,
            "rest_interrupts": self.interrupts,
            "rest_next": list(self.next) if self.next is not None else None,
            "rest_error": self.error,
            "rest_workflow": self.workflow,
            "rest_assistant_id": self.assistant_id,
        }
