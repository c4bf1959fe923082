"""The inbox: approvals of a project across its threads, found, ordered, assigned and put off."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from mutirao import audit_rows
from mutirao.db import Database
from mutirao.errors import AlreadyDecided, InvalidInput, PreconditionFailed
from mutirao.jobs import approvals
from mutirao.jobs.approvals import APPROVAL, LOCK_JOB, Approval, ApprovalState, ApprovalStore, shown
from mutirao.jobs.records import LONGEST_SECONDS, Record


class Order(StrEnum):
    """How the inbox is ordered."""

    NEWEST = "-created"
    OLDEST = "created"
    URGENT = "expires"  # what expires first, then what never does


class Wanted(Record):
    """Which approvals are looked for; what is not said does not matter."""

    states: list[ApprovalState] = Field(default_factory=lambda: [ApprovalState.PENDING])
    assignee: str | None = None
    unassigned: bool = False
    workflow: str | None = None
    job: UUID | None = None
    thread: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    expires_after: datetime | None = None
    expires_before: datetime | None = None


_WHERE = """a.project_id = :project_id AND a.state = ANY (:states)
    AND (CAST(:assignee AS text) IS NULL OR a.assignee = :assignee) AND (NOT :unassigned OR a.assignee IS NULL)
    AND (CAST(:workflow AS text) IS NULL OR j.workflow = :workflow)
    AND (CAST(:job AS uuid) IS NULL OR a.job_id = :job) AND (CAST(:thread AS uuid) IS NULL OR j.thread_id = :thread)
    AND (CAST(:created_after AS timestamptz) IS NULL OR a.created_at >= :created_after)
    AND (CAST(:created_before AS timestamptz) IS NULL OR a.created_at < :created_before)
    AND (CAST(:expires_after AS timestamptz) IS NULL OR a.expires_at >= :expires_after)
    AND (CAST(:expires_before AS timestamptz) IS NULL OR a.expires_at < :expires_before)"""


def _page(behind: str, order: str) -> TextClause:
    return text(f"""
SELECT {APPROVAL} FROM approvals a JOIN jobs j ON j.id = a.job_id
WHERE {_WHERE} AND (CAST(:cursor AS uuid) IS NULL OR {behind}) ORDER BY {order} LIMIT :limit""").bindparams(
        bindparam("states", type_=ARRAY(TEXT))
    )


# Served by ix_approvals_project_id, but for the most urgent.
_PAGES = {
    Order.NEWEST: _page("a.id < :cursor", "a.id DESC"),
    Order.OLDEST: _page("a.id > :cursor", "a.id"),
    Order.URGENT: _page(
        """(coalesce(a.expires_at, 'infinity'), a.id) > (
            SELECT coalesce(c.expires_at, 'infinity'), c.id FROM approvals c WHERE c.id = :cursor)""",
        "coalesce(a.expires_at, 'infinity'), a.id",
    ),
}

_CHANGE = text("""
UPDATE approvals SET assignee = :assignee, expires_at = :expires_at, revision = revision + 1,
    expires_seconds = extract(epoch FROM CAST(:expires_at AS timestamptz) - now())
WHERE id = :id""")


class Inbox:
    """What people look at to decide. An approval of another project answers exactly like an unknown one."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._approvals = ApprovalStore(db)

    async def page(
        self,
        project_id: UUID,
        wanted: Wanted | None = None,
        *,
        order: Order = Order.NEWEST,
        cursor: UUID | None = None,
        limit: int = 50,
    ) -> list[Approval]:
        """At most `limit` of those wanted (default: all that wait), behind the approval `cursor` in this order."""
        wanted = wanted or Wanted()
        values = {name: getattr(wanted, name) for name in Wanted.model_fields}
        values |= {"project_id": project_id, "cursor": cursor, "limit": limit, "states": _texts(wanted.states)}
        async with self.db.autocommit() as connection:
            rows = await connection.execute(_PAGES[order], values)
            return [shown(dict(row)) for row in rows.mappings()]

    async def change(
        self, project_id: UUID, approval_id: UUID, changes: Mapping[str, Any], *, by: str, revision: int | None = None
    ) -> Approval:
        """Set `assignee` and `expires_at`, each where it is given; None: nobody, never.

        Raises:
            NotFound: no such approval in this project.
            AlreadyDecided: it is no longer pending.
            PreconditionFailed: it is at another revision than `revision`.
            InvalidInput: it would expire in the past, or in more than 366 days.
        """
        await self._approvals.get(project_id, approval_id)
        now = await self.db.now()
        expires_at: datetime | None = changes.get("expires_at")
        if expires_at is not None and not 0 < (expires_at - now).total_seconds() <= LONGEST_SECONDS:
            raise InvalidInput(f"expires_at {expires_at.isoformat()} is not within the next 366 days")
        async with self.db.begin() as connection:
            await connection.scalar(LOCK_JOB, {"id": approval_id})
            old = await approvals.found(connection, project_id, approval_id)
            if old.state is not ApprovalState.PENDING:
                raise AlreadyDecided(f"approval {str(approval_id)!r} is {old.state.value}", state=old.state.value)
            if revision is not None and revision != old.revision:
                raise PreconditionFailed(
                    f"approval {str(approval_id)!r} is at revision {old.revision}, not {revision}; read it again",
                    revision=old.revision,
                )
            new = {"assignee": old.assignee, "expires_at": old.expires_at, **changes}
            await connection.execute(_CHANGE, {**new, "id": approval_id})
            kind = "assigned" if new["assignee"] != old.assignee else "changed"
            await approvals.note(connection, approval_id, f"approval.{kind}", by)
            told = {"assignee": new["assignee"], "expires_at": new["expires_at"] and new["expires_at"].isoformat()}
            action = "approval.assign" if kind == "assigned" else "approval.change"
            await audit_rows.record(connection, project_id, by, action, approval_id, told)
            return await approvals.found(connection, project_id, approval_id)


def _texts(states: Sequence[ApprovalState]) -> list[str]:
    return [state.value for state in states]
