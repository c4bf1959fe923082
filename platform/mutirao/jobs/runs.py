"""Jobs as runs of the LangGraph protocol: what they are called there, how they are found, and how they end.

Locks are taken as in `mutirao.jobs.run_order`: the thread's row, then jobs by id.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from mutirao.db import Database
from mutirao.errors import NotFound
from mutirao.faults import fault
from mutirao.ids import new_id
from mutirao.jobs import accept, changes
from mutirao.jobs.records import Job, Record, Submission
from mutirao.jobs.run_order import accept_in, asks_in, end, row_of, touched
from mutirao.jobs.sql import JOB, not_yet, turn
from mutirao.jobs.states import JobState


class RunStatus(StrEnum):
    """Where a job is, in the words of the LangGraph protocol."""

    PENDING = "pending"  # waits for a worker, its time, its version, or to be resumed
    RUNNING = "running"  # a worker holds it, or its children run
    SUCCESS = "success"  # it came to an end, or to a question to people
    ERROR = "error"
    TIMEOUT = "timeout"  # a time limit ended it
    INTERRUPTED = "interrupted"  # somebody asked for the end

    @property
    def active(self) -> bool:
        """Whether it is yet to come to rest."""
        return self in (RunStatus.PENDING, RunStatus.RUNNING)


_TIMEOUTS = ("deadline_exceeded", "time_limit_exceeded")
_STATUS = {
    JobState.QUEUED: RunStatus.PENDING,
    JobState.STRANDED: RunStatus.PENDING,
    JobState.WAITING: RunStatus.RUNNING,
    JobState.RUNNING: RunStatus.RUNNING,
    JobState.SUCCEEDED: RunStatus.SUCCESS,
    JobState.CANCELLED: RunStatus.INTERRUPTED,
}
# The same as `status_of`, for filters.
_STATUS_SQL = f"""CASE
    WHEN state IN ('queued', 'stranded') OR state = 'paused' AND waiting_for IS DISTINCT FROM 'approval' THEN 'pending'
    WHEN state IN ('running', 'waiting') THEN 'running'
    WHEN state IN ('succeeded', 'paused') THEN 'success'
    WHEN state = 'cancelled' THEN 'interrupted'
    WHEN error ->> 'code' IN {_TIMEOUTS} THEN 'timeout' ELSE 'error' END"""


def status_of(job: Job) -> RunStatus:
    """A job's status as a run."""
    if job.state is JobState.PAUSED:
        return RunStatus.SUCCESS if job.waiting_for == "approval" else RunStatus.PENDING
    if job.state in _STATUS:
        return _STATUS[job.state]
    return RunStatus.TIMEOUT if job.error is not None and job.error.code in _TIMEOUTS else RunStatus.ERROR


class Outcome(Record):
    """A run as whoever waits for it finds it, with the state of its thread."""

    job: Job
    thread_values: Any = None
    interrupts: dict[str, Any] = Field(default_factory=dict, description='`{task id: [{"id", "value"}]}`')


# A run that somebody asked to roll back is not there any more once it has ended, whenever its row is deleted.
_THERE = "NOT (rolled_back AND finished_at IS NOT NULL)"
_MINE = f"project_id = :project_id AND (CAST(:thread_id AS uuid) IS NULL OR thread_id = :thread_id) AND {_THERE}"

_GET = text(f"SELECT {JOB} FROM jobs WHERE id = :id AND {_MINE}")

_OUTCOME = text(f"""
SELECT {JOB}, (SELECT t."values" FROM threads t WHERE t.id = thread_id) AS thread_values,
    (SELECT t.interrupts FROM threads t WHERE t.id = thread_id) AS interrupts
FROM jobs WHERE id = :id AND {_MINE}""")

# Served by ix_jobs_thread_id or ix_jobs_listed.
_PAGE = text(f"""
SELECT {JOB} FROM jobs
WHERE {_MINE} AND (CAST(:status AS text) IS NULL OR {_STATUS_SQL} = :status)
  AND (CAST(:workflow AS text) IS NULL OR workflow = :workflow)
  AND (CAST(:assistant_id AS uuid) IS NULL OR assistant_id = :assistant_id)
  AND (CAST(:metadata AS jsonb) IS NULL OR metadata @> :metadata)
ORDER BY id DESC LIMIT :limit OFFSET :offset""").bindparams(bindparam("metadata", type_=JSONB(none_as_null=True)))

# Runs of a thread in the order in which they have begun, or have ended without; then what waits, in its turn.
_FOLLOWING = text(f"""
SELECT j.id, j.began IS NOT NULL AS begun FROM (
    SELECT j.*, coalesce(j.started_at, j.finished_at) AS began FROM jobs j
    WHERE j.thread_id = :thread_id AND j.project_id = :project_id AND NOT {not_yet("j")}
) j LEFT JOIN LATERAL (
    SELECT coalesce(a.started_at, a.finished_at) AS began FROM jobs a WHERE a.id = :after AND a.thread_id = :thread_id
) a ON true
WHERE CASE WHEN CAST(:after AS uuid) IS NULL
        THEN j.finished_at IS NULL AND (j.state <> 'paused' OR j.waiting_for = 'request')
    WHEN a.began IS NULL THEN j.id > :after
    ELSE (coalesce(j.began, 'infinity'), j.id) > (a.began, :after) END
ORDER BY j.began NULLS LAST, {turn("j")} LIMIT 1""")

