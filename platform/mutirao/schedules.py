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
from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.assistants import AssistantStore
from mutirao.catalogue import Catalogue, CataloguedWorkflow, check_input
from mutirao.cron import Cron
from mutirao.db import Database
from mutirao.db.engine import connection_lost
from mutirao.errors import Conflict, InvalidInput, MutiraoError, NotFound, PreconditionFailed
from mutirao.ids import new_id
from mutirao.jobs.accept import ACCEPT, enter, own_thread, run_of, values_of
from mutirao.jobs.options import JobOptions
from mutirao.jobs.records import LONGEST_SECONDS, Job, Problem, RunOptions, Submission
from mutirao.jobs.run_order import accept_in
from mutirao.jobs.runs import RunStore
from mutirao.jobs.sql import statement
from mutirao.jobs.store import JobStore
from mutirao.schedule_records import NewSchedule, Schedule, Search

__all__ = ["NewSchedule", "Schedule", "ScheduleStore", "Search"]

TIMES_SHOWN = 5
DEFAULT_ATTEMPTS = 3
_PUT_OFF = timedelta(hours=1)
_MOST_CHARS = 2_000
_FIRST_YEAR, _LAST_YEAR = 1970, 9990

_SCHEDULE = """id, project_id, name, workflow, input, metadata, options, cron, timezone, enabled, next_at, last_at, end_at,
    last_error, thread_id, assistant_id, run, webhook, on_run_completed, revision, created_at, updated_at"""

_INSERT = statement(
    f"""
INSERT INTO schedules (id, project_id, name, workflow, input, metadata, options, cron, timezone, enabled, next_at, end_at,
    thread_id, assistant_id, run, webhook, on_run_completed)
VALUES (:id, :project_id, :name, :workflow, :input, :metadata, :options, :cron, :timezone, :enabled, :next_at, :end_at,
    :thread_id, :assistant_id, :run, :webhook, :on_run_completed)
RETURNING {_SCHEDULE}""",
    "input",
    "metadata",
    "options",
    nullable=("run",),
)

_UPDATE = statement(
    f"""
UPDATE schedules SET name = :name, workflow = :workflow, input = :input, metadata = :metadata, options = :options,
    cron = :cron, timezone = :timezone, enabled = :enabled, next_at = :next_at, end_at = :end_at, thread_id = :thread_id,
    assistant_id = :assistant_id, run = :run, webhook = :webhook, on_run_completed = :on_run_completed,
    revision = revision + 1, updated_at = now()
WHERE id = :id RETURNING {_SCHEDULE}""",
    "input",
    "metadata",
    "options",
    nullable=("run",),
)

_GET = text(f"SELECT {_SCHEDULE} FROM schedules WHERE id = :id AND project_id = :project_id")
# Not `FOR UPDATE`: jobs refer to the row, and inserting one must not wait for this.
_LOCK = text(f"SELECT {_SCHEDULE} FROM schedules WHERE id = :id AND project_id = :project_id FOR NO KEY UPDATE")

_PAGE = text(f"""
SELECT {_SCHEDULE} FROM schedules
WHERE project_id = :project_id AND (CAST(:before AS uuid) IS NULL OR id < :before)
ORDER BY id DESC LIMIT :limit""")

# A schedule that names no assistant runs that of its workflow.
_MATCHING = """
WHERE project_id = :project_id AND metadata @> :metadata
    AND (CAST(:assistant AS uuid) IS NULL OR assistant_id = :assistant OR assistant_id IS NULL AND workflow = :workflow)
    AND (CAST(:thread AS uuid) IS NULL OR thread_id = :thread)
    AND (CAST(:enabled AS boolean) IS NULL OR enabled = :enabled)"""
_COUNT = statement(f"SELECT count(*) FROM schedules {_MATCHING}", "metadata")

_DELETE = text("DELETE FROM schedules WHERE id = :id AND project_id = :project_id RETURNING id")

# Served by ix_schedules_next_at.
_DUE = text(f"""
SELECT {_SCHEDULE}, now() AS now FROM schedules
WHERE enabled AND next_at <= now() ORDER BY next_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED""")

_MOVE_ON = text("""
UPDATE schedules SET next_at = :next_at, last_at = :last_at, last_error = :last_error WHERE id = :id""").bindparams(
    bindparam("last_error", type_=JSONB(none_as_null=True))
)


