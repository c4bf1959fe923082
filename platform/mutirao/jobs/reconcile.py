"""What moves jobs when nobody calls: leases and deadlines that have run out, pauses asked for, versions gone and back.

Each statement is a transaction of its own and passes over rows that somebody else has locked; the next look finds them.
A job that a worker with a live lease runs is left to that worker, whatever has run out.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import TextClause
from sqlalchemy.exc import SQLAlchemyError

from mutirao.db import Database
from mutirao.db.engine import connection_lost
from mutirao.jobs.sql import CAUSE, MOVED, TELL, note, statement
from mutirao.jobs.states import JobState
from mutirao.logs import logger

_log = logger("reconcile")

_MOVED_ROWS = f"SELECT id, queue, state, {TELL} FROM job"


def _picked(condition: str) -> str:
    return f"SELECT j.id FROM jobs j WHERE {condition} ORDER BY j.id FOR NO KEY UPDATE OF j SKIP LOCKED"


def _among(picked: str) -> str:
    # As an array it is taken for a few ids, and looked up one by one; joined, for a third of the table, and all is read.
    return f"j.id = ANY (ARRAY(SELECT id FROM {picked}))"


# Jobs of workers whose lease has run out: asked to end -> cancelled, out of attempts -> dead, else back in the queue.
# Attempts that were lost before the job was last retried count no more.
_LOST = statement(f"""
WITH lost AS (
    SELECT j.id, max_attempts <= 1 + (
        SELECT count(*) FROM attempts a WHERE a.job_id = j.id AND a.outcome = 'lost' AND a.epoch > j.retried_epoch
    ) AS last_one
    FROM jobs j JOIN workers w ON w.id = j.worker_id
    WHERE j.state = 'running' AND w.lease_expires_at < now() ORDER BY j.id FOR NO KEY UPDATE OF j SKIP LOCKED
), job AS (
    UPDATE jobs j SET
        state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                     WHEN last_one THEN 'dead' ELSE 'queued' END,
        error = CASE WHEN cancel_requested_at IS NULL AND last_one THEN jsonb_build_object(
                     'code', 'attempts_exhausted',
                     'message', format('every one of its %s attempts lost its worker', max_attempts)) ELSE error END,
        finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR last_one THEN now() END,
        worker_id = NULL, last_seq = last_seq + 1
    FROM lost WHERE j.id = lost.id RETURNING {MOVED}
), attempt AS (
    UPDATE attempts a SET outcome = 'lost', finished_at = now()
    FROM job WHERE a.job_id = job.id AND a.epoch = job.epoch AND a.finished_at IS NULL
), note AS ({note("CASE state WHEN 'queued' THEN 'attempt.lost' ELSE 'job.' || state END", CAUSE)})
{_MOVED_ROWS}""")


def _overdue(condition: str, error: str) -> TextClause:
    return statement(f"""
