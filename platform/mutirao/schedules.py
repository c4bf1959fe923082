"""Schedules: workflows that are started by the clock, in a time zone.

The database keeps when each is due next (`next_at`). The reconciler calls `fire` every two seconds; whoever locks a due
schedule first submits its job and moves `next_at` on, in one transaction.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation
from pydantic import Field
from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.catalogue import Catalogue, check_input
from mutirao.cron import Cron
from mutirao.db import Database
from mutirao.db.engine import connection_lost
from mutirao.errors import Conflict, InvalidInput, MutiraoError, NotFound
from mutirao.ids import new_id
from mutirao.jobs.accept import ACCEPT, values_of
from mutirao.jobs.options import JobOptions
from mutirao.jobs.records import LONGEST_SECONDS, Job, Problem, Record, Submission
from mutirao.jobs.store import JobStore

TIMES_SHOWN = 5
DEFAULT_ATTEMPTS = 3
_PUT_OFF = timedelta(hours=1)
_MOST_CHARS = 2_000

_SCHEDULE = """id, project_id, name, workflow, input, metadata, options, cron, timezone, enabled, next_at, last_at, end_at,
    last_error, created_at, updated_at"""

_INSERT = text(f"""
INSERT INTO schedules (id, project_id, name, workflow, input, metadata, options, cron, timezone, enabled, next_at, end_at)
VALUES (:id, :project_id, :name, :workflow, :input, :metadata, :options, :cron, :timezone, :enabled, :next_at, :end_at)
RETURNING {_SCHEDULE}""").bindparams(
    bindparam("input", type_=JSONB), bindparam("metadata", type_=JSONB), bindparam("options", type_=JSONB)
)

_UPDATE = text(f"""
UPDATE schedules SET name = :name, input = :input, metadata = :metadata, options = :options, cron = :cron,
    timezone = :timezone, enabled = :enabled, next_at = :next_at, end_at = :end_at, updated_at = now()
