"""Jobs as workers see them: claim, journal, finish, hand back, reconcile.

Contract: every write of an attempt names job and epoch and is refused when another attempt has begun. The lease is the
worker's (see `mutirao.workers`): a job is held as long as its worker's lease is.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.db import Database
from mutirao.errors import LeaseLost
from mutirao.ids import new_id
from mutirao.jobs.records import Artifact, Claim, NewEvent, Problem
from mutirao.jobs.states import JobState
from mutirao.jobs.store import EVENTS_CHANNEL

# What this worker may run: queued, due, served by it, and first of its thread (jobs of a thread never overlap).
_CLAIM = text("""
WITH picked AS (
    SELECT j.id FROM jobs j
    JOIN worker_workflows s ON s.worker_id = :worker AND s.workflow = j.workflow
    WHERE j.state = 'queued' AND j.available_at <= now()
      AND (CAST(:ids AS uuid[]) IS NULL OR j.id = ANY(:ids)) AND j.queue = ANY(:queues)
      AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.thread_id = j.thread_id
                      AND (o.state = 'running' OR o.state = 'queued' AND o.id < j.id))
      AND EXISTS (SELECT 1 FROM workers w WHERE w.id = :worker AND w.lease_expires_at > now())
    ORDER BY j.available_at, j.id LIMIT :limit FOR UPDATE OF j SKIP LOCKED
), job AS (
    UPDATE jobs j SET state = 'running', epoch = epoch + 1, worker_id = :worker, last_seq = last_seq + 1,
        started_at = coalesce(started_at, now())
    FROM picked WHERE j.id = picked.id RETURNING j.*
), attempt AS (
    INSERT INTO attempts (job_id, epoch, worker_id, worker_name) SELECT id, epoch, :worker, :worker_name FROM job
), note AS (
    INSERT INTO events (job_id, seq, epoch, type, data)
    SELECT id, last_seq, epoch, 'job.started', jsonb_build_object('worker', CAST(:worker_name AS text)) FROM job
)
SELECT id AS job_id, project_id, thread_id, workflow, version, input, metadata, epoch,
    pg_notify(:channel, id::text) IS NULL AS told
FROM job""")

# Numbers the events of many jobs at once; jobs whose epoch is stale are left out and not returned.
_APPEND = text("""
WITH batch AS (
    SELECT * FROM jsonb_to_recordset(:events)
        AS e(job uuid, epoch int, position int, type text, step text, data jsonb, age float)
), counted AS (
    SELECT job, epoch, count(*) AS n FROM batch GROUP BY job, epoch
), bumped AS (
    UPDATE jobs j SET last_seq = last_seq + n FROM counted c
    WHERE j.id = c.job AND j.epoch = c.epoch AND j.state = 'running'
    RETURNING j.id, j.epoch, j.last_seq - n AS base
), written AS (
    INSERT INTO events (job_id, seq, epoch, type, step, data, created_at)
    SELECT b.id, b.base + e.position, b.epoch, e.type, e.step, e.data, now() - make_interval(secs => e.age)
    FROM bumped b JOIN batch e ON e.job = b.id AND e.epoch = b.epoch
)
SELECT id, epoch, pg_notify(:channel, id::text) IS NULL AS told FROM bumped""").bindparams(
    bindparam("events", type_=JSONB)
)

_MODEL_CALLS = text("""
INSERT INTO model_calls (id, job_id, epoch, step, model, prompt, answer, input_tokens, output_tokens, cached_tokens,
    milliseconds, error)
SELECT gen_random_uuid(), job, epoch, step, data->>'model', data->'prompt', data->>'answer',
    coalesce((data->>'input_tokens')::int, 0), coalesce((data->>'output_tokens')::int, 0),
    coalesce((data->>'cached_tokens')::int, 0), coalesce((data->>'milliseconds')::int, 0), data->>'error'
