"""Rows of the audit log: who did what."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog import contextvars

from mutirao.ids import new_id

SYSTEM = "system"

_RECORD = text("""
INSERT INTO audit_log (id, project_id, actor, action, resource_id, data, request_id)
VALUES (:id, :project_id, :actor, :action, :resource_id, :data, :request_id)""").bindparams(
    bindparam("data", type_=JSONB)
)


async def record(
    connection: AsyncConnection,
    project_id: UUID,
    actor: str,
    action: str,
    resource_id: UUID | str | None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write one row, in the caller's transaction. `action` is `<resource>.<verb>`; `data` holds no secret."""
    values = {
        "id": new_id(),
        "project_id": project_id,
        "actor": actor,
        "action": action,
        "resource_id": None if resource_id is None else str(resource_id),
        "data": dict(data or {}),
        "request_id": contextvars.get_contextvars().get("request_id"),
    }
    await connection.execute(_RECORD, values)
