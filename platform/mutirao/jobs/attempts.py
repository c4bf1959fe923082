"""What an attempt asks the database when it begins: how much time it has left, and whether its start has been made."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text

from mutirao.db import Database
from mutirao.errors import LeaseLost
from mutirao.jobs.records import Claim, Record
from mutirao.jobs.sql import statement

_CLOCK = text("""
SELECT extract(epoch FROM now() - j.started_at)::float AS job_seconds,
    extract(epoch FROM j.deadline_at - now())::float AS deadline_seconds,
    (SELECT coalesce(sum(extract(epoch FROM coalesce(a.finished_at, now()) - a.started_at)), 0)::float
     FROM attempts a WHERE a.job_id = j.id AND a.epoch < :epoch) AS attempts_seconds
FROM jobs j WHERE j.id = :job""")

# Decisions that were made for the place the job does not go on from are nobody's any more.
_BEGUN = text("""
WITH job AS (
    UPDATE jobs SET start = NULL WHERE id = :job AND epoch = :epoch AND state = 'running' RETURNING id
), left_over AS (
    UPDATE approvals a SET state = 'withdrawn' FROM job
    WHERE a.job_id = job.id AND (a.state = 'pending' OR a.state IN ('decided', 'expired') AND a.applied_at IS NULL)
)
SELECT id FROM job""")


# What a command says is written down before it is given: an attempt after a crash must find out what was taken in.
_SETTLE = statement(
    """
UPDATE jobs SET run = jsonb_set(run, '{command}', :command)
WHERE id = :job AND epoch = :epoch AND state = 'running' RETURNING id""",
    "command",
)

COMMAND_TAKEN = """
UPDATE jobs SET run = jsonb_set(run, '{command}', (run -> 'command') - 'update' - 'goto')
WHERE id = %(job)s AND jsonb_typeof(run -> 'command') = 'object'"""
"""What a command changes and where it goes is in the graph's state: for the transaction that stores it there."""


class Clock(Record):
    """Times of a job in seconds, by the clock of the database."""

    job_seconds: float | None = None
    """Since its first attempt began."""
    attempts_seconds: float = 0.0
    """Spent in the attempts before this one."""
    deadline_seconds: float | None = None
    """Left until its deadline."""


class AttemptStore:
    """What an attempt may ask about itself."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def clock(self, claim: Claim) -> Clock:
        """The times of the attempt's job."""
        async with self.db.autocommit() as connection:
            rows = await connection.execute(_CLOCK, {"job": claim.job_id, "epoch": claim.epoch})
            row = rows.mappings().first()
        return Clock.model_validate(dict(row)) if row is not None else Clock()

    async def begun(self, claim: Claim) -> None:
        """The job's `start` has been made and is not made again.

        Raises:
            LeaseLost: another attempt has begun.
        """
        async with self.db.autocommit() as connection:
            found: UUID | None = await connection.scalar(_BEGUN, {"job": claim.job_id, "epoch": claim.epoch})
        if found is None:
            raise _stale(claim)

    async def settle(self, claim: Claim, command: Mapping[str, Any]) -> None:
        """The job's command is this from now on.

        Raises:
            LeaseLost: another attempt has begun.
        """
        values = {"job": claim.job_id, "epoch": claim.epoch, "command": command}
        async with self.db.autocommit() as connection:
            found: UUID | None = await connection.scalar(_SETTLE, values)
        if found is None:
            raise _stale(claim)


def _stale(claim: Claim) -> LeaseLost:
    return LeaseLost(f"job {str(claim.job_id)!r}: attempt {claim.epoch} is not the current one")