FROM jsonb_to_recordset(:events) AS e(job uuid, epoch int, step text, data jsonb)""").bindparams(
    bindparam("events", type_=JSONB)
)

# Whoever was told that the end is asked for never sees another end than that.
_FINISH = text("""
WITH job AS (
    UPDATE jobs SET
        state = CASE WHEN cancel_requested_at IS NULL THEN :state ELSE 'cancelled' END,
        output = CASE WHEN cancel_requested_at IS NULL THEN :output END,
        error = CASE WHEN cancel_requested_at IS NULL THEN :error END,
        finished_at = now(), last_seq = last_seq + 1
    WHERE id = :job AND epoch = :epoch AND state = 'running' RETURNING id, epoch, state, error, last_seq
), attempt AS (
    UPDATE attempts a SET outcome = job.state, error = job.error, finished_at = now()
    FROM job WHERE a.job_id = job.id AND a.epoch = job.epoch
), note AS (
    INSERT INTO events (job_id, seq, epoch, type, data)
    SELECT id, last_seq, epoch, 'job.' || state, jsonb_strip_nulls(jsonb_build_object('error', error)) FROM job
)
SELECT id, pg_notify(:channel, id::text) IS NULL AS told, pg_notify(:channel, id || '/ended') IS NULL AS told_end
FROM job""").bindparams(
    bindparam("output", type_=JSONB(none_as_null=True)), bindparam("error", type_=JSONB(none_as_null=True))
)

_HAND_BACK = text("""
WITH job AS (
    UPDATE jobs SET
        state = CASE WHEN cancel_requested_at IS NULL THEN 'queued' ELSE 'cancelled' END,
        finished_at = CASE WHEN cancel_requested_at IS NOT NULL THEN now() END,
        worker_id = NULL, available_at = now(), last_seq = last_seq + 1
    WHERE id = :job AND epoch = :epoch AND state = 'running' RETURNING id, epoch, state, last_seq
), attempt AS (
    UPDATE attempts a SET outcome = 'handed_back', finished_at = now()
    FROM job WHERE a.job_id = job.id AND a.epoch = job.epoch
), note AS (
    INSERT INTO events (job_id, seq, epoch, type, data)
    SELECT id, last_seq, epoch, CASE state WHEN 'queued' THEN 'attempt.handed_back' ELSE 'job.' || state END, '{}'
    FROM job
)
SELECT pg_notify(:channel, id::text) IS NULL AS told,
    CASE WHEN state <> 'queued' THEN pg_notify(:channel, id || '/ended') IS NULL END AS told_end
FROM job""")

_ARTIFACT = text("""
INSERT INTO artifacts (id, project_id, job_id, name, media_type, size, sha256)
SELECT :id, project_id, id, :name, :media_type, :size, :sha256 FROM jobs
WHERE id = :job AND epoch = :epoch AND state = 'running' FOR SHARE
ON CONFLICT (job_id, name) DO UPDATE
    SET media_type = excluded.media_type, size = excluded.size, sha256 = excluded.sha256, created_at = now()
RETURNING id, job_id, name, media_type, size, sha256, created_at""")

# Jobs of workers whose lease has run out: asked to end -> cancelled, out of attempts -> dead, else back in the queue.
_RECONCILE = text("""
WITH lost AS (
    SELECT j.id, max_attempts <= 1 + (
        SELECT count(*) FROM attempts a WHERE a.job_id = j.id AND a.outcome = 'lost') AS last_one
    FROM jobs j JOIN workers w ON w.id = j.worker_id
    WHERE j.state = 'running' AND w.lease_expires_at < now() FOR UPDATE OF j SKIP LOCKED
), job AS (
    UPDATE jobs j SET
        state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                     WHEN last_one THEN 'dead' ELSE 'queued' END,
        error = CASE WHEN cancel_requested_at IS NULL AND last_one THEN jsonb_build_object(
                     'code', 'attempts_exhausted',
                     'message', format('every one of its %s attempts lost its worker', max_attempts)) ELSE error END,
        finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR last_one THEN now() END,
        worker_id = NULL, available_at = now(), last_seq = last_seq + 1
    FROM lost WHERE j.id = lost.id RETURNING j.id, j.epoch, j.state, j.error, j.last_seq, j.queue
), attempt AS (
    UPDATE attempts a SET outcome = 'lost', finished_at = now()
    FROM job WHERE a.job_id = job.id AND a.epoch = job.epoch AND a.finished_at IS NULL
), note AS (
    INSERT INTO events (job_id, seq, epoch, type, data)
    SELECT id, last_seq, epoch, CASE state WHEN 'queued' THEN 'attempt.lost' ELSE 'job.' || state END,
        jsonb_strip_nulls(jsonb_build_object('error', error))
    FROM job
)
SELECT id, state, queue, pg_notify(:channel, id::text) IS NULL AS told,
    CASE WHEN state <> 'queued' THEN pg_notify(:channel, id || '/ended') IS NULL END AS told_end
