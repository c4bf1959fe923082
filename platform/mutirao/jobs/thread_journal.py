"""The journals of a thread's runs as one, for the thread protocol (v3).

A thread's events are numbered by one rising number, `seq`, that follows from what is stored and never changes: the
milliseconds from the thread's making to the beginning of the attempt, and behind them the event's place among those of the
attempt; an attempt never begins below the last number of the one before it. Attempts of a thread never overlap, so the order
of these numbers is the order in which things happened, and who has seen everything up to one number has missed nothing.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from mutirao.db import Database
from mutirao.jobs.records import Record
from mutirao.jobs.states import TERMINAL, JobState

PLACE_BITS = 14
"""So many bits of a number are the place in the attempt. Numbers stay below 2**53 for 17 years."""

_ENDS = ", ".join(f"'job.{state.value}'" for state in sorted(TERMINAL))

# A job that nobody has begun ends at a place of its own, unless another run of the thread was under way then: its readers
# would take it for the end of that one.
_PLACES = f"""
thread AS (
    SELECT id, floor(extract(epoch FROM created_at) * 1000)::bigint AS began FROM threads
    WHERE id = :thread AND project_id = :project
), run AS (
    SELECT j.id, j.epoch, j.last_seq, j.finished_at, t.began FROM thread t JOIN jobs j ON j.thread_id = t.id
    WHERE (j.run->'stream'->>'protocol')::boolean
), part AS (
    SELECT r.id AS job, a.epoch, a.started_at AS at, greatest(a.began_seq - 1, 0) AS before,
        coalesce(nullif(lead(a.began_seq) OVER (PARTITION BY r.id ORDER BY a.epoch), 0) - 1, r.last_seq) AS last,
        (floor(extract(epoch FROM a.started_at) * 1000)::bigint - r.began) << {PLACE_BITS} AS own
    FROM run r JOIN attempts a ON a.job_id = r.id
    UNION ALL
    SELECT r.id, 0, r.finished_at, 0, r.last_seq,
        (floor(extract(epoch FROM r.finished_at) * 1000)::bigint - r.began) << {PLACE_BITS}
    FROM run r WHERE r.epoch = 0 AND r.finished_at IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM jobs o WHERE o.thread_id = :thread AND o.started_at <= r.finished_at
            AND (o.finished_at IS NULL OR o.finished_at > r.finished_at))
), numbered AS (
    SELECT *, coalesce(sum(greatest(last - before, 0) + 1) OVER (
        ORDER BY at, job, epoch ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::bigint AS told FROM part
), place AS (
    SELECT job, epoch, before, last, told + max(own - told) OVER (ORDER BY at, job, epoch) AS base FROM numbered
)"""
# `base` of an attempt: its own milliseconds, or, where these are not behind the last number of the one before it, the number
# behind that. `told` is how many numbers all before it have taken: base - told never falls.

_AFTER = text(f"""
WITH {_PLACES}
SELECT p.base + e.seq - p.before AS seq, p.job, e.type, e.data, e.created_at AS at,
    extract(epoch FROM clock_timestamp() - e.created_at)::float AS age, j.workflow, q.interrupt_id
FROM place p JOIN jobs j ON j.id = p.job CROSS JOIN LATERAL (
    SELECT * FROM events e
    WHERE e.job_id = p.job AND e.epoch = p.epoch AND e.seq > :since - p.base + p.before AND (
        e.type IN ('stream.protocol', 'job.started', 'approval.requested', 'job.paused')
        OR e.type IN ({_ENDS}) AND NOT e.data ? 'superseded_by')
        AND (CAST(:job AS uuid) IS NULL OR e.job_id = :job)
    ORDER BY e.seq LIMIT :limit
) e LEFT JOIN approvals q ON e.type = 'approval.requested' AND q.id = (e.data->>'id')::uuid
WHERE p.base + p.last - p.before > :since
ORDER BY seq LIMIT :limit""")

# What an event is, without what it carries.
_OUTLINE = """CASE e.type
        WHEN 'stream.protocol' THEN jsonb_build_object('method', e.data -> 'method', 'namespace', e.data -> 'namespace',
            'data', CASE e.data ->> 'method'
                WHEN 'lifecycle' THEN jsonb_build_object('event', e.data #> '{data,event}',
                    'graph_name', e.data #> '{data,graph_name}')
                WHEN 'custom' THEN jsonb_build_object('name', CASE jsonb_typeof(e.data -> 'data') WHEN 'object'
                    THEN e.data #> '{data,name}' END) END)
        ELSE jsonb_build_object('waiting_for', e.data -> 'waiting_for', 'id', e.data -> 'id', 'request', NULL) END"""
_OUTLINES = text(_AFTER.text.replace("e.data, e.created_at AS at", f"{_OUTLINE} AS data, e.created_at AS at"))

_HEAD = text(f"""
WITH {_PLACES}
SELECT j.id AS job, j.state, j.waiting_for, j.workflow, j.assistant_id, coalesce(p.base, 0) AS base,
    coalesce(p.base + p.last - p.before, 0) AS last,
    (SELECT coalesce(max(base + last - before), 0) FROM place) AS told,
    extract(epoch FROM clock_timestamp() - j.finished_at)::float AS ended_ago
FROM jobs j JOIN thread t ON t.id = j.thread_id
LEFT JOIN LATERAL (SELECT * FROM place WHERE job = j.id ORDER BY base DESC LIMIT 1) p ON true
WHERE (j.run->'stream'->>'protocol')::boolean
ORDER BY coalesce(p.base, 1 << 62) DESC, j.id DESC LIMIT 1""")

_LAST = text(f"WITH {_PLACES} SELECT coalesce(max(base + last - before), 0) FROM place")

_ASKED = text("""
SELECT a.interrupt_id FROM approvals a JOIN jobs j ON j.id = a.job_id
WHERE j.thread_id = :thread AND j.project_id = :project AND j.state = 'paused' AND a.state = 'pending' ORDER BY a.id""")

_THREAD = text("""
SELECT workflow, assistant_id, interrupts, EXISTS (
    SELECT 1 FROM jobs j WHERE j.thread_id = t.id AND j.finished_at IS NULL
        AND (j.state <> 'paused' OR j.waiting_for = 'request')) AS busy
FROM threads t WHERE id = :thread AND project_id = :project""")

_CHECKPOINTS = text("SELECT to_regclass('checkpoints') IS NOT NULL")
_CHECKPOINT = text("""
SELECT 1 FROM checkpoints c JOIN threads t ON t.id::text = c.thread_id
WHERE c.thread_id = :thread AND t.project_id = :project AND c.checkpoint_id = :checkpoint LIMIT 1""")


class ThreadEvent(Record):
    """An event of one of the thread's runs."""

    seq: int
    job: UUID
    type: str
    data: dict[str, Any]
    at: datetime
    age: float
    workflow: str
    interrupt_id: str | None = None


class Head(Record):
    """The thread's newest run whose events are told: `base` is the number before its first event, `last` that of its last.
    Both are 0 while nobody has begun it; `told` is the number of the thread's newest event."""

    job: UUID
    state: JobState
    waiting_for: str | None
    workflow: str
    assistant_id: UUID | None
    base: int
    last: int
    told: int
    ended_ago: float | None

    @property
    def asks(self) -> bool:
        """Whether it waits for a person."""
        return self.state is JobState.PAUSED and self.waiting_for == "approval"

    @property
    def rests(self) -> bool:
        """Whether nothing comes of it without somebody's doing."""
        return self.state.terminal or self.asks


class ThreadFacts(Record):
    """What a command on a thread has to know of it."""

    workflow: str | None
    assistant_id: UUID | None
    interrupts: dict[str, Any]
    busy: bool


class ThreadJournal:
    """The events of threads. A thread of another project has none, like an unknown one."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def after(
        self,
        project_id: UUID,
        thread_id: UUID,
        since: int,
        *,
        job_id: UUID | None = None,
        limit: int = 500,
        outlines: bool = False,
    ) -> list[ThreadEvent]:
        """At most `limit` events with `seq > since`, in order; those of one job where one is given. `outlines`: without
        what they carry."""
        values = {"since": since, "limit": limit, "job": job_id}
        async with self._db.autocommit() as connection:
            rows = await connection.execute(
                _OUTLINES if outlines else _AFTER, values | {"project": project_id, "thread": thread_id}
            )
            return [ThreadEvent.model_construct(**row) for row in rows.mappings()]

    async def head(self, project_id: UUID, thread_id: UUID) -> Head | None:
        """The newest run; one that nobody has begun is newer than all that somebody has."""
        async with self._db.autocommit() as connection:
            values = {"project": project_id, "thread": thread_id}
            row = (await connection.execute(_HEAD, values)).mappings().first()
        return None if row is None else Head.model_validate(dict(row))

    async def last(self, project_id: UUID, thread_id: UUID) -> int:
        """The number of the newest event; 0: there is none."""
        async with self._db.autocommit() as connection:
            return int(await connection.scalar(_LAST, {"project": project_id, "thread": thread_id}) or 0)

    async def asked(self, project_id: UUID, thread_id: UUID) -> list[str]:
        """Ids of the interrupts that wait for an answer, in the order they were asked."""
        async with self._db.autocommit() as connection:
            return list((await connection.scalars(_ASKED, {"project": project_id, "thread": thread_id})).all())

    async def facts(self, project_id: UUID, thread_id: UUID) -> ThreadFacts | None:
        """None: no such thread in this project."""
        async with self._db.autocommit() as connection:
            row = (await connection.execute(_THREAD, {"project": project_id, "thread": thread_id})).mappings().first()
        return None if row is None else ThreadFacts.model_validate(dict(row))

    async def has_checkpoint(self, project_id: UUID, thread_id: UUID, checkpoint_id: str) -> bool:
        """Whether this thread has a checkpoint of that id."""
        async with self._db.autocommit() as connection:
            if not await connection.scalar(_CHECKPOINTS):
                return False
            values = {"project": project_id, "thread": str(thread_id), "checkpoint": checkpoint_id}
            return await connection.scalar(_CHECKPOINT, values) is not None
