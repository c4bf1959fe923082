"""How an attempt lets go of its job. Each statement names job and epoch, and returns no row when they are stale."""

from mutirao.jobs.rest import RESTING, RESTING_JSON
from mutirao.jobs.sql import CAUSE, MOVED, TELL, note, statement

_HELD = "j.id = :job AND j.epoch = :epoch AND j.state = 'running'"


def _closed(outcome: str, error: str = "NULL") -> str:
    return f"""UPDATE attempts a SET outcome = {outcome}, error = {error}, finished_at = now()
    FROM job WHERE a.job_id = job.id AND a.epoch = job.epoch"""


# The last events of an attempt, numbered behind those in its journal, in the statement that ends it.
_LAST = """
batch AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:events) AS e(position int, type text, step text, data jsonb, age float)
), """
_WRITTEN = """
, last AS (
    INSERT INTO events (job_id, seq, epoch, type, step, data, created_at)
    SELECT job.id, job.last_seq - 1 - (SELECT count(*) FROM batch) + e.position, job.epoch, e.type, e.step, e.data,
        now() - make_interval(secs => e.age)
    FROM job CROSS JOIN batch e
)"""


# What the thread's row says from then on: its row is locked before the job, as whoever submits a job locks them.
_ROW = """
thread AS MATERIALIZED (SELECT t.id FROM threads t WHERE t.id = :thread FOR NO KEY UPDATE), """
_ROW_LOCKED = " AND (SELECT count(*) FROM thread) >= 0"
_RESTS = f"""
, rests AS (
    UPDATE threads t SET {RESTING} FROM job WHERE t.id = :thread AND NOT job.rolled_back
)"""


# Whoever was told that the end is asked for never sees another end than that.
def _finish(before: str = "", count: str = "1", after: str = "", held: str = "") -> str:
    return f"""
WITH {before}job AS (
    UPDATE jobs j SET
        state = CASE WHEN cancel_requested_at IS NULL THEN :state ELSE 'cancelled' END,
        output = CASE WHEN cancel_requested_at IS NULL THEN :output END,
        error = CASE WHEN cancel_requested_at IS NULL THEN :error END,
        finished_at = now(), last_seq = last_seq + {count}
    WHERE {_HELD}{held} RETURNING {MOVED}, j.rolled_back
), attempt AS ({_closed("job.state", "job.error")}
), note AS ({note("'job.' || state", CAUSE)}){after}
SELECT state, {TELL} FROM job"""


_COUNT = "1 + (SELECT count(*) FROM batch)"
FINISH = statement(_finish(), nullable=("output", "error"))
FINISH_TELLING = statement(_finish(_LAST, _COUNT, _WRITTEN), "events", nullable=("output", "error"))
FINISH_RESTING = statement(
    _finish(_ROW + _LAST, _COUNT, _WRITTEN + _RESTS, _ROW_LOCKED),
    "events",
    nullable=("output", "error", *RESTING_JSON),
)

# `failures` in an expression is the number before this one. A pause that was asked for is left to the reconciler.
FAIL = statement(
    f"""
WITH job AS (
    UPDATE jobs j SET
        failures = failures + 1,
        state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                     WHEN failures >= :tries THEN :last_state ELSE 'queued' END,
        error = CASE WHEN cancel_requested_at IS NULL AND failures >= :tries THEN :error END,
        finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR failures >= :tries THEN now() END,
        available_at = now() + make_interval(secs => least(CAST(:longest AS float),
            CAST(:backoff AS float) * power(CAST(:factor AS float), failures))),
        worker_id = NULL, last_seq = last_seq + 1
    WHERE {_HELD} RETURNING {MOVED}
), attempt AS ({_closed("CASE job.state WHEN 'cancelled' THEN 'cancelled' ELSE 'failed' END", ":error")}
), note AS ({
        note(
            "CASE state WHEN 'queued' THEN 'attempt.failed' ELSE 'job.' || state END",
            f"CASE state WHEN 'queued' THEN jsonb_build_object('error', :error, 'retry_at', available_at) ELSE {CAUSE} END",
        )
    })
SELECT state, {TELL} FROM job""",
    nullable=("error",),
)

# What goes on after it had begun keeps its `available_at`, and with it its place before all that came later.
HAND_BACK = statement(f"""
WITH job AS (
    UPDATE jobs j SET
        state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                     WHEN pause_requested_at IS NOT NULL THEN 'paused' ELSE 'queued' END,
        waiting_for = CASE WHEN cancel_requested_at IS NULL AND pause_requested_at IS NOT NULL THEN 'request' END,
        finished_at = CASE WHEN cancel_requested_at IS NOT NULL THEN now() END,
        kind = coalesce(:kind, kind), pause_requested_at = NULL,
        worker_id = NULL, last_seq = last_seq + 1
    WHERE {_HELD} RETURNING {MOVED}
), attempt AS ({_closed("'handed_back'")}
), note AS ({
    note(
        "CASE state WHEN 'queued' THEN 'attempt.handed_back' ELSE 'job.' || state END",
        "jsonb_strip_nulls(jsonb_build_object('kind', CAST(:kind AS text), 'waiting_for', waiting_for))",
    )
})
SELECT state, {TELL} FROM job""")

HOLD = statement(f"""
WITH job AS (
    UPDATE jobs j SET
        state = CASE WHEN cancel_requested_at IS NULL THEN :state ELSE 'cancelled' END,
        waiting_for = CASE WHEN cancel_requested_at IS NULL THEN :waiting_for END,
        pause_requested_at = CASE WHEN :waiting_for <> 'request' THEN pause_requested_at END,
        finished_at = CASE WHEN cancel_requested_at IS NOT NULL THEN now() END,
        worker_id = NULL, last_seq = last_seq + 1
    WHERE {_HELD} RETURNING {MOVED}
), attempt AS ({_closed("CASE job.state WHEN 'cancelled' THEN 'cancelled' ELSE 'held' END")}
), note AS ({note("'job.' || state", "jsonb_strip_nulls(jsonb_build_object('waiting_for', waiting_for))")})
SELECT state, {TELL} FROM job""")


def _wake(parent: str) -> str:
    return f"""
WITH job AS (
    UPDATE jobs j SET state = 'queued', waiting_for = NULL, last_seq = last_seq + 1
    WHERE j.id = {parent} AND j.state = 'waiting' AND j.waiting_for = 'children'
        AND NOT EXISTS (SELECT 1 FROM jobs c WHERE c.parent_id = j.id AND c.finished_at IS NULL)
    RETURNING {MOVED}
), note AS ({note("'job.resumed'", ''''{"after": "children"}'::jsonb''')})
SELECT state, {TELL} FROM job"""


# ix_jobs_parent_open serves them: of 10,000 children only those are looked at that have not ended.
WAKE = statement(_wake(":job"))
WAKE_PARENT = statement(_wake("(SELECT parent_id FROM jobs WHERE id = :job)"))
