"""How jobs come to be: submissions, children of a fan-out, forks. A job, its thread and its first event are one write."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.errors import Conflict, InvalidInput, NotFound
from mutirao.ids import new_id
from mutirao.jobs.channels import EVENTS_CHANNEL, THREAD, WORK_CHANNEL
from mutirao.jobs.records import Claim, Job, RunOptions, Start, Submission
from mutirao.jobs.sql import JOB, statement

_JOB_COLUMNS = """id, project_id, thread_id, workflow, version, queue, state, input, metadata, max_attempts, priority,
        kind, retry, limits, budget, start, deadline_at, schedule_id, scheduled_for, assistant_id, run, webhook, created_by,
        available_at, last_seq"""
_JOB_VALUES = """:id, :project_id, :thread_id, :workflow, :version, :queue, 'queued', :input, :metadata, :max_attempts, :priority,
        :kind, :retry, :limits, :budget, :start, CAST(:deadline_at AS timestamptz), CAST(:schedule_id AS uuid),
        CAST(:scheduled_for AS timestamptz), CAST(:assistant_id AS uuid), :run, :webhook, :created_by,
        greatest(now(), CAST(:start_at AS timestamptz)) + make_interval(secs => CAST(:delay_seconds AS float)), 1"""
_FIRST = "INSERT INTO events (job_id, seq, epoch, type, data) SELECT id, 1, 0, 'job.queued', '{}' FROM job"
_URGENT = f"CASE WHEN :urgent THEN pg_notify('{WORK_CHANNEL}', queue || ' ' || id) IS NULL END AS told_work"
_JSON = ("input", "metadata", "retry", "limits")
_MAYBE_JSON = ("budget", "start", "run")

# One statement, one transaction: thread, job and first event are there together or not at all.
ACCEPT = statement(
    f"""
WITH thread AS (
    INSERT INTO threads (id, project_id, workflow, assistant_id, ephemeral)
    VALUES (:thread_id, :project_id, :workflow, :assistant_id, :ephemeral) ON CONFLICT (id) DO NOTHING
), job AS (
    INSERT INTO jobs ({_JOB_COLUMNS}) VALUES ({_JOB_VALUES}) RETURNING *
), first AS ({_FIRST})
SELECT {JOB}, {_URGENT} FROM job""",
    *_JSON,
    nullable=_MAYBE_JSON,
)

# A thread as a run leaves it that begins in it; `t` is the thread.
TOUCHED = """workflow = :workflow, assistant_id = CAST(:assistant_id AS uuid), config = :config, updated_at = now(),
    metadata = t.metadata || :thread_metadata,
    expires_at = CASE WHEN t.ttl_minutes IS NULL THEN t.expires_at
        ELSE now() + make_interval(secs => t.ttl_minutes * 60) END"""

# The same for a run in a thread where nothing is unfinished; no row where that is not sure. The snapshot is older than
# the lock: a row of the thread that has changed in between is another version of it (`xmin`), and whoever accepts a run
# there has changed it. Nor where the thread has a job whose id is later than ours: another host's clock is ahead.
ACCEPT_ALONE = statement(
    f"""