WHERE id = :id RETURNING {_SCHEDULE}""").bindparams(
    bindparam("input", type_=JSONB), bindparam("metadata", type_=JSONB), bindparam("options", type_=JSONB)
)

_GET = text(f"SELECT {_SCHEDULE} FROM schedules WHERE id = :id AND project_id = :project_id")
# Not `FOR UPDATE`: jobs refer to the row, and inserting one must not wait for this.
_LOCK = text(f"SELECT {_SCHEDULE} FROM schedules WHERE id = :id AND project_id = :project_id FOR NO KEY UPDATE")

_PAGE = text(f"""
SELECT {_SCHEDULE} FROM schedules
WHERE project_id = :project_id AND (CAST(:before AS uuid) IS NULL OR id < :before)
ORDER BY id DESC LIMIT :limit""")

_DELETE = text("DELETE FROM schedules WHERE id = :id AND project_id = :project_id RETURNING id")

# Served by ix_schedules_next_at.
_DUE = text(f"""
SELECT {_SCHEDULE}, now() AS now FROM schedules
WHERE enabled AND next_at <= now() ORDER BY next_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED""")

_MOVE_ON = text("""
UPDATE schedules SET next_at = :next_at, last_at = :last_at, last_error = :last_error WHERE id = :id""").bindparams(
    bindparam("last_error", type_=JSONB(none_as_null=True))
)


class Schedule(Record):
    """When a workflow is started, and with what."""

    id: UUID
    name: str
    workflow: str
    input: dict[str, Any]
    metadata: dict[str, Any]
    options: JobOptions
    cron: str = Field(description="Five fields: minute, hour, day of month, month, day of week.")
    timezone: str = Field(description="Name of the IANA list.")
    enabled: bool
    next_at: datetime | None = Field(None, description="When its next job is submitted; null: never.")
    next_times: list[datetime] = Field([], description="The next five times.")
    last_at: datetime | None = Field(None, description="The moment it was last due.")
    end_at: datetime | None = Field(None, description="Nothing is submitted after this.")
    last_error: Problem | None = Field(None, description="Why its last job could not be submitted.")
    created_at: datetime
    updated_at: datetime


class NewSchedule(Record):
    """What is needed to keep a schedule."""

    name: str
    workflow: str
    input: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    options: JobOptions = Field(default_factory=JobOptions)
    cron: str
    timezone: str = "UTC"
    enabled: bool = True
    end_at: datetime | None = None


class ScheduleStore:
    """Every verb on schedules. One of another project answers exactly like an unknown one.

    `attempts` is what a job gets whose schedule does not say.
    """

    def __init__(self, db: Database, *, attempts: int = DEFAULT_ATTEMPTS) -> None:
        self.db = db
        self.attempts = attempts
        self._catalogue = Catalogue(db)
        self._jobs = JobStore(db)

    async def add(self, project_id: UUID, new: NewSchedule) -> Schedule:
        """Keep a schedule.

        Raises:
            InvalidInput: cron expression or time zone are none, `end_at` is out of reach, or the input does not fit.
            WorkflowUnknown: there is no such workflow.
            Conflict: the project has a schedule of that name.
        """
        await self._check_input(new.workflow, new.input)
        now = await self.db.now()
        _check_end(new.end_at, now)
        values = _values(new, now)
        async with self.db.begin() as connection:
            return await self._write(connection, _INSERT, values | {"id": new_id(), "project_id": project_id})

    async def get(self, project_id: UUID, schedule_id: UUID) -> Schedule:
        """Raises NotFound."""
        async with self.db.autocommit() as connection:
            return _schedule(await self._row(connection, _GET, project_id, schedule_id))

    async def page(self, project_id: UUID, *, before: UUID | None = None, limit: int = 50) -> list[Schedule]:
        """At most `limit` schedules, newest first, older than the schedule `before`."""
        values = {"project_id": project_id, "before": before, "limit": limit}
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_PAGE, values)).mappings().all()
        return await asyncio.to_thread(lambda: [_schedule(row) for row in rows])

    async def change(self, project_id: UUID, schedule_id: UUID, changes: Mapping[str, Any]) -> Schedule:
        """Change fields of `NewSchedule`, all but the workflow. What was missed while it was off is not made up for.

        Raises what `add` raises, and NotFound.
        """
        # All that needs a connection of its own comes before the transaction: callers that each hold one and wait for
        # another would wait for each other.
        now = await self.db.now()
        if "input" in changes:
            await self._check_input((await self.get(project_id, schedule_id)).workflow, changes["input"])
        _check_end(changes.get("end_at"), now)
        async with self.db.begin() as connection:
            row = dict(await self._row(connection, _LOCK, project_id, schedule_id))
            values = _values(NewSchedule.model_validate({**row, **changes}), now)
            if not {"cron", "timezone", "enabled", "end_at"} & changes.keys():
                values["next_at"] = row["next_at"]  # one that is due stays due
            return await self._write(connection, _UPDATE, values | {"id": schedule_id})

    async def delete(self, project_id: UUID, schedule_id: UUID) -> None:
        """Its jobs stay. Raises NotFound."""
        async with self.db.autocommit() as connection:
            if await connection.scalar(_DELETE, {"id": schedule_id, "project_id": project_id}) is None:
                raise _unknown(schedule_id)

    async def trigger(self, project_id: UUID, schedule_id: UUID) -> Job:
        """Submit its job now, beside those of its times, also when it is off.

        Raises:
            NotFound: no such schedule.
            WorkflowUnknown, InputRejected: as of a job that is submitted.
        """
        async with self.db.autocommit() as connection:
            row = await self._row(connection, _GET, project_id, schedule_id)
        job, _ = await self._jobs.accept(await self._submission(row, None))
        return job

    async def fire(self) -> list[str]:
        """Submit a job for every schedule that is due; gives the queues that have new jobs.

        A schedule that was due several times while nobody looked is started once. What cannot be submitted is noted in
        `last_error`, and the schedule goes on. May be called by many at once: no time of a schedule is started twice.
        """
        queues: dict[str, None] = {}
        while True:
            async with self.db.begin() as connection:
                row = (await connection.execute(_DUE)).mappings().first()
                if row is None:
                    return list(queues)
                if (queue := await self._fire(connection, row)) is not None:
                    queues[queue] = None

    async def _fire(self, connection: AsyncConnection, row: RowMapping) -> str | None:
        queue, error = None, None
        try:
            submission = await self._submission(row, row["next_at"])
            async with connection.begin_nested():
                await connection.execute(ACCEPT, _row_of(submission))
            queue = submission.queue
        except Exception as refused:
            if connection_lost(refused):
                raise
            error = None if _has_its_job(refused) else _problem(refused)
        try:
            next_at = _next(dict(row), row["now"])
        except Exception as refused:  # noqa: BLE001 (this machine may not know the time zone; another one may)
            next_at, error = row["now"] + _PUT_OFF, _problem(refused)
        moved = {"id": row["id"], "next_at": next_at, "last_at": row["next_at"], "last_error": error}
        await connection.execute(_MOVE_ON, moved)
        return queue

    async def _submission(self, row: RowMapping, scheduled_for: datetime | None) -> Submission:
        workflow = await self._catalogue.get(row["workflow"])
        await asyncio.to_thread(check_input, workflow, row["input"])
        options = JobOptions.model_validate(row["options"])
        return Submission(
            project_id=row["project_id"],
            workflow=workflow.name,
            version=workflow.version,
            queue=workflow.queue,
            kind=workflow.kind,
            input=row["input"],
            metadata=row["metadata"],
            max_attempts=options.max_attempts or self.attempts,
            priority=options.priority,
            retry=options.retry,
            limits=options.limits,
            budget=options.budget,
            schedule_id=row["id"],
            scheduled_for=scheduled_for,
        )

    async def _check_input(self, workflow: str, value: dict[str, Any]) -> None:
        await asyncio.to_thread(check_input, await self._catalogue.get(workflow), value)

    async def _row(
        self, connection: AsyncConnection, statement: Any, project_id: UUID, schedule_id: UUID
    ) -> RowMapping:
        row = (await connection.execute(statement, {"id": schedule_id, "project_id": project_id})).mappings().first()
        if row is None:
            raise _unknown(schedule_id)
        return row

    async def _write(self, connection: AsyncConnection, statement: Any, values: dict[str, Any]) -> Schedule:
        try:
            return _schedule((await connection.execute(statement, values)).mappings().one())
        except IntegrityError:
            raise Conflict(
                f"there is a schedule named {values['name']!r} already; change that one, or choose another name",
                name=values["name"],
            ) from None


def _unknown(schedule_id: UUID) -> NotFound:
    return NotFound(f"no schedule {str(schedule_id)!r} in this project")


def _check_end(end_at: datetime | None, now: datetime) -> None:
    if end_at is not None and abs((end_at - now).total_seconds()) > LONGEST_SECONDS:
        raise InvalidInput(
            f"end_at {end_at.isoformat()} is more than 366 days away; leave it out, or set it when it is nearer",
            path="/end_at",
        )


def _has_its_job(error: Exception) -> bool:
    """Whether a job was refused because this time of its schedule has one already."""
    return isinstance(error, IntegrityError) and isinstance(error.orig, UniqueViolation)


def _problem(error: Exception) -> dict[str, Any]:
    if isinstance(error, MutiraoError):
        return Problem(code=error.code, message=error.message).model_dump()
    message = str(error)[:_MOST_CHARS].replace("\0", "")
    return Problem(code=MutiraoError.code, message=message, kind=type(error).__name__).model_dump()


def _schedule(row: RowMapping) -> Schedule:
    return Schedule.model_validate({**row, "next_times": _next_times(row)})


def _next_times(row: RowMapping) -> list[datetime]:
    next_at, end_at = row["next_at"], row["end_at"]
    if next_at is None:
        return []
    try:
        times = [next_at, *Cron(row["cron"], row["timezone"]).times(next_at, TIMES_SHOWN - 1)]
    except MutiraoError:  # this machine does not know the time zone
        return [next_at]
    return [time for time in times if end_at is None or time <= end_at]


def _next(fields: Mapping[str, Any], now: datetime) -> datetime | None:
    """When a schedule is due after `now`; None when never."""
    if not fields["enabled"]:
        return None
    found = Cron(fields["cron"], fields["timezone"]).after(now)
    return None if found is None or (fields["end_at"] is not None and found > fields["end_at"]) else found


def _values(new: NewSchedule, now: datetime) -> dict[str, Any]:
    Cron(new.cron, new.timezone)
    fields = new.model_dump(exclude={"options"}) | {"options": new.options.model_dump(exclude_defaults=True)}
    return fields | {"next_at": _next(fields, now)}


def _row_of(submission: Submission) -> dict[str, Any]:
    return values_of(submission) | {"id": new_id(), "project_id": submission.project_id, "thread_id": new_id()}
