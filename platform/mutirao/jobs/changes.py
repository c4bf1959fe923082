"""What clients do to jobs that are there: cancel, pause, resume, retry. Each function runs in the caller's transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.catalogue import CataloguedWorkflow
from mutirao.errors import Conflict, NotFound
from mutirao.jobs.channels import CANCELS_CHANNEL
from mutirao.jobs.records import Budget
from mutirao.jobs.sql import MOVED, TELL, note, statement
from mutirao.jobs.states import JobState

_LOCK = text("""
SELECT id, state, waiting_for, workflow, pause_requested_at FROM jobs
WHERE id = :id AND project_id = :project_id FOR NO KEY UPDATE""")

# The jobs and what has fanned out from them, however deep, as far as it has not ended; locked in the order of the ids.
_TREE = text("""
WITH RECURSIVE tree AS (
    SELECT unnest(CAST(:ids AS uuid[])) AS id
    UNION
    SELECT c.id FROM tree t JOIN jobs c ON c.parent_id = t.id
)
SELECT j.id FROM jobs j WHERE j.id IN (SELECT id FROM tree) AND j.finished_at IS NULL
ORDER BY j.id FOR NO KEY UPDATE OF j""")

# Who has asked first stays, also where that was nobody.
_ASKED = """cancel_requested_at = coalesce(cancel_requested_at, now()),
        cancel_requested_by = CASE WHEN cancel_requested_at IS NULL THEN :by ELSE cancel_requested_by END"""

# The last are told first: children before their parents.
_CANCEL = statement(f"""
WITH job AS (
    UPDATE jobs j SET state = 'cancelled', {_ASKED},
        waiting_for = NULL, finished_at = now(), last_seq = last_seq + 1
    WHERE j.id = ANY(:ids) AND j.state IN ('queued', 'waiting', 'paused', 'stranded') RETURNING {MOVED}
), withdrawn AS (
    UPDATE approvals a SET state = 'withdrawn' FROM job WHERE a.job_id = job.id AND a.state = 'pending'
), note AS ({note("'job.cancelled'")})
SELECT {TELL} FROM (SELECT * FROM job ORDER BY id DESC) AS job""")


def _ask(asked: str) -> str:
    return f"""
WITH job AS (
    UPDATE jobs SET {asked} WHERE id = ANY(:ids) AND finished_at IS NULL RETURNING id, state
)
SELECT CASE WHEN state = 'running' THEN pg_notify('{CANCELS_CHANNEL}', id::text) IS NULL END AS told
FROM (SELECT * FROM job ORDER BY id DESC) AS job"""


_ASK_CANCEL = text(_ask(_ASKED))
_ASK_PAUSE = text(_ask("pause_requested_at = coalesce(pause_requested_at, now())"))
_ASK_PAUSE_NO_MORE = text("UPDATE jobs SET pause_requested_at = NULL WHERE id = :id")

_PAUSE = statement(f"""
WITH job AS (
    UPDATE jobs j SET state = 'paused', waiting_for = 'request', pause_requested_at = NULL, last_seq = last_seq + 1
    WHERE j.id = :id RETURNING {MOVED}
), note AS ({note("'job.paused'", ''''{"waiting_for": "request"}'::jsonb''')})
SELECT {TELL} FROM job""")

# A pause neither shortens nor lengthens the time that the job still had to wait.
_RESUME = statement(f"""
WITH job AS (
    UPDATE jobs j SET state = 'queued', waiting_for = NULL, pause_requested_at = NULL,
        available_at = greatest(available_at, now()), last_seq = last_seq + 1
    WHERE j.id = :id RETURNING {MOVED}
), note AS ({note("'job.resumed'", ''''{"after": "request"}'::jsonb''')})
SELECT {TELL} FROM job""")

# As if it had just been accepted, but for its checkpoints and its epoch. A deadline that has passed is none any more.
_RETRY = statement(
    f"""