WITH seen AS MATERIALIZED (
    SELECT t.id, t.xmin AS version FROM threads t WHERE t.id = :thread_id AND t.project_id = :project_id
        AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.thread_id = :thread_id AND (o.finished_at IS NULL OR o.id >= :id))
), locked AS MATERIALIZED (
    SELECT t.id, t.xmin AS version FROM threads t WHERE t.id = :thread_id AND t.project_id = :project_id
        AND EXISTS (SELECT 1 FROM seen) FOR NO KEY UPDATE
), alone AS MATERIALIZED (
    SELECT l.id FROM locked l JOIN seen s ON s.id = l.id AND s.version = l.version
), job AS (
    INSERT INTO jobs ({_JOB_COLUMNS}) SELECT {_JOB_VALUES} FROM alone RETURNING *
), first AS ({_FIRST}), touched AS (
    UPDATE threads t SET {TOUCHED} FROM alone WHERE t.id = alone.id
    RETURNING pg_notify('{EVENTS_CHANNEL}', '{THREAD}' || t.id) IS NULL AS told
)
SELECT {JOB}, (SELECT told FROM touched) AS told, {_URGENT} FROM job""",
    *_JSON,
    "config",
    "thread_metadata",
    nullable=_MAYBE_JSON,
)

_THREAD_OWNER = text("SELECT project_id FROM threads WHERE id = :id")
_THREAD = text("SELECT project_id FROM threads WHERE id = :id FOR NO KEY UPDATE")
_USED = text("UPDATE threads SET updated_at = now() WHERE id = :id")
# A statement of its own: it sees what was committed while the lock was waited for. Served by ix_jobs_thread_id.
_NEWEST = text("SELECT id FROM jobs WHERE thread_id = :id ORDER BY id DESC LIMIT 1")

# The lock is held until the job is committed: `held` is false while another request with this key has got that far.
_KEEP_KEY = text("""
WITH lock AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(:project_id AS text) || ' ' || :key, 0)) AS held
), kept AS (
    INSERT INTO idempotency_keys (project_id, key, request_sha256, job_id)
    SELECT :project_id, :key, :request_sha256, :job_id FROM lock WHERE held ON CONFLICT DO NOTHING RETURNING job_id
)
SELECT held, EXISTS (SELECT 1 FROM kept) AS new FROM lock""")

_FIND_KEY = text("""
SELECT request_sha256, job_id FROM idempotency_keys WHERE project_id = :project_id AND key = :key""")

# Children of a running job, while nobody has asked for its end and unless they are there already.
CHILDREN = statement(
    f"""
WITH parent AS (
    SELECT id, project_id, priority, deadline_at FROM jobs
    WHERE id = :parent AND epoch = :epoch AND state = 'running' AND cancel_requested_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM jobs WHERE group_id = :group_id)
    FOR SHARE
), child AS (
    SELECT * FROM jsonb_to_recordset(:children) AS c(id uuid, thread_id uuid, ordinal int, workflow text, version text,
        queue text, kind text, input jsonb, metadata jsonb, max_attempts int, retry jsonb, limits jsonb, budget jsonb,
        start jsonb, delay_seconds float, start_at timestamptz, deadline_at timestamptz)
), thread AS (
    INSERT INTO threads (id, project_id) SELECT c.thread_id, p.project_id FROM child c CROSS JOIN parent p
), job AS (
    INSERT INTO jobs (id, project_id, thread_id, parent_id, group_id, ordinal, workflow, version, queue, kind, state, input,
        metadata, max_attempts, priority, retry, limits, budget, start, deadline_at, available_at, last_seq)
    SELECT c.id, p.project_id, c.thread_id, p.id, :group_id, c.ordinal, c.workflow, c.version, c.queue, c.kind, 'queued',
        c.input, c.metadata, c.max_attempts, coalesce(CAST(:priority AS int), p.priority), c.retry, c.limits,
        nullif(c.budget, 'null'), nullif(c.start, 'null'), least(p.deadline_at, c.deadline_at),
        greatest(now(), c.start_at) + make_interval(secs => c.delay_seconds), 1
    FROM child c CROSS JOIN parent p
    RETURNING id, ordinal, queue
), first AS (
    INSERT INTO events (job_id, seq, epoch, type, data)
    SELECT id, 1, 0, 'job.queued', jsonb_build_object('parent', CAST(:parent AS text), 'ordinal', ordinal) FROM job
)
SELECT id, pg_notify('{WORK_CHANNEL}', queue) IS NULL AS told FROM job ORDER BY ordinal""",
    "children",
)

GROUP = text("SELECT id FROM jobs WHERE group_id = :group_id AND parent_id = :parent ORDER BY ordinal")

# The thread's row is locked against retention, which deletes no thread that a fork has yet to begin at.
FORK = statement(
    f"""
