"""Attempts whose process ended under them while their worker lives on."""

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from mutirao.db import Database
from mutirao.errors import LeaseLost
from mutirao.jobs.channels import EVENTS_CHANNEL, WORK_CHANNEL
from mutirao.jobs.records import Claim, Problem
from mutirao.jobs.states import JobState

# As the reconciler does with the jobs of dead workers, for one attempt: asked to end -> cancelled, out of attempts ->
# dead, else back in the queue.
_LOSE = text("""
WITH held AS (
    SELECT j.id, NOT :spared AND j.max_attempts <= 1 + (
        SELECT count(*) FROM attempts a WHERE a.job_id = j.id AND a.outcome = 'lost'
        AND a.epoch > j.retried_epoch) AS last_one
    FROM jobs j WHERE j.id = :job AND j.epoch = :epoch AND j.state = 'running' FOR UPDATE
), job AS (
    UPDATE jobs j SET
        state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                     WHEN last_one THEN 'dead' ELSE 'queued' END,
        error = CASE WHEN cancel_requested_at IS NULL AND last_one THEN jsonb_build_object(
                     'code', 'attempts_exhausted',
                     'message', format('every one of its %s attempts ended its process; the last: %s',
                                       max_attempts, CAST(:why AS text))) ELSE error END,
        kind = coalesce(:kind, kind), finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR last_one THEN now() END,
        worker_id = NULL, last_seq = last_seq + 1
    FROM held WHERE j.id = held.id RETURNING j.id, j.epoch, j.state, j.error, j.last_seq, j.queue, j.kind
), attempt AS (
    UPDATE attempts a SET outcome = 'lost', error = :problem, finished_at = now()
    FROM job WHERE a.job_id = job.id AND a.epoch = job.epoch
), note AS (
    INSERT INTO events (job_id, seq, epoch, type, data)
    SELECT id, last_seq, epoch, CASE state WHEN 'queued' THEN 'attempt.lost' ELSE 'job.' || state END,
        jsonb_strip_nulls(jsonb_build_object('why', CAST(:why AS text), 'kind', kind, 'error', error))
    FROM job
)
SELECT state, pg_notify(:events, id::text) IS NULL AS told,
    CASE WHEN state = 'queued' THEN pg_notify(:work, queue) IS NULL
         ELSE pg_notify(:events, id || '/ended') IS NULL END AS told_more
FROM job""").bindparams(bindparam("problem", type_=JSONB))


class LostAttempts:
    """Takes a job from an attempt whose process is dead."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def lose(self, claim: Claim, why: str, *, kind: str | None = None, spared: bool = False) -> JobState:
        """Use up this attempt; returns where the job is now.

        Args:
            kind: how it runs from now on.
            spared: it is not `dead` of this one, as it may have been another's fault.

        Raises:
            LeaseLost: another attempt has begun, or the job has ended; nothing was written.
        """
        values = {
            "job": claim.job_id,
            "epoch": claim.epoch,
            "why": why,
            "kind": kind,
            "spared": spared,
            "problem": Problem(code="process_ended", message=why).model_dump(),
            "events": EVENTS_CHANNEL,
            "work": WORK_CHANNEL,
        }
        async with self.db.autocommit() as connection:
            state = await connection.scalar(_LOSE, values)
        if state is None:
            raise LeaseLost(f"job {str(claim.job_id)!r}: attempt {claim.epoch} is not the current one")
        return JobState(state)