WITH job AS (
    UPDATE jobs j SET state = 'queued', output = NULL, error = NULL, failures = 0, retried_epoch = epoch,
        started_at = NULL, finished_at = NULL, available_at = now(), pause_requested_at = NULL,
        deadline_at = CASE WHEN deadline_at > now() THEN deadline_at END,
        version = coalesce(:version, version), queue = coalesce(:queue, queue), kind = coalesce(:kind, kind),
        budget = coalesce(:budget, budget),
        start = CASE WHEN CAST(:checkpoint_id AS text) IS NULL THEN start
                     ELSE coalesce(start, '{{}}') || jsonb_build_object('checkpoint_id', CAST(:checkpoint_id AS text)) END,
        last_seq = last_seq + 1
    WHERE j.id = :id RETURNING {MOVED}, j.version
), note AS ({
        note(
            "'job.retried'",
            '''jsonb_strip_nulls(jsonb_build_object(
            'version', version, 'checkpoint_id', CAST(:checkpoint_id AS text)))''',
        )
    })
SELECT {TELL} FROM job""",
    nullable=("budget",),
)

RETRIABLE = frozenset({JobState.FAILED, JobState.DEAD, JobState.BUDGET_EXHAUSTED, JobState.STRANDED})


async def lock(connection: AsyncConnection, project_id: UUID, job_id: UUID) -> Row[Any]:
    """The job's `state`, `waiting_for`, `workflow` and `pause_requested_at`, which now nobody else changes.

    Raises:
        NotFound: no such job in this project.
    """
    row = (await connection.execute(_LOCK, {"id": job_id, "project_id": project_id})).first()
    if row is None:
        raise NotFound(f"no job {str(job_id)!r} in this project")
    return row


async def cancel(connection: AsyncConnection, project_id: UUID, job_id: UUID, *, by: str | None) -> None:
    """See `JobStore.cancel`."""
    job = await lock(connection, project_id, job_id)
    if not await cancel_trees(connection, [job_id], by=by):
        raise _ended(job)


async def cancel_trees(connection: AsyncConnection, job_ids: Sequence[UUID], *, by: str | None) -> int:
    """Ask for the end of these jobs and of all that they have fanned out to; returns how many had not ended.

    `by`: who asks, as in `created_by`; None: the platform itself.
    """
    tree: set[UUID] = set()
    # A job that was running may have fanned out until its row was locked: look until there is nothing new.
    while (found := set((await connection.scalars(_TREE, {"ids": list(job_ids)})).all())) != tree:
        tree = found
    values = {"ids": sorted(tree), "by": by}
    await connection.execute(_CANCEL, values)
    await connection.execute(_ASK_CANCEL, values)
    return len(tree)


async def pause(connection: AsyncConnection, project_id: UUID, job_id: UUID) -> None:
    """See `JobStore.pause`."""
    job = await lock(connection, project_id, job_id)
    if JobState(job.state).terminal:
        raise _ended(job)
    if job.state == JobState.QUEUED:
        await connection.execute(_PAUSE, {"id": job_id})
    elif job.waiting_for != "request":
        await connection.execute(_ASK_PAUSE, {"ids": [job_id]})


async def resume(connection: AsyncConnection, project_id: UUID, job_id: UUID) -> None:
    """See `JobStore.resume`."""
    job = await lock(connection, project_id, job_id)
    if job.state == JobState.PAUSED and job.waiting_for == "request":
        await connection.execute(_RESUME, {"id": job_id})
    elif job.pause_requested_at is not None and not JobState(job.state).terminal:
        await connection.execute(_ASK_PAUSE_NO_MORE, {"id": job_id})
    elif job.state == JobState.PAUSED:
        raise Conflict(f"job {str(job_id)!r} waits for a decision on an approval; decide on it", state=job.state)
    else:
        raise Conflict(f"job {str(job_id)!r} is not paused: {job.state}", state=job.state)


async def retry(
    connection: AsyncConnection,
    job_id: UUID,
    *,
    checkpoint_id: str | None,
    adopt: CataloguedWorkflow | None,
    budget: Budget | None,
) -> None:
    """Queue a job that the caller has locked, as `adopt` where given; see `JobStore.retry`."""
    values = {
        "id": job_id,
        "checkpoint_id": checkpoint_id,
        "version": adopt.version if adopt else None,
        "queue": adopt.queue if adopt else None,
        "kind": adopt.kind if adopt else None,
        "budget": budget.model_dump(exclude_none=True) if budget else None,
    }
    await connection.execute(_RETRY, values)


def _ended(job: Row[Any]) -> Conflict:
    return Conflict(f"job {str(job.id)!r} has already ended: {job.state}", state=job.state)
