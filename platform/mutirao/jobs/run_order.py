"""The order of a thread's jobs: what a new run does to those before it, and what one that asks people leaves to those behind.

Locks are taken in this order: the thread's row, then jobs by id. So does an attempt that ends; what it leaves in the thread
is there before a run comes that begins from it, and never when it was to be rolled back.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.callers import without_caller
from mutirao.db import Database
from mutirao.errors import Conflict, Forbidden, NotFound
from mutirao.faults import fault
from mutirao.ids import new_id
from mutirao.jobs import accept, changes
from mutirao.jobs.approvals import settle
from mutirao.jobs.channels import EVENTS_CHANNEL, THREAD
from mutirao.jobs.records import Job, Submission
from mutirao.jobs.sql import MOVED, TELL, not_yet, note, statement, turn
from mutirao.jobs.states import JobState

# For a thread that may not be there yet: who makes it comes first, who finds it second.
_NEW_THREAD = text("SELECT pg_advisory_xact_lock(hashtextextended('mutirao thread ' || CAST(:id AS text), 0))")

# Locked, so that one that is just coming to rest is seen at rest or later finds the new job.
_UNFINISHED = text("""
SELECT id, state, waiting_for FROM jobs WHERE thread_id = :thread_id AND finished_at IS NULL
ORDER BY id FOR NO KEY UPDATE""")

_TOUCH = statement(
    f"""
UPDATE threads t SET {accept.TOUCHED}
WHERE t.id = :thread_id AND t.project_id = :project_id
RETURNING pg_notify('{EVENTS_CHANNEL}', '{THREAD}' || t.id) IS NULL AS told""",
    "config",
    "thread_metadata",
)

# Breakpoints are no questions.
_ASKS = text("""
SELECT EXISTS (SELECT 1 FROM approvals a JOIN jobs j ON j.id = a.job_id
        WHERE j.thread_id = :thread_id AND a.state = 'pending')
    OR EXISTS (SELECT 1 FROM threads t, jsonb_each(t.interrupts) AS task(id, asked),
            jsonb_array_elements(CASE jsonb_typeof(task.asked) WHEN 'array' THEN task.asked ELSE '[]' END) AS one
        WHERE t.id = :thread_id AND coalesce(one ->> 'id', '') NOT LIKE 'breakpoint:%')""")

_ROLL_BACK = text("UPDATE jobs SET rolled_back = true WHERE id = ANY(:ids) AND finished_at IS NULL")

_QUESTIONS = text("SELECT id, interrupt_id FROM approvals WHERE job_id = ANY(:ids) AND state = 'pending' ORDER BY id")

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
_BEHIND = f"""SELECT o.id FROM jobs o WHERE o.thread_id = j.thread_id AND {turn("o")} > {turn("j")} AND o.finished_at IS NULL
    AND o.run IS NOT NULL AND NOT {not_yet("o")} ORDER BY {turn("o")} LIMIT 1"""
_MAKE_WAY = text(f"SELECT ({_BEHIND}) AS next FROM jobs j WHERE j.id = :id")
_IN_THE_WAY = text(f"""
SELECT j.id, n.id AS next FROM jobs j CROSS JOIN LATERAL ({_BEHIND}) n
WHERE j.state = 'paused' AND j.waiting_for = 'approval' FOR NO KEY UPDATE OF j SKIP LOCKED""")


class ThreadBusy(Conflict):
    """Raised when a thread has an active run and the new one was to be rejected then."""

    code = "thread_busy"


async def accept_in(connection: AsyncConnection, submission: Submission, *, create_thread: bool = False) -> Job:
    """See `RunStore.accept`; in the caller's transaction."""
    if submission.thread_id is None:
        job = await _insert(connection, submission, new_id(), new_id())
        if submission.ephemeral:
            return job
    else:
        job_id = await _enter(connection, submission, submission.thread_id, create_thread=create_thread)
        job = await _insert(connection, submission, job_id, submission.thread_id)
    await _touch(connection, submission, job)
    return job


async def asks_in(connection: AsyncConnection, thread_id: UUID) -> bool:
    """Whether the thread waits for a decision of people, as this transaction sees it."""
    return bool(await connection.scalar(_ASKS, {"thread_id": thread_id}))


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


