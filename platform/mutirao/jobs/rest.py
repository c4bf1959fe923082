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
_REST = statement(
    """
UPDATE threads SET
    values = coalesce(:values, values),
    interrupts = coalesce(:interrupts, interrupts),
    next = coalesce(CAST(:next AS text[]), next),
    error = :error,
    workflow = coalesce(:workflow, workflow),
    assistant_id = coalesce(CAST(:assistant_id AS uuid), assistant_id),
    state_updated_at = now(), updated_at = now()
WHERE id = :thread AND NOT EXISTS (
    SELECT 1 FROM jobs j WHERE j.thread_id = :thread AND j.state = 'running' AND j.rolled_back)""",
    nullable=("values", "interrupts", "error"),
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
            await self.lock(connection)
            if await connection.scalar(_HELD, {"job": claim.job_id, "epoch": claim.epoch}) is not None:
                await self.write(connection)

    async def write(self, connection: AsyncConnection) -> None:
        """Write it. In a transaction that changes jobs of the thread, too, it comes first: whoever submits a job locks
        the thread before its jobs."""
        values = {
            "thread": self.thread_id,
            "values": self.values,
            "interrupts": self.interrupts,
            "next": list(self.next) if self.next is not None else None,
            "error": self.error,
            "workflow": self.workflow,
            "assistant_id": self.assistant_id,
        }
        await connection.execute(_REST, values)