WITH late AS ({_picked(condition)}), job AS (
    UPDATE jobs j SET state = 'failed', error = {error}, finished_at = now(), waiting_for = NULL, last_seq = last_seq + 1
    WHERE {_among("late")} RETURNING {MOVED}
), withdrawn AS (
    UPDATE approvals a SET state = 'withdrawn' FROM job WHERE a.job_id = job.id AND a.state = 'pending'
), note AS ({note("'job.failed'", CAUSE)})
{_MOVED_ROWS}""")


# Served by ix_jobs_deadline_at.
_DEADLINE = _overdue(
    "j.deadline_at < now() AND j.finished_at IS NULL AND j.state <> 'running'",
    """jsonb_build_object('code', 'deadline_exceeded', 'message', format('it had not ended by its deadline, %s',
        to_char(deadline_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))""",
)
# Served by ix_jobs_job_seconds.
_JOB_SECONDS = _overdue(
    """j.finished_at IS NULL AND j.limits->>'job_seconds' IS NOT NULL AND j.started_at < now() AND j.state <> 'running'
    AND j.started_at + make_interval(secs => (j.limits->>'job_seconds')::float) < now()""",
    """jsonb_build_object('code', 'time_limit_exceeded', 'message',
        format('it had not ended %s seconds after its first attempt began (limit: job_seconds)', limits->>'job_seconds'))""",
)

# A pause that was asked for while the job was running, waiting or stranded, and that no attempt has carried out. Served by
# ix_jobs_pause_requested.
_PAUSE = statement(f"""
WITH asked AS ({_picked("j.state = 'queued' AND j.pause_requested_at IS NOT NULL")}), job AS (
    UPDATE jobs j SET state = 'paused', waiting_for = 'request', pause_requested_at = NULL, last_seq = last_seq + 1
    WHERE {_among("asked")} RETURNING {MOVED}
), note AS ({note("'job.paused'", ''''{"waiting_for": "request"}'::jsonb''')})
{_MOVED_ROWS}""")

_WAKE = statement(f"""
WITH ready AS ({
    _picked('''j.state = 'waiting' AND j.waiting_for = 'children'
    AND NOT EXISTS (SELECT 1 FROM jobs c WHERE c.parent_id = j.id AND c.finished_at IS NULL)''')
}), job AS (
    UPDATE jobs j SET state = 'queued', waiting_for = NULL, last_seq = last_seq + 1
    WHERE {_among("ready")} RETURNING {MOVED}
), note AS ({note("'job.resumed'", ''''{"after": "children"}'::jsonb''')})
{_MOVED_ROWS}""")

# Whether a worker serves the job's version, or did so until `grace` seconds ago; whether one serves any version.
_SERVED = """EXISTS (
    SELECT 1 FROM worker_workflows s JOIN workers w ON w.id = s.worker_id
    WHERE s.workflow = j.workflow AND s.version = j.version
        AND w.lease_expires_at > now() - make_interval(secs => CAST({grace} AS float)))"""
_WORKFLOW_SERVED = """EXISTS (
    SELECT 1 FROM worker_workflows s JOIN workers w ON w.id = s.worker_id
    WHERE s.workflow = j.workflow AND w.lease_expires_at > now())"""

_STRAND = statement(f"""
WITH gone AS ({
    _picked(f'''j.state = 'queued' AND j.epoch >= 1
    AND j.available_at < now() - make_interval(secs => CAST(:grace AS float))
    AND {_WORKFLOW_SERVED} AND NOT {_SERVED.format(grace=":grace")}''')
}), job AS (
    UPDATE jobs j SET state = 'stranded', last_seq = last_seq + 1
    WHERE {_among("gone")} RETURNING {MOVED}, j.version
), note AS ({note("'job.stranded'", "jsonb_build_object('version', version)")})
{_MOVED_ROWS}""")

_RETURN = statement(f"""
WITH served AS ({_picked(f"j.state = 'stranded' AND {_SERVED.format(grace='0')}")}), job AS (
    UPDATE jobs j SET state = 'queued', last_seq = last_seq + 1
    WHERE {_among("served")} RETURNING {MOVED}
), note AS ({note("'job.resumed'", ''''{"after": "stranded"}'::jsonb''')})
{_MOVED_ROWS}""")


async def recover(db: Database) -> list[tuple[UUID, str, JobState]]:
    """Take the jobs of workers whose lease has run out from them. Any number may do it at once."""
    async with db.autocommit() as connection:
        rows = (await connection.execute(_LOST)).all()
    return [(row.id, row.queue, JobState(row.state)) for row in rows]


async def reconcile(db: Database, grace_seconds: float) -> list[tuple[UUID, str, JobState]]:
    """One look at everything; see `ClaimStore.reconcile`. A statement that fails does not keep the others from theirs.

    Raises:
        SQLAlchemyError: the database did not answer.
    """
    grace = {"grace": grace_seconds}
    steps: list[tuple[str, TextClause, dict[str, Any]]] = [
        ("leases", _LOST, {}),
        ("deadlines", _DEADLINE, {}),
        ("job_seconds", _JOB_SECONDS, {}),
        ("children", _WAKE, {}),
        ("versions_back", _RETURN, {}),
        ("pauses", _PAUSE, {}),
        ("versions_gone", _STRAND, grace),
    ]
    moved: list[tuple[UUID, str, JobState]] = []
    for name, sql, values in steps:
        try:
            async with db.autocommit() as connection:
                rows = (await connection.execute(sql, values)).all()
        except SQLAlchemyError as error:
            if connection_lost(error):
                raise
            _log.exception("reconcile.refused", step=name)
            continue
        moved += [(row.id, row.queue, JobState(row.state)) for row in rows]
    return moved
