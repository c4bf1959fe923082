"""Pieces that the statements on jobs share. A statement names its changed rows `job`."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from mutirao.jobs.channels import ENDED, EVENTS_CHANNEL, WORK_CHANNEL

_REST = """error, metadata, epoch AS attempts, max_attempts, last_seq, priority, kind, parent_id, ordinal, retry, failures,
    limits, budget, waiting_for, deadline_at, available_at, schedule_id, pause_requested_at, created_at, started_at,
    finished_at, cancel_requested_at, cancel_requested_by, assistant_id, webhook, created_by, rolled_back"""

JOB = f"id, thread_id, workflow, version, queue, state, input, output, {_REST}, run"
"""The columns of `records.Job`."""

LARGE = frozenset({"input", "output", "run"})
"""Those of them that may be of megabytes."""


def job_without(names: Collection[str]) -> str:
    """`JOB` with null for these columns, which are then not read."""
    columns = [column.strip() for column in JOB.split(",")]
    return ", ".join(f"NULL AS {column}" if column in names else column for column in columns)


JOB_SUMMARY = f"id, thread_id, workflow, version, queue, state, NULL AS input, {_REST}, run - 'kwargs' AS run"
"""The same without what may be large: what it was given, in either form, and what came of it."""

CLAIM = """id AS job_id, project_id, thread_id, workflow, version, input, metadata, epoch, queue, priority, kind, parent_id,
    group_id, retry, limits, budget, start, started_at, deadline_at, assistant_id, run, created_by,
    epoch = 1 AND start IS NULL
        AND created_at = (SELECT t.created_at FROM threads t WHERE t.id = thread_id) AS fresh"""
"""The columns of `records.Claim`."""

MOVED = "j.id, j.epoch, j.state, j.queue, j.error, j.last_seq, j.waiting_for, j.available_at, j.finished_at"
"""What a statement that moves jobs (j) returns of them: what `TELL` and the event that goes with the move need."""

TELL = f"""pg_notify('{EVENTS_CHANNEL}', id::text) IS NULL AS told,
    CASE WHEN finished_at IS NOT NULL OR state = 'paused' AND waiting_for = 'approval'
        THEN pg_notify('{EVENTS_CHANNEL}', id || '{ENDED}') IS NULL END AS told_end,
    CASE WHEN state = 'queued' THEN pg_notify('{WORK_CHANNEL}', queue) IS NULL END AS told_work"""
"""Wakes readers of the job, whoever waits for its end, and the workers of its queue. Sent when the move is committed."""


CAUSE = "jsonb_strip_nulls(jsonb_build_object('error', error))"
"""Data of an event that says why."""


def turn(job: str) -> str:
    """Where a job stands among those of its thread, as a row of SQL: what has begun since it was accepted or last retried
    goes first, then ids decide."""
    return f"({job}.epoch <= {job}.retried_epoch, {job}.id)"


def not_yet(job: str) -> str:
    """Whether a job has not begun, and is not to before some time that is yet to come: until then nobody waits for it."""
    return f"({job}.state = 'queued' AND {job}.epoch <= {job}.retried_epoch AND {job}.available_at > now())"


def note(kind: str, data: str = "'{}'::jsonb") -> str:
    """The event that goes with a move, in the same statement; `kind` and `data` are SQL over the moved row."""
    return (
        f"""INSERT INTO events (job_id, seq, epoch, type, data) SELECT id, last_seq, epoch, {kind}, {data} FROM job"""
    )


def statement(sql: str, *json: str, nullable: tuple[str, ...] = ()) -> TextClause:
    """A statement whose parameters `json` are JSON; None is the database's NULL for those of `nullable`."""
    parameters: list[Any] = [bindparam(name, type_=JSONB) for name in json]
    parameters += [bindparam(name, type_=JSONB(none_as_null=True)) for name in nullable]
    return text(sql).bindparams(*parameters)
