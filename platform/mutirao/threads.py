"""Threads: ordered series of jobs that share checkpoints.

A thread's row keeps what its last job, or the last change of its state by hand, has left: values, interrupts, the steps
that would run next. Its status follows from its jobs and is derived whenever it is read. Nothing here asks a worker.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import RowMapping, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.db import Database
from mutirao.errors import Conflict, NotFound, PreconditionFailed
from mutirao.ids import new_id
from mutirao.jobs import changes
from mutirao.jobs.checkpoint_tables import CheckpointTables
from mutirao.jobs.records import Record
from mutirao.jobs.sql import statement

Status = Literal["idle", "busy", "interrupted", "error"]
SortBy = Literal["id", "status", "created_at", "updated_at", "state_updated_at"]
IfExists = Literal["raise", "do_nothing"]
TtlStrategy = Literal["delete", "keep_latest"]

# Of a thread t: its last job; one that was rolled back is not there any more. Served by ix_jobs_thread_id. Jobs are
# numbered as they were submitted, and one that was to begin later, or was retried, may have been the last to begin.
# `later`: it came by the native API, and has ended after the last one that has left a state.
_LAST = """
LEFT JOIN LATERAL (
    SELECT *, j.plain AND j.state = 'succeeded' AND j.finished_at > t.state_updated_at AS later FROM (
        SELECT j.id, j.state, j.waiting_for, j.workflow, j.output, j.error, j.started_at, j.finished_at,
            j.run IS NULL AS plain FROM jobs j
        WHERE j.thread_id = t.id AND NOT (j.rolled_back AND j.finished_at IS NOT NULL) ORDER BY j.id DESC LIMIT 20
    ) j ORDER BY coalesce(j.started_at, j.finished_at) DESC NULLS LAST, j.id DESC LIMIT 1
) l ON true"""
_FAILED = "('failed', 'dead', 'budget_exhausted')"
_STATUS = f"""
CASE WHEN EXISTS (
        SELECT 1 FROM jobs j WHERE j.thread_id = t.id AND (j.state IN ('queued', 'running', 'waiting', 'stranded')
            OR j.state = 'paused' AND j.waiting_for = 'request')) THEN 'busy'
    WHEN l.state IN {_FAILED}
        AND NOT coalesce(t.state_updated_at > l.finished_at, false) THEN 'error'
    WHEN t.next <> '{{}}' AND l.later IS NOT TRUE OR l.state = 'paused' THEN 'interrupted'
    WHEN l.state = 'cancelled' AND NOT coalesce(t.state_updated_at > l.finished_at, false) THEN 'interrupted'
    ELSE 'idle' END"""

# Which threads may have a status, found from the jobs that could give it: there are few of those, and many threads. Idle
# are all others. Served by ix_jobs_queued, ix_jobs_running, ix_jobs_held and ix_jobs_unsuccessful, each of which has few
# states only: so `busy` says in three parts what the status says in one.
_JOBS_IN = "SELECT thread_id FROM jobs WHERE project_id = :project_id AND state"
_IN_STATUS: dict[Status, str] = {
    "busy": f"""t.id IN (
    {_JOBS_IN} = 'queued' UNION ALL {_JOBS_IN} = 'running' UNION ALL
    {_JOBS_IN} IN ('waiting', 'paused', 'stranded') AND (state <> 'paused' OR waiting_for = 'request'))""",
    "error": f"t.id IN ({_JOBS_IN} IN {_FAILED}) AND {_STATUS} = 'error'",
    "interrupted": f"""t.id IN (
    SELECT id FROM threads WHERE project_id = :project_id AND next <> '{{}}' UNION ALL
    {_JOBS_IN} = 'paused' UNION ALL {_JOBS_IN} = 'cancelled') AND {_STATUS} = 'interrupted'""",
    "idle": f"{_STATUS} = 'idle'",
}

# A job that came by the native API leaves its output and its approvals and no state of the thread.
_ASKED = """(
    SELECT jsonb_object_agg(a.task, a.asked) FROM (
        SELECT coalesce(task_id, interrupt_id) AS task,
            jsonb_agg(jsonb_build_object('id', interrupt_id, 'value', request) ORDER BY id) AS asked
        FROM approvals WHERE job_id = l.id AND state = 'pending' GROUP BY 1) a)"""
_VALUES = "CASE WHEN l.later THEN coalesce(l.output, t.values) ELSE coalesce(t.values, l.output) END"
_INTERRUPTS = f"""
CASE WHEN l.later THEN '{{}}' WHEN t.interrupts = '{{}}' AND l.state = 'paused' THEN coalesce({_ASKED}, '{{}}')
    ELSE t.interrupts END"""
_COLUMNS = f"""t.id, t.metadata, t.config, t.created_at, t.updated_at, coalesce(t.workflow, l.workflow) AS workflow,
    t.assistant_id, {_VALUES} AS values, {_INTERRUPTS} AS interrupts,
    CASE WHEN l.later THEN '{{}}' ELSE t.next END AS next,
    CASE WHEN {_STATUS} = 'error' THEN coalesce(t.error, l.error) END AS error,
    CASE WHEN l.later THEN l.finished_at ELSE coalesce(t.state_updated_at, l.finished_at, t.created_at) END AS state_updated_at,
    t.ephemeral, t.expires_at, t.ttl_minutes, t.ttl_strategy, t.revision, {_STATUS} AS status"""

_GET = text(f"SELECT {_COLUMNS} FROM threads t {_LAST} WHERE t.id = :id AND t.project_id = :project_id")
_LOCK = text("SELECT revision FROM threads WHERE id = :id AND project_id = :project_id FOR NO KEY UPDATE")

_INSERT = statement(
    """
