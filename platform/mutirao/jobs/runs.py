"""Jobs as runs of the LangGraph protocol: what a submission does to the other jobs of its thread, and how runs end.

Locks are taken in this order: the thread's row, then jobs by id. So does an attempt that ends; what it leaves in the thread
is there before a run comes that begins from it, and never when it was to be rolled back.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.db import Database
from mutirao.errors import Conflict, NotFound
from mutirao.faults import fault
from mutirao.ids import new_id
from mutirao.jobs import accept, changes
from mutirao.jobs.channels import EVENTS_CHANNEL, THREAD
from mutirao.jobs.records import Job, Record, Submission
from mutirao.jobs.sql import JOB, MOVED, TELL, note, statement
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

# Served by ix_jobs_thread_id or ix_jobs_project_id_id.
_PAGE = text(f"""
SELECT {JOB} FROM jobs
WHERE {_MINE} AND (CAST(:status AS text) IS NULL OR {_STATUS_SQL} = :status)
  AND (CAST(:workflow AS text) IS NULL OR workflow = :workflow)
  AND (CAST(:assistant_id AS uuid) IS NULL OR assistant_id = :assistant_id)
  AND (CAST(:metadata AS jsonb) IS NULL OR metadata @> :metadata)
ORDER BY id DESC LIMIT :limit OFFSET :offset""").bindparams(bindparam("metadata", type_=JSONB(none_as_null=True)))

_FOLLOWING = text("""
SELECT id FROM jobs WHERE thread_id = :thread_id AND project_id = :project_id
  AND (id > :after OR CAST(:after AS uuid) IS NULL AND finished_at IS NULL AND (state <> 'paused' OR waiting_for = 'request'))
ORDER BY id LIMIT 1""")

_ACTIVE_IN_PROJECT = text(f"""
SELECT id FROM jobs WHERE project_id = :project_id AND finished_at IS NULL AND parent_id IS NULL
  AND {_STATUS_SQL} = ANY(:statuses) ORDER BY id""")

_ACTIVE_OF_THREAD = text(f"""
SELECT id FROM jobs WHERE project_id = :project_id AND thread_id = :thread_id AND id = ANY(:ids) AND finished_at IS NULL
  AND {_STATUS_SQL} IN ('pending', 'running') ORDER BY id""")

_THREAD = text("SELECT project_id FROM threads WHERE id = :id FOR NO KEY UPDATE")
_THREADS_OF = text("""
SELECT 1 FROM threads WHERE id IN (SELECT thread_id FROM jobs WHERE id = ANY(:ids)) ORDER BY id FOR NO KEY UPDATE""")
# For a thread that may not be there yet: who makes it comes first, who finds it second.
_NEW_THREAD = text("SELECT pg_advisory_xact_lock(hashtextextended('mutirao thread ' || CAST(:id AS text), 0))")

# Locked, so that one that is just coming to rest is seen at rest or later finds the new job.
_UNFINISHED = text("""
SELECT id, state, waiting_for FROM jobs WHERE thread_id = :thread_id AND finished_at IS NULL
ORDER BY id FOR NO KEY UPDATE""")

_TOUCH = statement(
    f"""
UPDATE threads SET workflow = :workflow, assistant_id = :assistant_id, config = :config, updated_at = now(),
    metadata = metadata || :metadata,
    expires_at = CASE WHEN ttl_minutes IS NULL THEN expires_at ELSE now() + make_interval(secs => ttl_minutes * 60) END
WHERE id = :thread_id AND project_id = :project_id
RETURNING pg_notify('{EVENTS_CHANNEL}', '{THREAD}' || id) IS NULL AS told""",
    "config",
    "metadata",
)

_ROLL_BACK = text("UPDATE jobs SET rolled_back = true WHERE id = ANY(:ids) AND finished_at IS NULL")

_DELETE = text(f"DELETE FROM jobs WHERE id = :id AND {_MINE} AND finished_at IS NOT NULL RETURNING id")

_QUESTIONS = text("SELECT id, interrupt_id FROM approvals WHERE job_id = ANY(:ids) AND state = 'pending' ORDER BY id")

_ANSWER = statement(
    """
