"""Lists of jobs: filtered, sorted, in pages, and counted by state."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import ConfigDict
from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from mutirao.db import Database
from mutirao.errors import InvalidInput
from mutirao.jobs.records import Job, Record
from mutirao.jobs.sql import job_without
from mutirao.jobs.states import JobState


class JobSort(StrEnum):
    """Orders of a list of jobs; a leading `-` is descending."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    FINISHED_LAST = "-finished_at"
    FINISHED_FIRST = "finished_at"
    PRIORITY = "-priority"


class JobFilter(Record):
    """Which jobs; what is None does not count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workflow: str | None = None
    states: Sequence[JobState] | None = None
    thread_id: UUID | None = None
    parent_id: UUID | None = None
    schedule_id: UUID | None = None
    assistant_id: UUID | None = None
    created_by: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: dict[str, Any] | None = None


# Ids are ordered by time, so that created_at needs no column of its own (ix_jobs_listed).
_ORDERS = {
    JobSort.NEWEST: (None, "DESC", "<"),
    JobSort.OLDEST: (None, "ASC", ">"),
    JobSort.FINISHED_LAST: ("coalesce(finished_at, 'infinity')", "DESC", "<"),
    JobSort.FINISHED_FIRST: ("coalesce(finished_at, 'infinity')", "ASC", ">"),
    JobSort.PRIORITY: ("priority", "DESC", "<"),
}
_CONDITIONS = {
    "workflow": "workflow = :workflow",
    "states": "state = ANY(:states)",
    "thread_id": "thread_id = :thread_id",
    "parent_id": "parent_id = :parent_id",
    "schedule_id": "schedule_id = :schedule_id",
    "assistant_id": "assistant_id = :assistant_id",
    "created_by": "created_by = :created_by",
    "created_after": "created_at > :created_after",
    "created_before": "created_at < :created_before",
    "metadata": "metadata @> :metadata",
}
# The ids are found in ix_jobs_listed alone, which has all that filters and orders ask for, and only the rows of the page
# are read: those that do not fit may be many, and large.
_PAGE = """
SELECT {columns} FROM jobs WHERE project_id = :project_id AND id = ANY(ARRAY(
    SELECT id FROM jobs WHERE {conditions} ORDER BY {order} LIMIT :limit
)) ORDER BY {order}"""
_POSITION = text("""
SELECT id, priority, coalesce(finished_at, 'infinity')::text AS finished_at FROM jobs
WHERE id = :id AND project_id = :project_id""")


class JobLists:
    """Reads lists of the jobs of one project."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def page(
        self,
        project_id: UUID,
        wanted: JobFilter,
        *,
        sort: JobSort = JobSort.NEWEST,
        after: UUID | None = None,
        limit: int,
        without: Collection[str] = (),
    ) -> list[Job]:
        """At most `limit` jobs behind the job `after`, in this order; `without` names columns that are not to be read.

        Raises:
            InvalidInput: `after` is no job of the project any more, and the order needs to know where it stood.
        """
        expression, direction, beyond = _ORDERS[sort]
        conditions, values = _where(project_id, wanted)
        if after is not None:
            conditions, values = [*conditions, self._behind(expression, beyond)], values | {"after": after}
            if expression is not None:
                values["place"] = await self._place(project_id, after, sort)
        order = f"id {direction}" if expression is None else f"{expression} {direction}, id {direction}"
        sql = _PAGE.format(columns=job_without(without), conditions=" AND ".join(conditions), order=order)
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_bound(sql, wanted), values | {"limit": limit})).mappings()
            return [Job.model_validate(dict(row)) for row in rows]

    async def counts(self, project_id: UUID, wanted: JobFilter) -> dict[JobState, int]:
        """How many of these jobs are in each state; states without a job are left out."""
        conditions, values = _where(project_id, wanted)
        sql = f"SELECT state, count(*) AS jobs FROM jobs WHERE {' AND '.join(conditions)} GROUP BY state"
        async with self.db.autocommit() as connection:
            rows = await connection.execute(_bound(sql, wanted), values)
            return {JobState(row.state): row.jobs for row in rows}

    async def ids(self, project_id: UUID, wanted: JobFilter, limit: int) -> list[UUID]:
        """Ids of at most `limit` of these jobs, oldest first."""
        conditions, values = _where(project_id, wanted)
        sql = f"SELECT id FROM jobs WHERE {' AND '.join(conditions)} ORDER BY id LIMIT :limit"
        async with self.db.autocommit() as connection:
            return list((await connection.scalars(_bound(sql, wanted), values | {"limit": limit})).all())

    def _behind(self, expression: str | None, beyond: str) -> str:
        if expression is None:
            return f"id {beyond} :after"
        kind = "int" if expression == "priority" else "timestamptz"
        return f"({expression}, id) {beyond} (CAST(:place AS {kind}), :after)"

    async def _place(self, project_id: UUID, after: UUID, sort: JobSort) -> Any:
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_POSITION, {"id": after, "project_id": project_id})).first()
        if row is None:
            raise InvalidInput(f"cursor: job {str(after)!r} is gone; begin again without a cursor")
        return row.priority if sort is JobSort.PRIORITY else row.finished_at


def _where(project_id: UUID, wanted: JobFilter) -> tuple[list[str], dict[str, Any]]:
    given = {name: value for name in _CONDITIONS if (value := getattr(wanted, name)) is not None}
    if "states" in given:
        given["states"] = [state.value for state in given["states"]]
    return ["project_id = :project_id", *(_CONDITIONS[name] for name in given)], {"project_id": project_id} | given


def _bound(sql: str, wanted: JobFilter) -> TextClause:
    statement = text(sql)
    return statement.bindparams(bindparam("metadata", type_=JSONB)) if wanted.metadata is not None else statement