FROM job""")

_CANCELLED = text("SELECT id FROM jobs WHERE id = ANY(:ids) AND cancel_requested_at IS NOT NULL AND state = 'running'")


class ClaimStore:
    """Every verb on jobs that a worker may use."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def claim(
        self, worker: UUID, worker_name: str, queues: Sequence[str], *, limit: int, ids: Sequence[UUID] | None = None
    ) -> list[Claim]:
        """Take at most `limit` jobs, of `ids` where given. What another worker holds or runs is passed over.

        Each claim begins a new attempt: its epoch is one higher than the last.
        """
        values = {
            "worker": worker,
            "worker_name": worker_name,
            "queues": list(queues),
            "ids": None if ids is None else list(ids),
            "limit": limit,
            "channel": EVENTS_CHANNEL,
        }
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_CLAIM, values)).mappings().all()
        return [Claim.model_validate(dict(row)) for row in rows]

    async def append(self, events: Sequence[tuple[Claim, NewEvent]]) -> set[tuple[UUID, int]]:
        """Journal events of any number of attempts; returns the (job, epoch) pairs that are still held.

        Events of an attempt keep their order. Those of a stale attempt are dropped.
        """
        async with self.db.begin() as connection:
            return await self._append(connection, events)

    async def _append(
        self, connection: AsyncConnection, events: Sequence[tuple[Claim, NewEvent]]
    ) -> set[tuple[UUID, int]]:
        rows = _numbered(events)
        result = await connection.execute(_APPEND, {"events": rows, "channel": EVENTS_CHANNEL})
        held = {(row.id, row.epoch) for row in result}
        calls = [row for row in rows if row["type"] == "model.call" and (UUID(row["job"]), row["epoch"]) in held]
        if calls:
            await connection.execute(_MODEL_CALLS, {"events": calls})
        return held

    async def finish(
        self,
        claim: Claim,
        state: JobState,
        *,
        output: Any = None,
        error: Problem | None = None,
        events: Sequence[NewEvent] = (),
    ) -> None:
        """End the job in one transaction: last events, terminal event, output and attempt.

        A job that somebody has asked to end ends as `cancelled`, whatever `state` says.

        Raises:
            LeaseLost: another attempt has begun, or somebody else has ended the job; nothing was written.
        """
        values = {
            "job": claim.job_id,
            "epoch": claim.epoch,
            "state": state.value,
            "output": output,
            "error": error.model_dump() if error else None,
            "channel": EVENTS_CHANNEL,
        }
        # Without events before it, one statement is the whole transaction.
        async with self.db.begin() if events else self.db.autocommit() as connection:
            if events:
                await self._append(connection, [(claim, event) for event in events])
            if await connection.scalar(_FINISH, values) is None:
                raise LeaseLost(f"job {str(claim.job_id)!r}: attempt {claim.epoch} is not the current one")

    async def hand_back(self, claim: Claim, events: Sequence[NewEvent] = ()) -> None:
        """Give the job back to its queue, to go on from its last checkpoint elsewhere; nothing when it is stale.

        A job that somebody has asked to end is `cancelled` instead.
        """
        values = {"job": claim.job_id, "epoch": claim.epoch, "channel": EVENTS_CHANNEL}
        async with self.db.begin() as connection:
            if events:
                await self._append(connection, [(claim, event) for event in events])
            await connection.execute(_HAND_BACK, values)

    async def put_artifact(self, claim: Claim, name: str, media_type: str, size: int, sha256: str) -> Artifact:
        """Name a blob as an artifact of the job; the same name again replaces it.

        Raises:
            LeaseLost: another attempt has begun.
        """
        values = {
            "id": new_id(),
            "job": claim.job_id,
            "epoch": claim.epoch,
            "name": name,
            "media_type": media_type,
            "size": size,
            "sha256": sha256,
        }
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_ARTIFACT, values)).mappings().first()
        if row is None:
            raise LeaseLost(f"job {str(claim.job_id)!r}: attempt {claim.epoch} is not the current one")
        return Artifact.model_validate(dict(row))

    async def reconcile(self) -> list[tuple[UUID, str, JobState]]:
        """Take the jobs of dead workers from them; returns (job, queue, new state) of each."""
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_RECONCILE, {"channel": EVENTS_CHANNEL})).all()
        return [(row.id, row.queue, JobState(row.state)) for row in rows]

    async def cancelled(self, ids: Sequence[UUID]) -> list[UUID]:
        """Which of these running jobs somebody has asked to end."""
        async with self.db.autocommit() as connection:
            return list((await connection.scalars(_CANCELLED, {"ids": list(ids)})).all())


def _numbered(events: Sequence[tuple[Claim, NewEvent]]) -> list[dict[str, Any]]:
    """Rows for the database; `position` counts from 1 within each attempt."""
    count: dict[tuple[UUID, int], int] = {}
    rows = []
    for claim, event in events:
        key = (claim.job_id, claim.epoch)
        count[key] = count.get(key, 0) + 1
        rows.append(
            {
                "job": str(claim.job_id),
                "epoch": claim.epoch,
                "position": count[key],
                # Not `model_dump`: it refuses what is nested deep, and `data` may be anything.
                "type": event.type,
                "step": event.step,
                "data": event.data,
                "age": event.age,
            }
        )
    return rows