UPDATE approvals SET state = 'decided', decision = :decision, decided_by = :by, decided_at = now()
WHERE id = :id AND state = 'pending'""",
    "decision",
)

_SUPERSEDE = statement(f"""
WITH job AS (
    UPDATE jobs j SET state = 'succeeded', waiting_for = NULL, pause_requested_at = NULL, finished_at = now(),
        last_seq = last_seq + 1
    WHERE j.id = ANY(:ids) AND j.state = 'paused' AND j.waiting_for = 'approval' RETURNING {MOVED}
), withdrawn AS (
    UPDATE approvals a SET state = 'withdrawn' FROM job WHERE a.job_id = job.id AND a.state = 'pending'
), note AS ({note("'job.succeeded'", "jsonb_build_object('superseded_by', CAST(:by AS text))")})
SELECT {TELL} FROM job""")

# A job that has just been paused for an approval, and the next run of its thread that waits behind it.
_BEHIND = """SELECT o.id FROM jobs o WHERE o.thread_id = j.thread_id AND o.id > j.id AND o.finished_at IS NULL
    AND o.run IS NOT NULL ORDER BY o.id LIMIT 1"""
_MAKE_WAY = text(f"SELECT ({_BEHIND}) AS next FROM jobs j WHERE j.id = :id")
_IN_THE_WAY = text(f"""
SELECT j.id, n.id AS next FROM jobs j CROSS JOIN LATERAL ({_BEHIND}) n
WHERE j.state = 'paused' AND j.waiting_for = 'approval' FOR NO KEY UPDATE OF j SKIP LOCKED""")


class ThreadBusy(Conflict):
    """Raised when a thread has an active run and the new one was to be rejected then."""

    code = "thread_busy"


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
        """
        if submission.thread_id is None and submission.ephemeral:
            row = _row(submission, new_id())
            async with self.db.autocommit() as connection:
                job = await _insert(connection, row)
            fault("accept.after_commit")
            return job
        async with self.db.begin() as connection:
            job = await accept_in(connection, submission, create_thread=create_thread)
        fault("accept.after_commit")
        return job

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

    async def following(self, project_id: UUID, thread_id: UUID, after: UUID | None) -> UUID | None:
        """The thread's next run after that one; after none: its first active one. None: there is none yet."""
        values = {"project_id": project_id, "thread_id": thread_id, "after": after}
        async with self.db.autocommit() as connection:
            found: UUID | None = await connection.scalar(_FOLLOWING, values)
        return found

    async def cancel(
        self, project_id: UUID, run_id: UUID, thread_id: UUID | None = None, *, rollback: bool = False
    ) -> Job:
        """Ask for the end of an active run; with `rollback` nothing is left of it, and its row goes when it has ended.

        Raises:
            NotFound: no such run, or it is not active any more.
        """
        job = await self.get(project_id, run_id, thread_id)
        if status_of(job).active:
            async with self.db.begin() as connection:
                await connection.scalar(_THREAD, {"id": job.thread_id})
                await changes.lock(connection, project_id, run_id)
                ended = not await _end(connection, [run_id], rollback=rollback)
            if not ended:
                return job
        raise NotFound(f"run {str(run_id)!r} is not active any more: {status_of(job).value}")

    async def cancel_some(
        self, project_id: UUID, thread_id: UUID, run_ids: Sequence[UUID], *, rollback: bool = False
    ) -> int:
        """Ask for the end of those of these runs of a thread that are active; returns how many were."""
        values = {"project_id": project_id, "thread_id": thread_id, "ids": list(run_ids)}
        async with self.db.begin() as connection:
            await connection.scalar(_THREAD, {"id": thread_id})
            ids = list((await connection.scalars(_ACTIVE_OF_THREAD, values)).all())
            if ids:
                await _end(connection, ids, rollback=rollback)
        return len(ids)

    async def cancel_all(self, project_id: UUID, statuses: Sequence[RunStatus], *, rollback: bool = False) -> int:
        """Ask for the end of the project's runs in these statuses; returns how many."""
        values = {"project_id": project_id, "statuses": [status.value for status in statuses]}
        async with self.db.begin() as connection:
            ids = list((await connection.scalars(_ACTIVE_IN_PROJECT, values)).all())
            if ids:
                await connection.execute(_THREADS_OF, {"ids": ids})
                await _end(connection, ids, rollback=rollback)
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
                await changes.cancel_trees(connection, [run_id])
            return await connection.scalar(_DELETE, values) is not None

    async def _row(self, sql: Any, project_id: UUID, run_id: UUID, thread_id: UUID | None) -> RowMapping:
        values = {"id": run_id, "project_id": project_id, "thread_id": thread_id}
        async with self.db.autocommit() as connection:
            row = (await connection.execute(sql, values)).mappings().first()
        if row is None:
            raise NotFound(f"no run {str(run_id)!r}" + (f" in thread {str(thread_id)!r}" if thread_id else ""))
        return row