_LAST = text(f"""
SELECT {JOB} FROM jobs WHERE thread_id = :thread_id AND project_id = :project_id AND {_THERE}
  AND coalesce(started_at, finished_at) IS NOT NULL
ORDER BY coalesce(started_at, finished_at) DESC, id DESC LIMIT 1""")

_ACTIVE_IN_PROJECT = text(f"""
SELECT id FROM jobs WHERE project_id = :project_id AND finished_at IS NULL AND parent_id IS NULL
  AND {_STATUS_SQL} = ANY(:statuses) ORDER BY id""")
_STILL_ACTIVE = text(f"""
SELECT id FROM jobs WHERE id = ANY(:ids) AND project_id = :project_id AND finished_at IS NULL
  AND {_STATUS_SQL} = ANY(:statuses) ORDER BY id FOR NO KEY UPDATE""")

_ACTIVE_OF_THREAD = text(f"""
SELECT id FROM jobs WHERE project_id = :project_id AND thread_id = :thread_id AND id = ANY(:ids) AND finished_at IS NULL
  AND {_STATUS_SQL} IN ('pending', 'running') ORDER BY id FOR NO KEY UPDATE""")

_THREADS_OF = text("""
SELECT 1 FROM threads WHERE id IN (SELECT thread_id FROM jobs WHERE id = ANY(:ids)) ORDER BY id FOR NO KEY UPDATE""")

_DELETE = text(f"DELETE FROM jobs WHERE id = :id AND {_MINE} AND finished_at IS NOT NULL RETURNING id")