def row_of(submission: Submission, job_id: UUID, thread_id: UUID) -> dict[str, Any]:
    """Parameters of `accept.ACCEPT`."""
    own = {"id": job_id, "project_id": submission.project_id, "thread_id": thread_id}
    return accept.values_of(submission) | own


async def _insert(connection: AsyncConnection, submission: Submission, job_id: UUID, thread_id: UUID) -> Job:
    fault("accept.before_commit")
    row = row_of(submission, job_id, thread_id)
    return accept.job_of((await connection.execute(accept.ACCEPT, row)).mappings().one())


async def _enter(connection: AsyncConnection, submission: Submission, thread_id: UUID, *, create_thread: bool) -> UUID:
    """Make sure of the thread, and do to its jobs what the strategy says; returns the id of the new one."""
    if create_thread:
        await connection.execute(_NEW_THREAD, {"id": thread_id})
    owner = await accept.lock_thread(connection, thread_id)
    if owner is None and create_thread:
        return new_id()
    if owner != submission.project_id:
        raise NotFound(f"no thread {str(thread_id)!r} in this project")
    job_id = await accept.next_id(connection, thread_id)
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
    if run is not None and run.command is not None and not submission.may_approve:
        await _check_passes_nothing(connection, thread_id, run.command, bool(rows))
    if active and strategy in ("interrupt", "rollback"):
        await end(connection, active, rollback=strategy == "rollback", by=submission.created_by)
    resume = run.command.get("resume") if run and run.command else None
    # A run that is to begin later and answers nothing leaves the question open until its time: see `clear_ways`.
    if held and not (submission.delay_seconds and resume is None):
        if resume is not None:
            await _answer(connection, held, resume, submission)
        await connection.execute(_SUPERSEDE, {"ids": held, "by": str(job_id)})
    return job_id


async def _check_passes_nothing(
    connection: AsyncConnection, thread_id: UUID, command: Mapping[str, Any], unfinished: bool
) -> None:
    """Raises Forbidden when a command would lead past a question to people: one that is asked, or that an unfinished job
    of the thread may ask before the run begins."""
    passes = command.get("update") is not None or command.get("goto") is not None
    if passes and (unfinished or await asks_in(connection, thread_id)):
        raise Forbidden(
            f"thread {str(thread_id)!r} waits for a decision, or has a run that may ask for one: `command.update` and "
            "`command.goto` need the scope 'approve' there",
            scope="approve",
        )


async def _answer(connection: AsyncConnection, held: Sequence[UUID], resume: Any, submission: Submission) -> None:
    """Decide the pending approvals of these jobs by what a run resumes with: one answer for all, or one for each id.

    Raises:
        AlreadyDecided: the time to decide has passed.
    """
    by = submission.created_by
    questions = (await connection.execute(_QUESTIONS, {"ids": list(held)})).all()
    by_id = isinstance(resume, dict) and any(question.interrupt_id in resume for question in questions)
    for question in questions:
        if not by_id or question.interrupt_id in resume:
            decision = resume[question.interrupt_id] if by_id else resume
            await settle(connection, submission.project_id, question.id, decision, by=by)


async def end(connection: AsyncConnection, ids: Sequence[UUID], *, rollback: bool, by: str | None) -> int:
    """Ask for the end of these runs, whose threads are locked, and of all they have fanned out to; returns how many had
    not ended. With `rollback` nothing is to be left of them."""
    if rollback:
        await connection.execute(_ROLL_BACK, {"ids": list(ids)})
    return await changes.cancel_trees(connection, ids, by=by)


async def _touch(connection: AsyncConnection, submission: Submission, job: Job) -> None:
    values = {"thread_id": job.thread_id, "project_id": submission.project_id, **touched(submission)}
    if (await connection.execute(_TOUCH, values)).first() is None:
        # It is there, of another project: who may not see it has taken it for a new one.
        raise NotFound(f"no thread {str(job.thread_id)!r} in this project")


def touched(submission: Submission) -> dict[str, Any]:
    """Parameters of `accept.TOUCHED`."""
    return {
        "workflow": submission.workflow,
        "assistant_id": submission.assistant_id,
        "config": without_caller(submission.run.config) if submission.run else {},
        "thread_metadata": {"graph_id": submission.workflow, "assistant_id": str(submission.assistant_id)},
    }
