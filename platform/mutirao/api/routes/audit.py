"""The audit log: who did what."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from mutirao.api import pages
from mutirao.api.pages import Cursor, Limit
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices
from mutirao.audit import AuditEntry

router = APIRouter(prefix="/audit", tags=["audit"])


class AuditPage(BaseModel):
    """Entries, newest first."""

    entries: list[AuditEntry]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


@router.get("", responses=responses(401, 422))
async def list_audit_entries(
    services: HasServices,
    caller: Caller,
    actor: Annotated[
        str | None, Query(max_length=300, description="Only of `key:<prefix>` or `subject:<sub>`.")
    ] = None,
    action: Annotated[str | None, Query(max_length=100, description="Only this, `job.cancel` for example.")] = None,
    resource_id: Annotated[str | None, Query(max_length=300, description="Only what was done to this.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Not before.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AuditPage:
    """Who did what in this project, newest first. Needs the scope `admin`."""
    found = await services.audit.page(
        caller.project_id,
        before=pages.read_cursor(cursor),
        actor=actor,
        action=action,
        resource_id=resource_id,
        since=since,
        until=until,
        limit=limit + 1,
    )
    rows, following = pages.cut(found, limit)
    return AuditPage(entries=rows, next=following)
