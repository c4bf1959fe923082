"""Who did what to a project: an entry for each act of control, never changed, kept as long as the project."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao import audit_rows
from mutirao.db import Database
from mutirao.jobs.records import Record
from mutirao.keys import Identity

# Served by ix_audit_log_project_id: ids are ordered by time.
_PAGE = text("""
SELECT id, actor, action, resource_id, data, request_id, created_at FROM audit_log
WHERE project_id = :project_id
  AND (CAST(:before AS uuid) IS NULL OR id < :before)
  AND (CAST(:actor AS text) IS NULL OR actor = :actor)
  AND (CAST(:action AS text) IS NULL OR action = :action)
  AND (CAST(:resource_id AS text) IS NULL OR resource_id = :resource_id)
  AND (CAST(:since AS timestamptz) IS NULL OR created_at >= :since)
  AND (CAST(:until AS timestamptz) IS NULL OR created_at < :until)
ORDER BY id DESC LIMIT :limit""")


class AuditEntry(Record):
    """One act."""

    id: UUID
    actor: str = Field(description="`key:<prefix>`, `subject:<sub>` of a token, or `system`.")
    action: str = Field(description="`<resource>.<verb>`, such as `job.cancel`.")
    resource_id: str | None = Field(None, description="What it was done to.")
    data: dict[str, Any] = Field(description="What else there is to say; never a secret.")
    request_id: str | None = Field(None, description="As in the answer and in the logs.")
    created_at: datetime


class AuditLog:
    """Written by whoever acts, read by administrators of the project."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def record(
        self,
        identity: Identity,
        action: str,
        resource_id: UUID | str | None = None,
        data: Mapping[str, Any] | None = None,
        *,
        connection: AsyncConnection | None = None,
    ) -> None:
        """Keep that the caller did this; in the transaction of `connection` where it is given. `data` holds no secret."""
        what = (identity.project_id, identity.actor, action, resource_id, data)
        if connection is not None:
            await audit_rows.record(connection, *what)
            return
        async with self.db.autocommit() as own:
            await audit_rows.record(own, *what)

    async def page(
        self,
        project_id: UUID,
        *,
        before: UUID | None = None,
        actor: str | None = None,
        action: str | None = None,
        resource_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> list[AuditEntry]:
        """Entries of the project, newest first."""
        values = {
            "project_id": project_id, "before": before, "actor": actor, "action": action, "resource_id": resource_id,
            "since": since, "until": until, "limit": limit,
        }  # fmt: skip
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_PAGE, values)).mappings()
            return [AuditEntry.model_validate(dict(row)) for row in rows]