class ScheduleStore:
    """Every verb on schedules. One of another project answers exactly like an unknown one.

    `attempts` is what a job gets whose schedule does not say.
    """

    def __init__(self, db: Database, *, attempts: int = DEFAULT_ATTEMPTS) -> None:
        self.db = db
        self.attempts = attempts
        self._catalogue = Catalogue(db)
        self._assistants = AssistantStore(db, self._catalogue)
        self._jobs = JobStore(db)
        self._runs = RunStore(db)

    async def add(self, project_id: UUID, new: NewSchedule, schedule_id: UUID | None = None) -> Schedule:
        """Keep a schedule, under a new id unless one is given.

        Raises:
            InvalidInput: cron expression or time zone are none, `end_at` is out of reach, or the input does not fit.
            WorkflowUnknown: there is no such workflow.
            NotFound: there is no such thread in this project.
            Conflict: the project has a schedule of that name.
        """
        await self._check_input(new.workflow, new.input, new.run)
        now = await self.db.now()
        _check_end(new.end_at, now, new.run)
        values = _values(new, now)
        async with self.db.begin() as connection:
            if new.thread_id is not None:
                await own_thread(connection, project_id, new.thread_id)
            return await self._write(
                connection, _INSERT, values | {"id": schedule_id or new_id(), "project_id": project_id}
            )

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

    async def change(
        self, project_id: UUID, schedule_id: UUID, changes: Mapping[str, Any], *, expected: int | None = None
    ) -> Schedule:
        """Change fields of `NewSchedule`. What was missed while it was off is not made up for.

        Raises what `add` raises, NotFound, and PreconditionFailed when it is not at the revision `expected`.
        """
        # All that needs a connection of its own comes before the transaction: callers that each hold one and wait for
        # another would wait for each other.
        now = await self.db.now()
        found = await self.get(project_id, schedule_id)
        if "input" in changes:
            await self._check_input(found.workflow, changes["input"], found.run)
        _check_end(changes.get("end_at"), now, found.run)
        async with self.db.begin() as connection:
            row = dict(await self._row(connection, _LOCK, project_id, schedule_id))
            if expected is not None and row["revision"] != expected:
                raise PreconditionFailed(f"schedule {row['name']!r} is at revision {row['revision']}, not {expected}")
            if changes.get("thread_id") is not None:
                await own_thread(connection, project_id, changes["thread_id"])
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
        submission = await self._submission(row, None)
        if submission.run is not None:
            return await self._runs.accept(submission)
        return (await self._jobs.accept(submission))[0]

    async def search(self, project_id: UUID, search: Search) -> list[Schedule]:
        """At most `search.limit` schedules, in its order."""
        order = "DESC NULLS LAST" if search.descending else "ASC NULLS FIRST"
        found = statement(
            f"""SELECT {_SCHEDULE} FROM schedules {_MATCHING}
            ORDER BY {search.sort_by} {order}, id {order} LIMIT :limit OFFSET :offset""",
            "metadata",
        )
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(found, _filters(project_id, search))).mappings().all()
        return await asyncio.to_thread(lambda: [_schedule(row) for row in rows])

    async def count(self, project_id: UUID, search: Search) -> int:
        """How many schedules match, whatever limit and offset."""
        async with self.db.autocommit() as connection:
            return int(await connection.scalar(_COUNT, _filters(project_id, search)) or 0)

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
                if submission.run is not None:
                    await accept_in(connection, submission)
                else:
                    await connection.execute(ACCEPT, await _row_of(connection, submission))
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
        name, run = row["workflow"], RunOptions.model_validate(row["run"]) if row["run"] is not None else None
        delay = float(run.kwargs.get("after_seconds") or 0) if run is not None else 0.0
        if run is not None:
            assistant = await self._assistants.resolve(row["project_id"], row["assistant_id"] or name)
            config, context = assistant.merged(run.config, run.context)
            name, run = assistant.workflow, _of_job(run, config, context)
        workflow = await self._catalogue.get(name)
        await self._check_input(workflow, row["input"], run)
        options = JobOptions.model_validate(row["options"])
        return Submission(
            project_id=row["project_id"],
            workflow=workflow.name,
            version=workflow.version,
            queue=workflow.queue,
            kind=workflow.kind,
            input=row["input"],
            metadata=row["metadata"],
            thread_id=row["thread_id"],
            assistant_id=row["assistant_id"],
            run=run,
            webhook=row["webhook"],
            created_by=f"schedule:{row['id']}",
            ephemeral=row["thread_id"] is None and row["on_run_completed"] == "delete",
            max_attempts=options.max_attempts or self.attempts,
            priority=options.priority,
            retry=options.retry,
            limits=options.limits,
            budget=options.budget,
            schedule_id=row["id"],
            scheduled_for=scheduled_for,
            delay_seconds=delay,
        )

    async def _check_input(self, workflow: str | CataloguedWorkflow, value: Any, run: RunOptions | None) -> None:
        """The input of a run of the LangGraph protocol is its graph's own business, as that of other runs."""
        found = await self._catalogue.get(workflow) if isinstance(workflow, str) else workflow
        if run is None:
            await asyncio.to_thread(check_input, found, value)

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


def _of_job(run: RunOptions, config: dict[str, Any], context: dict[str, Any]) -> RunOptions:
    return run.model_copy(update={"config": config, "context": context or None, "kwargs": {}})


def _filters(project_id: UUID, search: Search) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "metadata": dict(search.metadata or {}),
        "assistant": search.assistant_id,
        "workflow": search.workflow,
        "thread": search.thread_id,
        "enabled": search.enabled,
        "limit": search.limit,
        "offset": search.offset,
    }


def _check_end(end_at: datetime | None, now: datetime, run: RunOptions | None) -> None:
    if end_at is not None and run is not None:
        if not _FIRST_YEAR <= end_at.year <= _LAST_YEAR:
            raise InvalidInput(f"the end {end_at.isoformat()} is out of reach; leave it out", path="/end_time")
        return
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
    fields = {name: getattr(new, name) for name in NewSchedule.model_fields}
    fields["options"] = new.options.model_dump(exclude_defaults=True)
    fields["run"] = run_of(new.run) if new.run is not None else None
    return fields | {"next_at": _next(fields, now)}


async def _row_of(connection: AsyncConnection, submission: Submission) -> dict[str, Any]:
    if submission.thread_id is None:
        job_id, thread_id = new_id(), new_id()
    else:
        job_id, thread_id = await enter(connection, submission.project_id, submission.thread_id), submission.thread_id
    return values_of(submission) | {"id": job_id, "project_id": submission.project_id, "thread_id": thread_id}
