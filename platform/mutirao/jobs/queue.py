"""The queue as a claim sees it: which jobs a worker may run, in which order, and the statement that gives them to it."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from mutirao.db import Database
from mutirao.jobs.channels import EVENTS_CHANNEL
from mutirao.jobs.sql import CLAIM, not_yet, turn

_LIMITS_SECONDS = 2.0
_SPARE = 16
_NO_SLOTS = {"shared": 0, "exclusive": 0}

# Whether any project limits how many of its jobs run at once.
_LIMITED = text("SELECT EXISTS (SELECT 1 FROM projects WHERE max_running IS NOT NULL)")
# While one does, claims go one after another: each must see what the one before it has taken.
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(7203664)")

# A job (j) that this worker (served: what it serves) may run now: due, of a version it has, first of its thread. A job
# that has begun keeps its version; one that has not takes the worker's. Of a thread, what has begun since it was accepted
# or last retried goes first: it goes on from the thread's newest checkpoint, which must not become another job's. What is
# to begin later keeps nobody from beginning now.
_CLAIMABLE = f"""
    j.state = 'queued' AND j.available_at <= now() AND (j.deadline_at IS NULL OR j.deadline_at > now())
    AND j.pause_requested_at IS NULL AND (j.epoch = 0 OR j.version = served.version)
    AND NOT EXISTS (
        SELECT 1 FROM jobs o WHERE o.thread_id = j.thread_id AND o.id <> j.id AND o.finished_at IS NULL
            AND (o.state = 'running' OR o.state IN ('queued', 'waiting', 'paused', 'stranded')
                AND {turn("o")} < {turn("j")} AND NOT {not_yet("o")}))"""

_SERVED = "jobs j JOIN worker_workflows served ON served.worker_id = :worker AND served.workflow = j.workflow"
_CANDIDATE = "j.id, j.epoch, j.kind, j.project_id, j.priority, j.available_at"

# The jobs of a lane (l) in their order; the caller adds how many.
_LANE = f"""
    SELECT {_CANDIDATE} FROM {_SERVED}
    WHERE j.queue = l.queue AND j.kind = l.kind AND j.project_id = l.project_id AND {_CLAIMABLE}
    ORDER BY j.priority DESC, j.available_at, j.id"""

# Kinds with a free slot; none at all when the worker's lease has run out.
_SLOT = """
slot AS (
    SELECT kind, free FROM (VALUES ('shared', CAST(:shared AS int)), ('exclusive', CAST(:exclusive AS int))) AS s(kind, free)
    WHERE free > 0 AND EXISTS (SELECT 1 FROM workers WHERE id = :worker AND lease_expires_at > now())
)"""

# How many of its jobs each project runs.
_BUSY = """
busy AS MATERIALIZED (
    SELECT project_id, count(*) AS running FROM jobs WHERE state = 'running' GROUP BY project_id
)"""

# The next jobs of the projects whose turn it is. ix_jobs_queued serves all of it: `lane` leaps from one (queue, kind,
# project) to the next, however many jobs are queued in each; `front` has the lanes that have a job to run, those with few
# running jobs first, then those whose job is due longest; `candidate` reads what is due in the first of them. It reads
# some more than fit, as claimers at once meet at the head of a lane and pass over what the others have locked.
_NEXT = f"""{_SLOT}, {_BUSY}, lane AS (
    SELECT q.queue, s.kind, s.free, j.project_id
    FROM unnest({{queues}}) AS q(queue) CROSS JOIN slot s CROSS JOIN LATERAL (
        SELECT project_id FROM jobs WHERE state = 'queued' AND queue = q.queue AND kind = s.kind
        ORDER BY project_id, priority DESC LIMIT 1
    ) j
    UNION ALL
    SELECT l.queue, l.kind, l.free, j.project_id
    FROM lane l CROSS JOIN LATERAL (
        SELECT project_id FROM jobs WHERE state = 'queued' AND queue = l.queue AND kind = l.kind
            AND project_id > l.project_id
        ORDER BY project_id, priority DESC LIMIT 1
    ) j
), front AS MATERIALIZED (
    SELECT l.queue, l.kind, l.project_id, l.free + {_SPARE} AS enough, count(*) OVER (PARTITION BY l.kind) AS lanes,
        row_number() OVER (PARTITION BY l.kind ORDER BY coalesce(b.running, 0), j.available_at, j.id) AS place
    FROM lane l LEFT JOIN busy b ON b.project_id = l.project_id CROSS JOIN LATERAL ({_LANE} LIMIT 1) j
), candidate AS MATERIALIZED (
    SELECT j.* FROM front l CROSS JOIN LATERAL ({_LANE} LIMIT l.enough / least(l.lanes, l.enough) + 2) j
    WHERE l.place <= l.enough
)"""

_HINTED = f"""{_SLOT}, {_BUSY}, candidate AS MATERIALIZED (
    SELECT {_CANDIDATE} FROM {_SERVED} WHERE j.id = ANY({{ids}}) AND j.queue = ANY({{queues}}) AND {_CLAIMABLE}
)"""

# `turn`: how many jobs of its project run once it does; lowest first, so that a project with few running goes before one
# with many, whatever they have queued. `place`: the same job among all that its project could begin now. Rows are locked
# one by one until enough are found, never more.
_GIVE = f"""
, ranked AS MATERIALIZED (
    SELECT c.id, c.epoch, c.kind, c.available_at,
        coalesce(b.running, 0) + row_number() OVER (
            PARTITION BY c.project_id, c.kind ORDER BY c.priority DESC, c.available_at, c.id) AS turn,
        row_number() OVER (PARTITION BY c.project_id ORDER BY c.priority DESC, c.available_at, c.id) AS place,
        p.max_running - coalesce(b.running, 0) AS room
    FROM candidate c JOIN projects p ON p.id = c.project_id LEFT JOIN busy b ON b.project_id = c.project_id
), picked AS (
    SELECT t.id FROM slot s CROSS JOIN LATERAL (
        SELECT j.id FROM (
            SELECT * FROM ranked r WHERE r.kind = s.kind AND (r.room IS NULL OR r.place <= r.room)
            ORDER BY r.turn, r.available_at, r.id
        ) r CROSS JOIN LATERAL (
            SELECT id FROM jobs WHERE id = r.id AND state = 'queued' AND epoch = r.epoch FOR NO KEY UPDATE SKIP LOCKED
        ) j LIMIT s.free
    ) t
), job AS (
    UPDATE jobs j SET state = 'running', epoch = epoch + 1, worker_id = :worker, last_seq = last_seq + 1,
        version = (SELECT version FROM worker_workflows w WHERE w.worker_id = :worker AND w.workflow = j.workflow),
        started_at = coalesce(started_at, now())
    WHERE j.id = ANY (ARRAY(SELECT id FROM picked)) RETURNING j.*
), attempt AS (
    INSERT INTO attempts (job_id, epoch, worker_id, worker_name, began_seq)
    SELECT id, epoch, :worker, :worker_name, last_seq FROM job
), note AS (
    INSERT INTO events (job_id, seq, epoch, type, data)
    SELECT id, last_seq, epoch, 'job.started', jsonb_build_object('worker', CAST(:worker_name AS text)) FROM job
)
SELECT {CLAIM}, pg_notify('{EVENTS_CHANNEL}', id::text) IS NULL AS told
FROM job"""


@cache
def claim_statement(queues: int, ids: int | None = None) -> TextClause:
    """The claim in so many queues (`:queue0`, …), of so many jobs (`:id0`, …) or of all there are.

    Each number has a statement of its own, as PostgreSQL plans one with arrays of unknown length anew at every call, and
    planning takes longer than the claim.
    """
    names = f"ARRAY[{', '.join(f'CAST(:queue{number} AS text)' for number in range(queues))}]"
    if ids is None:
        return text(f"WITH RECURSIVE {_NEXT.format(queues=names)}{_GIVE}")
    hinted = f"ARRAY[{', '.join(f'CAST(:id{number} AS uuid)' for number in range(ids))}]"
    return text(f"WITH {_HINTED.format(queues=names, ids=hinted)}{_GIVE}")


class Queue:
    """Gives queued jobs to workers. One round trip, unless a project limits how many of its jobs run at once."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._limited = False
        self._look_at = 0.0

    async def claim(
        self, worker: UUID, name: str, queues: Sequence[str], slots: Mapping[str, int], ids: Sequence[UUID] | None
    ) -> list[dict[str, Any]]:
        """Begin attempts; see `ClaimStore.claim`."""
        values: dict[str, Any] = {"worker": worker, "worker_name": name} | _NO_SLOTS
        values |= {f"queue{number}": queue for number, queue in enumerate(queues)}
        if ids is None:
            return await self._fill(claim_statement(len(queues)), values, slots)
        if not ids:
            return []
        hints = _padded(list(ids))
        values |= {f"id{number}": job_id for number, job_id in enumerate(hints)}
        return await self._give(claim_statement(len(queues), len(hints)), values | dict(slots))

    async def _fill(
        self, statement: TextClause, values: Mapping[str, Any], slots: Mapping[str, int]
    ) -> list[dict[str, Any]]:
        """Claim until the slots are full or nothing is found. A look reads only so far into each lane: of a kind that it
        found some of, but not all that fit, there may be more."""
        given: list[dict[str, Any]] = []
        while slots:
            try:
                rows = await self._give(statement, {**values, **slots})
            except (SQLAlchemyError, OSError):
                if not given:
                    raise
                break  # the worker holds those that were given before
            given += rows
            taken = Counter(row["kind"] for row in rows)
            slots = {kind: free - taken[kind] for kind, free in slots.items() if 0 < taken[kind] < free}
        return given

    async def _give(self, statement: TextClause, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        try:
            return await self._give_once(statement, values)
        except IntegrityError:
            # Two claims at once took jobs of one thread (an earlier one was retried meanwhile). Now one of them runs.
            return await self._give_once(statement, values)

    async def _give_once(self, statement: TextClause, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        limited = await self._is_limited()
        async with self._db.begin() if limited else self._db.autocommit() as connection:
            if limited:
                await connection.execute(_ONE_AT_A_TIME)
            return [dict(row) for row in (await connection.execute(statement, values)).mappings()]

    async def _is_limited(self) -> bool:
        """Whether any project has `max_running`, as of at most two seconds ago."""
        now = time.monotonic()
        if now >= self._look_at:
            async with self._db.autocommit() as connection:
                self._limited = bool(await connection.scalar(_LIMITED))
            self._look_at = now + _LIMITS_SECONDS
        return self._limited


def _padded(ids: list[UUID]) -> list[UUID]:
    """The ids, the last one repeated up to a power of two: few different numbers of them."""
    missing = (1 << (len(ids) - 1).bit_length()) - len(ids)
    return ids + ids[-1:] * missing