INSERT INTO threads (id, project_id, metadata, workflow, expires_at, ttl_minutes, ttl_strategy)
VALUES (:id, :project_id, :metadata, :workflow, now() + make_interval(secs => CAST(:ttl_minutes AS float) * 60),
    :ttl_minutes, :ttl_strategy)
ON CONFLICT (id) DO NOTHING
RETURNING id, metadata, config, created_at, updated_at, workflow, assistant_id, values, interrupts, next, error,
    created_at AS state_updated_at, ephemeral, expires_at, ttl_minutes, ttl_strategy, revision, 'idle' AS status""",
    "metadata",
)

_UPDATE = statement(
    """
UPDATE threads SET metadata = metadata || :metadata, updated_at = now(), revision = revision + 1,
    ttl_minutes = coalesce(:ttl_minutes, ttl_minutes), ttl_strategy = coalesce(:ttl_strategy, ttl_strategy),
    expires_at = now() + make_interval(secs => coalesce(:ttl_minutes, ttl_minutes) * 60)
WHERE id = :id AND project_id = :project_id""",
    "metadata",
)

# Served by ix_threads_project_id_created_at or ix_threads_metadata. A thread that belongs to one job alone is nobody's.
_MATCHING = """
WHERE t.project_id = :project_id AND NOT t.ephemeral AND t.metadata @> :metadata
    AND (CAST(:workflow AS text) IS NULL OR t.workflow = :workflow OR t.metadata ->> 'graph_id' = :workflow)
    AND (CAST(:assistant AS text) IS NULL OR t.assistant_id::text = :assistant OR t.metadata ->> 'assistant_id' = :assistant)
    AND (CAST(:ids AS uuid[]) IS NULL OR t.id = ANY(:ids))
    AND (CAST(:before AS uuid) IS NULL OR (t.created_at, t.id) < (CAST(:made AS timestamptz), CAST(:before AS uuid)))"""
_OF_VALUES = f" AND {_VALUES} @> :values"

_COPY = text(f"""
INSERT INTO threads (id, project_id, metadata, workflow, assistant_id, config, "values", interrupts, next, error,
    state_updated_at)
SELECT :to, t.project_id, t.metadata, coalesce(t.workflow, l.workflow), t.assistant_id, t.config,
    {_VALUES}, {_INTERRUPTS}, CASE WHEN l.later THEN '{{}}' ELSE t.next END, t.error,
    greatest(t.state_updated_at, CASE WHEN l.later OR t.state_updated_at IS NULL THEN l.finished_at END)
