"""The journal of attempts: their events, numbered without gaps, and the model calls among them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.jobs.channels import EVENTS_CHANNEL
from mutirao.jobs.records import Claim, NewEvent
from mutirao.jobs.sql import statement

# Numbers the events of many jobs at once; jobs whose epoch is stale are left out and not returned. Rows are locked in
# the order of their ids, as whoever else locks many does it: two of them never wait for each other.
_APPEND = statement(
    f"""
WITH batch AS (
    SELECT * FROM jsonb_to_recordset(:events)
        AS e(job uuid, epoch int, position int, type text, step text, data jsonb, age float)
), counted AS (
    SELECT job, epoch, count(*) AS n FROM batch GROUP BY job, epoch
), held AS (
    SELECT j.id, c.epoch, c.n FROM jobs j JOIN counted c ON c.job = j.id AND c.epoch = j.epoch
    WHERE j.state = 'running' ORDER BY j.id FOR NO KEY UPDATE OF j
), bumped AS (
    UPDATE jobs j SET last_seq = last_seq + n FROM held h
    WHERE j.id = h.id AND j.epoch = h.epoch AND j.state = 'running'
    RETURNING j.id, j.epoch, j.last_seq - n AS base
), written AS (
    INSERT INTO events (job_id, seq, epoch, type, step, data, created_at)
    SELECT b.id, b.base + e.position, b.epoch, e.type, e.step, e.data, now() - make_interval(secs => e.age)
    FROM bumped b JOIN batch e ON e.job = b.id AND e.epoch = b.epoch
)
SELECT id, epoch, pg_notify('{EVENTS_CHANNEL}', id::text) IS NULL AS told FROM bumped""",
    "events",
)

MODEL_CALL = "model.call"
"""Events of this type are rows of `model_calls`, too, unless their answer was replayed."""

_MODEL_CALLS = statement(
    """
INSERT INTO model_calls (id, job_id, epoch, step, model, prompt, answer, input_tokens, output_tokens, cached_tokens,
    milliseconds, error)
SELECT gen_random_uuid(), job, epoch, step, data->>'model', data->'prompt', data->>'answer',
    coalesce((data->>'input_tokens')::int, 0), coalesce((data->>'output_tokens')::int, 0),
    coalesce((data->>'cached_tokens')::int, 0), coalesce((data->>'milliseconds')::int, 0), data->>'error'
FROM jsonb_to_recordset(:events) AS e(job uuid, epoch int, step text, data jsonb)""",
    "events",
)


async def append(connection: AsyncConnection, events: Sequence[tuple[Claim, NewEvent]]) -> set[tuple[UUID, int]]:
    """Journal events of any number of attempts; returns the (job, epoch) pairs that are still held.

    Events of an attempt keep their order. Those of a stale attempt are dropped.
    """
    rows = numbered(events)
    result = await connection.execute(_APPEND, {"events": rows})
    held = {(row.id, row.epoch) for row in result}
    # An answer that was replayed is in the journal, but it was no call.
    made = [row for row in rows if row["type"] == MODEL_CALL and not row["data"].get("replayed")]
    calls = [row for row in made if (UUID(row["job"]), row["epoch"]) in held]
    if calls:
        await connection.execute(_MODEL_CALLS, {"events": calls})
    return held


def numbered(events: Sequence[tuple[Claim, NewEvent]]) -> list[dict[str, Any]]:
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