WITH source AS (
    SELECT j.* FROM jobs j JOIN threads t ON t.id = j.thread_id
    WHERE j.id = :source AND j.project_id = :project_id FOR KEY SHARE OF t
), thread AS (
    INSERT INTO threads (id, project_id) SELECT :thread_id, project_id FROM source
), job AS (
    INSERT INTO jobs (id, project_id, thread_id, workflow, version, queue, kind, state, input, metadata, max_attempts,
        priority, retry, limits, budget, assistant_id, run, created_by, start, last_seq)
    SELECT :id, project_id, :thread_id, workflow, version, queue, kind, 'queued', coalesce(:input, input),
        coalesce(:metadata, metadata), max_attempts, priority, retry, limits, budget, assistant_id, run, created_by,
        CAST(:start AS jsonb) || jsonb_build_object('thread_id', thread_id), 1
    FROM source RETURNING *
), first AS (
    INSERT INTO events (job_id, seq, epoch, type, data)
    SELECT id, 1, 0, 'job.queued', jsonb_build_object('forked_from', CAST(:source AS text)) FROM job
)
SELECT {JOB}, pg_notify('{WORK_CHANNEL}', queue) IS NULL AS told FROM job""",
    "start",
    nullable=("input", "metadata"),
)


_NO_RUN = {name: getattr(RunOptions(), name) for name in RunOptions.model_fields}
_NOT_OF_CHILDREN = (
    "priority",
    "schedule_id",
    "scheduled_for",
    "assistant_id",
    "run",
    "webhook",
    "created_by",
    "ephemeral",
    "urgent",
)


def job_of(row: RowMapping) -> Job:
    """What `ACCEPT` and `ACCEPT_ALONE` return."""
    return Job.model_validate({name: row[name] for name in Job.model_fields})


class RequestInFlight(Conflict):
    """Raised when another request with the same idempotency key has not been answered yet; the same call works later."""

    code = "request_in_flight"


def values_of(submission: Submission) -> dict[str, Any]:
    """What the job's row takes from its submission, in plain values.

    `input` and `metadata` are as they were given: `model_dump` refuses what is nested deep.
    """
    return {
        "workflow": submission.workflow,
        "version": submission.version,
        "queue": submission.queue,
        "kind": submission.kind,
        "input": submission.input,
        "metadata": submission.metadata,
        "max_attempts": submission.max_attempts,
        "priority": submission.priority,
        "retry": submission.retry.model_dump(),
        "limits": submission.limits.model_dump(exclude_none=True),
        "budget": submission.budget.model_dump(exclude_none=True) if submission.budget else None,
        "start": start_of(submission.start) if submission.start else None,
        "delay_seconds": submission.delay_seconds,
        "start_at": submission.start_at,
        "deadline_at": submission.deadline_at,
        "schedule_id": submission.schedule_id,
        "scheduled_for": submission.scheduled_for,
        "assistant_id": submission.assistant_id,
        "run": run_of(submission.run) if submission.run else None,
        "webhook": submission.webhook,
        "created_by": submission.created_by,
        "ephemeral": submission.ephemeral,
        "urgent": submission.urgent,
    }


def run_of(run: RunOptions) -> dict[str, Any]:
    """Run options as the database keeps them: only what is not at its default."""
    given = {name: getattr(run, name) for name in RunOptions.model_fields if getattr(run, name) != _NO_RUN[name]}
    return given | ({"stream": run.stream.model_dump(exclude_defaults=True)} if "stream" in given else {})


def start_of(start: Start) -> dict[str, Any]:
    """A start as the database keeps it: only what is said."""
    given = {
        "thread_id": str(start.thread_id) if start.thread_id else None,
        "checkpoint_id": start.checkpoint_id,
        "values": start.values,
        "as_node": start.as_node,
    }
    return {name: value for name, value in given.items() if value is not None}


async def own_thread(connection: AsyncConnection, project_id: UUID, thread_id: UUID) -> None:
    """Raises NotFound when the thread is not of this project."""
    owner = await connection.scalar(_THREAD_OWNER, {"id": thread_id})
    if owner != project_id:
        raise NotFound(f"no thread {str(thread_id)!r} in this project")


async def lock_thread(connection: AsyncConnection, thread_id: UUID) -> UUID | None:
    """Lock the thread's row, as everybody does who submits a job to it; returns its project. None: it is not there."""
    owner: UUID | None = await connection.scalar(_THREAD, {"id": thread_id})
    return owner