FROM threads t {_LAST}
WHERE t.id = :id AND t.project_id = :project_id""")

_ACTIVE = text("SELECT id FROM jobs WHERE thread_id = ANY(:ids) AND finished_at IS NULL ORDER BY id")
_OWN = text("SELECT id FROM threads WHERE id = ANY(:ids) AND project_id = :project_id ORDER BY id")
# Threads before their jobs, and both in the order of their ids, as everybody does who locks them.
_LOCK_OWN = text("SELECT id FROM threads WHERE id = ANY(:ids) AND project_id = :project_id ORDER BY id FOR UPDATE")
# An attempt that has begun to store a checkpoint holds its job: it has stored it by then, and stores no other.
_HOLD = text("SELECT id FROM jobs WHERE thread_id = ANY(:ids) ORDER BY id FOR UPDATE")
_DELETE = text("DELETE FROM threads WHERE id = ANY(:ids) AND project_id = :project_id")
_OF_ASSISTANT = text("""
SELECT id FROM threads
WHERE project_id = :project_id AND (assistant_id = :assistant OR metadata ->> 'assistant_id' = CAST(:assistant AS text))""")

_USE = text("""
SELECT (SELECT count(*) FROM jobs WHERE thread_id = :id) AS jobs, count(*) AS events,
    coalesce(sum(pg_column_size(e.data)), 0) AS event_bytes