async def accept_in(connection: AsyncConnection, submission: Submission, *, create_thread: bool = False) -> Job:
    """See `RunStore.accept`; in the caller's transaction."""
    row = _row(submission, submission.thread_id or new_id())
    if submission.thread_id is not None:
        await _enter(connection, submission, row["id"], create_thread=create_thread)
    job = await _insert(connection, row)
    await _touch(connection, submission, job)
    return job


async def make_way(connection: AsyncConnection, job_id: UUID) -> None:
    """A job has just been paused for an approval, in this transaction: when a later run of its thread waits behind it,
    it has succeeded with that, as if the run had been submitted a moment later."""
    next_id = await connection.scalar(_MAKE_WAY, {"id": job_id})
    if next_id is not None:
        await connection.execute(_SUPERSEDE, {"ids": [job_id], "by": str(next_id)})


async def clear_ways(db: Database) -> None:
    """The same for all that are in the way of a run, whatever has kept `make_way` from them."""
    async with db.begin() as connection:
        for row in (await connection.execute(_IN_THE_WAY)).all():
            await connection.execute(_SUPERSEDE, {"ids": [row.id], "by": str(row.next)})


def _row(submission: Submission, thread_id: UUID) -> dict[str, Any]:
    return accept.values_of(submission) | {
        "id": new_id(),
        "project_id": submission.project_id,
        "thread_id": thread_id,
    }


async def _insert(connection: AsyncConnection, row: dict[str, Any]) -> Job:
    fault("accept.before_commit")
    job = (await connection.execute(accept.ACCEPT, row)).mappings().one()
    return Job.model_validate(dict(job))


async def _enter(connection: AsyncConnection, submission: Submission, job_id: UUID, *, create_thread: bool) -> None:
    """Make sure of the thread, and do to its jobs what the strategy says."""
    thread_id = submission.thread_id
    if create_thread:
        await connection.execute(_NEW_THREAD, {"id": thread_id})
    owner = await connection.scalar(_THREAD, {"id": thread_id})
    if owner is None and create_thread:
        return
    if owner != submission.project_id:
        raise NotFound(f"no thread {str(thread_id)!r} in this project")
    rows = (await connection.execute(_UNFINISHED, {"thread_id": thread_id})).all()
    held = [row.id for row in rows if row.state == JobState.PAUSED and row.waiting_for == "approval"]
    active = [row.id for row in rows if row.id not in held]
    run = submission.run
    strategy = run.multitask_strategy if run else "enqueue"
    if active and strategy == "reject":
        raise ThreadBusy(
            f"thread {str(thread_id)!r} has an active run {str(active[0])!r}; wait for its end, or choose another "
            "multitask_strategy"
        )
    if active and strategy in ("interrupt", "rollback"):
        await _end(connection, active, rollback=strategy == "rollback")
    if held:
        resume = run.command.get("resume") if run and run.command else None
        await _answer(connection, held, resume, submission.created_by)
        await connection.execute(_SUPERSEDE, {"ids": held, "by": str(job_id)})


async def _answer(connection: AsyncConnection, held: Sequence[UUID], resume: Any, by: str | None) -> None:
    """Decide the pending approvals of these jobs by what a run resumes with: one answer for all, or one for each id."""
    if resume is None:
        return
    questions = (await connection.execute(_QUESTIONS, {"ids": list(held)})).all()
    by_id = isinstance(resume, dict) and any(question.interrupt_id in resume for question in questions)
    for question in questions:
        if not by_id or question.interrupt_id in resume:
            decision = resume[question.interrupt_id] if by_id else resume
            await connection.execute(_ANSWER, {"id": question.id, "decision": decision, "by": by})


async def _end(connection: AsyncConnection, ids: Sequence[UUID], *, rollback: bool) -> int:
    if rollback:
        await connection.execute(_ROLL_BACK, {"ids": list(ids)})
    return await changes.cancel_trees(connection, ids)


async def _touch(connection: AsyncConnection, submission: Submission, job: Job) -> None:
    values = {
        "thread_id": job.thread_id,
        "project_id": submission.project_id,
        "workflow": submission.workflow,
        "assistant_id": submission.assistant_id,
        "config": submission.run.config if submission.run else {},
        "metadata": {"graph_id": submission.workflow, "assistant_id": str(submission.assistant_id)},
    }
    if (await connection.execute(_TOUCH, values)).first() is None:
        # It is there, of another project: who may not see it has taken it for a new one.
        raise NotFound(f"no thread {str(job.thread_id)!r} in this project")
