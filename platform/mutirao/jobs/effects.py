"""The ledger: what the steps of a job did to the world outside, and what models answered to them.

An intent is committed before the call, its result after it, both fenced. What is left at `intent` is unknown: the
call may or may not have been made.
"""

import time
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from mutirao.db import Database
from mutirao.errors import LeaseLost
from mutirao.ids import new_id
from mutirao.jobs.records import Claim, Effect

EFFECT, MODEL = "tool", "model"

_HELD = "SELECT id FROM jobs WHERE id = :job AND epoch = :epoch AND state = 'running' FOR SHARE"

_LATE_SECONDS = 1.0
_MOST_LATE = 5

# Exactly one row while the attempt holds the job: the new intent, or what an earlier call has left under that key.
_BEGIN = text(f"""
WITH held AS ({_HELD}), made AS (
    INSERT INTO effects (job_id, key, kind, epoch, step, state, idempotent, request_sha256, result)
    SELECT id, :key, 'tool', :epoch, :step, 'intent', :idempotent, :request_sha256,
        jsonb_build_object('begun_by', CAST(:begun_by AS text))
    FROM held
    ON CONFLICT (job_id, key) DO NOTHING RETURNING *
)
SELECT true AS fresh, true AS held, key, state, epoch, request_sha256, result FROM made
UNION ALL
SELECT e.state = 'intent' AND coalesce(e.result->>'begun_by' = :begun_by, false), true, e.key, e.state, e.epoch,
    e.request_sha256, e.result
FROM held JOIN effects e ON e.job_id = held.id AND e.key = :key
UNION ALL
SELECT false, EXISTS (SELECT 1 FROM held), NULL, NULL, NULL, NULL, NULL ORDER BY key NULLS LAST LIMIT 1""")

# The following bear being done twice: the connection may break after the commit.
_AGAIN = text(f"""
WITH held AS ({_HELD}), written AS (
    UPDATE effects e SET epoch = :epoch, result = :result FROM held
    WHERE e.job_id = held.id AND e.key = :key AND e.state = 'intent'
)
SELECT id FROM held""").bindparams(bindparam("result", type_=JSONB))

_DONE = text(f"""
WITH held AS ({_HELD}), written AS (
    UPDATE effects e SET state = 'done', epoch = :epoch, result = :result, done_at = now() FROM held
    WHERE e.job_id = held.id AND e.key = :key AND e.state = 'intent'
)
SELECT id FROM held""").bindparams(bindparam("result", type_=JSONB))

_TAKE_BACK = text(f"""
WITH held AS ({_HELD}), written AS (
    DELETE FROM effects e USING held WHERE e.job_id = held.id AND e.key = :key AND e.state = 'intent'
)
SELECT id FROM held""")

# Without a lock on the job: a blocking call in the loop that writes the job's journal may wait for nothing of that loop.
# An answer that comes while the next attempt begins is as good as any other.
_ANSWERED = text("""
WITH held AS (SELECT id FROM jobs WHERE id = :job AND epoch = :epoch AND state = 'running')
INSERT INTO effects (job_id, key, kind, epoch, step, state, idempotent, request_sha256, result, done_at)
SELECT id, :key, 'model', :epoch, :step, 'done', true, :request_sha256, :result, now() FROM held
ON CONFLICT (job_id, key) DO NOTHING""").bindparams(bindparam("result", type_=JSONB))

_ANSWER_KEYS = text("SELECT key FROM effects WHERE job_id = :job AND kind = 'model'")

_ANSWER = text("SELECT result FROM effects WHERE job_id = :job AND key = :key AND kind = 'model'")


class EffectStore:
    """Every verb on the ledger. Each write is refused (LeaseLost) once another attempt of the job has begun."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def begin(
        self,
        claim: Claim,
        key: str,
        *,
        step: str | None,
        idempotent: bool,
        request_sha256: str = "",
        begun_by: UUID | None = None,
    ) -> Effect:
        """Write the intent, or find what is there under that key.

        An intent that the same `begun_by` has written before is fresh again: its writer could not see that it had been.
        An answer that took long is asked for again: this process may have stood still, and lost its job meanwhile.
        """
        values = _fenced(claim, key) | {"step": step, "idempotent": idempotent, "request_sha256": request_sha256}
        values["begun_by"] = str(begun_by or new_id())
        slow = 0
        while True:
            began = time.monotonic()
            async with self.db.autocommit() as connection:
                row = (await connection.execute(_BEGIN, values)).mappings().one()
            if not row["held"]:
                raise _lost(claim)
            late = time.monotonic() - began > _LATE_SECONDS and slow < _MOST_LATE
            if row["key"] is not None and not late:
                return Effect.model_validate(dict(row))
            slow += late
            # Late, or the same key was written at the same moment; the next look sees it.

    async def again(self, claim: Claim, key: str, note: Any) -> None:
        """Say that the call of an unknown effect is about to be repeated; `note` is found as its result meanwhile."""
        await self._write(_AGAIN, claim, key, result=note)

    async def done(self, claim: Claim, key: str, result: Any) -> None:
        """The call was made; `result` is JSON."""
        await self._write(_DONE, claim, key, result=result)

    async def take_back(self, claim: Claim, key: str) -> None:
        """The call was certainly not made: the intent is forgotten."""
        await self._write(_TAKE_BACK, claim, key)

    async def _write(self, statement: Any, claim: Claim, key: str, **values: Any) -> None:
        async with self.db.autocommit() as connection:
            written = await connection.scalar(statement, _fenced(claim, key) | values)
        if written is None:
            raise _lost(claim)

    async def answered(self, claim: Claim, key: str, result: Any, *, step: str | None, request_sha256: str) -> None:
        """Keep a model's answer; nothing is kept of an attempt that no longer holds its job."""
        values = _fenced(claim, key) | {"result": result, "step": step, "request_sha256": request_sha256}
        async with self.db.autocommit() as connection:
            await connection.execute(_ANSWERED, values)

    async def answer_keys(self, job_id: UUID) -> list[str]:
        """Keys of every answer of a model that the job has been given so far."""
        async with self.db.autocommit() as connection:
            return list((await connection.scalars(_ANSWER_KEYS, {"job": job_id})).all())

    async def answer(self, job_id: UUID, key: str) -> Any:
        """The answer kept under a key; None when there is none."""
        async with self.db.autocommit() as connection:
            return await connection.scalar(_ANSWER, {"job": job_id, "key": key})


def _fenced(claim: Claim, key: str) -> dict[str, Any]:
    return {"job": claim.job_id, "epoch": claim.epoch, "key": key}


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"job {str(claim.job_id)!r}: attempt {claim.epoch} may write no more effects")