FROM events e JOIN jobs j ON j.id = e.job_id WHERE j.thread_id = :id""")


class Thread(Record):
    """An ordered series of jobs that share checkpoints."""

    id: UUID
    status: Status = Field(description="Derived from its jobs.")
    workflow: str | None = Field(None, description="What its jobs run; null: no job yet.")
    assistant_id: UUID | None = None
    metadata: dict[str, Any]
    config: dict[str, Any]
    values: Any = Field(None, description="State after its last job; null: none yet.")
    interrupts: dict[str, Any] = Field(description='What it asks people: `{task id: [{"id", "value"}]}`.')
    next: list[str] = Field(description="Steps that would run next.")
    error: Any = Field(None, description="Why its last job failed.")
    created_at: datetime
    updated_at: datetime
    state_updated_at: datetime = Field(description="When its values changed last.")
    ephemeral: bool = Field(False, description="Deleted when its one job has ended.")
    expires_at: datetime | None = None
    ttl_minutes: float | None = None
    ttl_strategy: TtlStrategy | None = None
    revision: int


class Use(Record):
    """How many, and how much of the database they take."""

    count: int
    bytes: int


class Storage(Record):
    """What a thread takes of the database."""

    checkpoints: Use
    writes: Use = Field(description="What steps have written and no checkpoint has taken in when they were written.")
    blobs: Use = Field(description="Values of channels, each version once.")
    events: Use
    jobs: int
    bytes: int = Field(description="All together.")


@dataclass(frozen=True, kw_only=True)
class Search:
    """Which threads: those that have all of what is given."""

    metadata: Mapping[str, Any] | None = None
    values: Mapping[str, Any] | None = None
    ids: Sequence[UUID] | None = None
    status: Status | None = None
    before: tuple[datetime, UUID] | None = None  # made before this moment, or at it with a lower id
    limit: int = 10
    offset: int = 0
    sort_by: SortBy = "created_at"
    descending: bool = True


class ThreadStore:
    """Every verb on threads that is done by the database alone. One of another project answers like an unknown one."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._checkpoints = CheckpointTables()

    async def create(
        self,
        project_id: UUID,
        *,
        thread_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        if_exists: IfExists = "raise",
        ttl_minutes: float | None = None,
        ttl_strategy: TtlStrategy = "delete",
    ) -> tuple[Thread, bool]:
        """Keep an empty thread; returns it and whether it is new.

        Raises:
            Conflict: there is a thread of that id, and `if_exists` is `raise` or the thread is not of this project.
        """
        given = dict(metadata or {})
        thread_id = thread_id or new_id()
        values = {
            "id": thread_id,
            "project_id": project_id,
            "metadata": given,
            "workflow": given["graph_id"] if isinstance(given.get("graph_id"), str) else None,
            "ttl_minutes": ttl_minutes,
            "ttl_strategy": ttl_strategy if ttl_minutes is not None else None,
        }
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_INSERT, values)).mappings().first()
            if row is not None:
                return _thread(row), True
            found = await self._find(connection, project_id, thread_id)
        if found is None or if_exists == "raise":
            raise Conflict(f"there is a thread {str(thread_id)!r} already; choose another id")
        return found, False

    async def get(self, project_id: UUID, thread_id: UUID) -> Thread:
        """Raises NotFound."""
        async with self.db.autocommit() as connection:
            found = await self._find(connection, project_id, thread_id)
        if found is None:
            raise _unknown(thread_id)
        return found

    async def update(
        self,
        project_id: UUID,
        thread_id: UUID,
        *,
        metadata: Mapping[str, Any] | None = None,
        ttl_minutes: float | None = None,
        ttl_strategy: TtlStrategy | None = None,
        expected: int | None = None,
    ) -> Thread:
        """Merge `metadata` by key, and set when the thread is deleted: so long after its last use.

        Raises:
            NotFound: no such thread in this project.
            PreconditionFailed: it is not at the revision `expected`.
        """
        key = {"id": thread_id, "project_id": project_id}
        values = {"metadata": dict(metadata or {}), "ttl_minutes": ttl_minutes, "ttl_strategy": ttl_strategy}
        async with self.db.begin() as connection:
            revision = await connection.scalar(_LOCK, key)
            if revision is None:
                raise _unknown(thread_id)
            if expected is not None and revision != expected:
                raise PreconditionFailed(f"thread {str(thread_id)!r} is at revision {revision}, not {expected}")
            await connection.execute(_UPDATE, values | key)
            found = await self._find(connection, project_id, thread_id)
            assert found is not None
            return found

    async def search(self, project_id: UUID, search: Search) -> list[Thread]:
        """At most `search.limit` threads, in its order. Threads of jobs that have theirs for themselves are left out."""
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_page(search), _filters(project_id, search))).mappings().all()
        return [_thread(row) for row in rows]

    async def count(self, project_id: UUID, search: Search) -> int:
        """How many threads match, whatever limit and offset."""
        # What most threads are is never looked up one by one.
        among: list[Status | None] = (
            [None, "busy", "interrupted", "error"] if search.status == "idle" else [search.status]
        )
        counts = " - ".join(_count(replace(search, status=status)) for status in among)
        found = _typed(f"SELECT {counts}", search)
        async with self.db.autocommit() as connection:
            return int(await connection.scalar(found, _filters(project_id, search)) or 0)

    async def copy(self, project_id: UUID, thread_id: UUID) -> Thread:
        """A new thread with the same metadata, state and whole history, and without jobs. Raises NotFound."""
        to = new_id()
        async with self.db.begin() as connection:
            values = {"id": thread_id, "project_id": project_id, "to": to}
            if (await connection.execute(_COPY, values)).rowcount == 0:
                raise _unknown(thread_id)
            await self._checkpoints.copy(connection, thread_id, to)
            found = await self._find(connection, project_id, to)
            assert found is not None
            return found

    async def own(self, project_id: UUID, thread_ids: Sequence[UUID]) -> list[UUID]:
        """Those of these threads that are the project's."""
        async with self.db.autocommit() as connection:
            return list(await connection.scalars(_OWN, {"ids": list(thread_ids), "project_id": project_id}))

    async def ask_end(self, project_id: UUID, thread_ids: Sequence[UUID], *, by: str | None = None) -> list[UUID]:
        """Ask for the end of all jobs of those of these threads that are the project's; returns the jobs that still run."""
        async with self.db.begin() as connection:
            own = list(await connection.scalars(_LOCK_OWN, {"ids": list(thread_ids), "project_id": project_id}))
            active = list(await connection.scalars(_ACTIVE, {"ids": own}))
            await changes.cancel_trees(connection, active, by=by)
            return list(await connection.scalars(_ACTIVE, {"ids": own}))

    async def delete(self, project_id: UUID, thread_ids: Sequence[UUID]) -> int:
        """Delete threads with their jobs and checkpoints; returns how many. What a job of theirs that still runs writes
        is refused from now on: see `ask_end`."""
        async with self.db.begin() as connection:
            own = list(await connection.scalars(_LOCK_OWN, {"ids": list(thread_ids), "project_id": project_id}))
            await connection.execute(_HOLD, {"ids": own})
            await self._checkpoints.delete(connection, own)
            return (await connection.execute(_DELETE, {"ids": own, "project_id": project_id})).rowcount

    async def of_assistant(self, project_id: UUID, assistant_id: UUID) -> list[UUID]:
        """Threads whose jobs run this assistant."""
        values = {"project_id": project_id, "assistant": assistant_id}
        async with self.db.autocommit() as connection:
            return list(await connection.scalars(_OF_ASSISTANT, values))

    async def storage(self, project_id: UUID, thread_id: UUID) -> Storage:
        """Raises NotFound."""
        await self.get(project_id, thread_id)
        async with self.db.autocommit() as connection:
            used = (await connection.execute(_USE, {"id": thread_id})).one()
            tables = await self._checkpoints.sizes(connection, thread_id)
        uses = {name: Use(count=count, bytes=size) for name, (count, size) in tables.items()}
        uses["events"] = Use(count=used.events, bytes=used.event_bytes)
        return Storage(**uses, jobs=used.jobs, bytes=sum(use.bytes for use in uses.values()))

    async def _find(self, connection: AsyncConnection, project_id: UUID, thread_id: UUID) -> Thread | None:
        row = (await connection.execute(_GET, {"id": thread_id, "project_id": project_id})).mappings().first()
        return _thread(row) if row is not None else None