class RunStore:
    """Every verb on runs. One of another project answers exactly like an unknown one."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def accept(self, submission: Submission, *, create_thread: bool = False) -> Job:
        """Commit a run: in its thread, by the multitask strategy of its options, or in a thread of its own.

        Jobs of the thread that wait for an approval have succeeded with that: this one goes on from where they stand, or
        begins anew; when it brings the answer (`command.resume`), their approvals are decided by it.

        Raises:
            NotFound: no such thread in this project, and none is to be made.
            ThreadBusy: the thread has an active run and the strategy is `reject`.
            AlreadyDecided: it answers a question whose time to decide has passed.
        """
        if submission.thread_id is None and submission.ephemeral:
            # Without a thread that others may use, one statement is the whole transaction.
            async with self.db.autocommit() as connection:
                job = await accept_in(connection, submission)
            fault("accept.after_commit")
            return job
        # What a command does depends on what the thread asks.
        plain = submission.thread_id is not None and not (submission.run and submission.run.command)
        if plain and (alone := await self._accept_alone(submission)) is not None:
            fault("accept.after_commit")
            return alone
        async with self.db.begin() as connection:
            job = await accept_in(connection, submission, create_thread=create_thread)
        fault("accept.after_commit")
        return job

    async def accept_all(self, submissions: Sequence[Submission]) -> list[Job]:
        """`accept` for runs that each have a thread of their own: all of them, or none."""
        async with self.db.begin() as connection:
            jobs = [await accept_in(connection, submission) for submission in submissions]
        fault("accept.after_commit")
        return jobs

    async def _accept_alone(self, submission: Submission) -> Job | None:
        """The same in one statement, where the thread is there and nothing in it is unfinished."""
        assert submission.thread_id is not None
        row = row_of(submission, new_id(), submission.thread_id) | touched(submission)
        fault("accept.before_commit")
        async with self.db.autocommit() as connection:
            found = (await connection.execute(accept.ACCEPT_ALONE, row)).mappings().first()
        return accept.job_of(found) if found is not None else None

    async def get(self, project_id: UUID, run_id: UUID, thread_id: UUID | None = None) -> Job:
        """Raises NotFound, also when the run is not of that thread."""
        row = await self._row(_GET, project_id, run_id, thread_id)
        return Job.model_validate(dict(row))

    async def outcome(self, project_id: UUID, run_id: UUID, thread_id: UUID | None = None) -> Outcome:
        """The run with what its thread holds now. Raises NotFound."""
        row = dict(await self._row(_OUTCOME, project_id, run_id, thread_id))
        values, interrupts = row.pop("thread_values"), row.pop("interrupts")
        return Outcome(job=Job.model_validate(row), thread_values=values, interrupts=interrupts or {})

    async def page(
        self,
        project_id: UUID,
        thread_id: UUID | None = None,
        *,
        status: RunStatus | None = None,
        workflow: str | None = None,
        assistant_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> list[Job]:
        """At most `limit` runs, newest first. Raises NotFound when a thread is given that is not of this project."""
        values = {
            "project_id": project_id,
            "thread_id": thread_id,
            "status": status.value if status else None,
            "workflow": workflow,
            "assistant_id": assistant_id,
            "metadata": metadata,
            "limit": limit,
            "offset": offset,
        }
        async with self.db.autocommit() as connection:
            if thread_id is not None:
                await accept.own_thread(connection, project_id, thread_id)
            rows = (await connection.execute(_PAGE, values)).mappings().all()
        return [Job.model_validate(dict(row)) for row in rows]

    async def following(self, project_id: UUID, thread_id: UUID, after: UUID | None) -> tuple[UUID, bool] | None:
        """The thread's next run after that one, and whether it has begun; after none: its first active one.

        Runs follow one another as they have begun. While the next one has not, another may still come before it. None:
        there is none yet, or none but what is to begin later.
        """
        values = {"project_id": project_id, "thread_id": thread_id, "after": after}
        async with self.db.autocommit() as connection:
            found = (await connection.execute(_FOLLOWING, values)).first()
        return (found.id, found.begun) if found is not None else None

    async def last(self, project_id: UUID, thread_id: UUID) -> Job | None:
        """The thread's run that has begun last; None: none has."""
        async with self.db.autocommit() as connection:
            values = {"project_id": project_id, "thread_id": thread_id}
            row = (await connection.execute(_LAST, values)).mappings().first()
        return Job.model_validate(dict(row)) if row is not None else None

    async def asks(self, thread_id: UUID) -> bool:
        """Whether the thread waits for a decision of people."""
        async with self.db.autocommit() as connection:
            return await asks_in(connection, thread_id)

    async def cancel(
        self,
        project_id: UUID,
        run_id: UUID,
        thread_id: UUID | None = None,
        *,
        rollback: bool = False,
        by: str | None = None,
    ) -> Job:
        """Ask for the end of an active run; with `rollback` nothing is left of it, and its row goes when it has ended.

        Raises:
            NotFound: no such run, or it is not active any more.
        """
        job = await self.get(project_id, run_id, thread_id)
        if status_of(job).active:
            values = {"project_id": project_id, "thread_id": job.thread_id, "ids": [run_id]}
            async with self.db.begin() as connection:
                await accept.lock_thread(connection, job.thread_id)
                active = (await connection.scalars(_ACTIVE_OF_THREAD, values)).all()
                if active:
                    await end(connection, active, rollback=rollback, by=by)
                    return job
            job = await self.get(project_id, run_id, thread_id)  # it has come to rest before it was locked
        raise NotFound(f"run {str(run_id)!r} is not active any more: {status_of(job).value}")

    async def cancel_some(
        self,
        project_id: UUID,
        thread_id: UUID,
        run_ids: Sequence[UUID],
        *,
        rollback: bool = False,
        by: str | None = None,
    ) -> int:
        """Ask for the end of those of these runs of a thread that are active; returns how many were."""
        values = {"project_id": project_id, "thread_id": thread_id, "ids": list(run_ids)}
        async with self.db.begin() as connection:
            await accept.lock_thread(connection, thread_id)
            ids = list((await connection.scalars(_ACTIVE_OF_THREAD, values)).all())
            if ids:
                await end(connection, ids, rollback=rollback, by=by)
        return len(ids)

    async def cancel_all(
        self, project_id: UUID, statuses: Sequence[RunStatus], *, rollback: bool = False, by: str | None = None
    ) -> int:
        """Ask for the end of the project's runs in these statuses; returns how many."""
        values = {"project_id": project_id, "statuses": [status.value for status in statuses]}
        async with self.db.begin() as connection:
            found = (await connection.scalars(_ACTIVE_IN_PROJECT, values)).all()
            await connection.execute(_THREADS_OF, {"ids": list(found)})
            # Again, now that none of their threads changes: some may have come to rest meanwhile.
            ids = list((await connection.scalars(_STILL_ACTIVE, values | {"ids": list(found)})).all())
            if ids:
                await end(connection, ids, rollback=rollback, by=by)
        return len(ids)

    async def delete(self, project_id: UUID, run_id: UUID, thread_id: UUID | None = None) -> bool:
        """Delete a run that has ended, with its journal; its thread keeps its state. False: it has not ended.

        Raises:
            NotFound: no such run.
        """
        job = await self.get(project_id, run_id, thread_id)
        values = {"id": run_id, "project_id": project_id, "thread_id": thread_id, "ids": [run_id], "by": None}
        async with self.db.begin() as connection:
            if job.state is JobState.PAUSED and not status_of(job).active:
                await changes.cancel_trees(connection, [run_id], by=None)
            return await connection.scalar(_DELETE, values) is not None

    async def _row(self, sql: Any, project_id: UUID, run_id: UUID, thread_id: UUID | None) -> RowMapping:
        values = {"id": run_id, "project_id": project_id, "thread_id": thread_id}
        async with self.db.autocommit() as connection:
            row = (await connection.execute(sql, values)).mappings().first()
        if row is None:
            raise NotFound(f"no run {str(run_id)!r}" + (f" in thread {str(thread_id)!r}" if thread_id else ""))
        return row