async def used(connection: AsyncConnection, thread_id: UUID) -> None:
    """Say that a job of this locked thread begins or begins anew: whoever has seen it before, sees another version of it
    (`ACCEPT_ALONE`)."""
    await connection.execute(_USED, {"id": thread_id})


async def next_id(connection: AsyncConnection, thread_id: UUID) -> UUID:
    """An id for a job of a thread that the caller has locked: later than those of all that were submitted before."""
    return new_id(await connection.scalar(_NEWEST, {"id": thread_id}))


async def enter(connection: AsyncConnection, project_id: UUID, thread_id: UUID) -> UUID:
    """Lock a thread; returns the id for the next job of it. Raises NotFound when it is not of this project."""
    if await lock_thread(connection, thread_id) != project_id:
        raise NotFound(f"no thread {str(thread_id)!r} in this project")
    await used(connection, thread_id)
    return await next_id(connection, thread_id)


async def earlier(connection: AsyncConnection, submission: Submission, job_id: UUID) -> UUID | None:
    """The job this idempotency key made before; None when the key is new, and now kept for `job_id`.

    Raises:
        RequestInFlight: the request that the key came with first has not been answered yet.
        InvalidInput: the key came with another request.
    """
    key: dict[str, Any] = {"project_id": submission.project_id, "key": submission.idempotency_key}
    values = key | {"request_sha256": submission.request_sha256, "job_id": job_id}
    kept = (await connection.execute(_KEEP_KEY, values)).one()
    if not kept.held:
        raise RequestInFlight(
            f"a request with Idempotency-Key {submission.idempotency_key!r} is being answered; send it again in a moment",
            key=submission.idempotency_key,
        )
    if kept.new:
        return None
    return await replayed(connection, **key, request_sha256=submission.request_sha256)


async def replayed(connection: AsyncConnection, *, project_id: UUID, key: str, request_sha256: str) -> UUID | None:
    """The job that this idempotency key has made; None when it has made none.

    Raises:
        InvalidInput: the key came with another request.
    """
    row = (await connection.execute(_FIND_KEY, {"project_id": project_id, "key": key})).first()
    if row is None:
        return None
    if row.request_sha256 != request_sha256:
        raise InvalidInput(f"Idempotency-Key {key!r} was used for another request; use a new key", key=key)
    return UUID(str(row.job_id))


def children_of(
    submissions: Sequence[Submission], parent: Claim, group_id: UUID, priority: int | None
) -> dict[str, Any]:
    """Values of `CHILDREN`: each in a thread of its own, numbered from 0."""
    rows = []
    for ordinal, submission in enumerate(submissions):
        row = values_of(submission)
        for field in ("start_at", "deadline_at"):
            row[field] = row[field].isoformat() if row[field] else None
        for field in _NOT_OF_CHILDREN:
            del row[field]
        rows.append(row | {"id": str(new_id()), "thread_id": str(new_id()), "ordinal": ordinal})
    return {
        "parent": parent.job_id,
        "epoch": parent.epoch,
        "group_id": group_id,
        "priority": priority,
        "children": rows,
    }