def _page(search: Search) -> TextClause:
    """First the ids of the page, then what belongs to those: a search looks up the jobs of no other thread, unless it
    asks for what follows from jobs."""
    by = {"status": _STATUS, "state_updated_at": "coalesce(t.state_updated_at, t.created_at)"}
    order = "DESC" if search.descending else "ASC"
    ordered = f"ORDER BY {by.get(search.sort_by, f't.{search.sort_by}')} {order}, t.id {order}"
    return _typed(
        f"""
        WITH page AS MATERIALIZED (
            SELECT t.id FROM threads t {_joined(search)} {_matching(search)} {ordered} LIMIT :limit OFFSET :offset
        )
        SELECT {_COLUMNS} FROM page p JOIN threads t ON t.id = p.id {_LAST} {ordered}""",
        search,
    )


def _count(search: Search) -> str:
    return f"(SELECT count(*) FROM threads t {_joined(search)} {_matching(search)})"


def _joined(search: Search) -> str:
    derived = search.status not in (None, "busy") or search.values or search.sort_by == "status"
    return _LAST if derived else ""


def _matching(search: Search) -> str:
    in_status = f" AND {_IN_STATUS[search.status]}" if search.status is not None else ""
    return _MATCHING + in_status + (_OF_VALUES if search.values else "")


def _typed(sql: str, search: Search) -> TextClause:
    names = ["metadata", *(["values"] if search.values else [])]
    return text(sql).bindparams(*(bindparam(name, type_=JSONB) for name in names))


def _filters(project_id: UUID, search: Search) -> dict[str, Any]:
    metadata = dict(search.metadata or {})
    # Both are columns, and in the metadata only where a client has written them there.
    named = {name: str(metadata.pop(name)) if name in metadata else None for name in ("graph_id", "assistant_id")}
    return {
        "project_id": project_id,
        "metadata": metadata,
        "workflow": named["graph_id"],
        "assistant": named["assistant_id"],
        "values": dict(search.values or {}),
        "ids": list(search.ids) if search.ids is not None else None,
        "before": search.before[1] if search.before else None,
        "made": search.before[0] if search.before else None,
        "limit": search.limit,
        "offset": search.offset,
    }


def _thread(row: RowMapping) -> Thread:
    return Thread.model_validate(dict(row))


def _unknown(thread_id: UUID) -> NotFound:
    return NotFound(f"no thread {str(thread_id)!r} in this project")
