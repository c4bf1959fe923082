"""Keys, projects, and the audit log."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from mutirao.jobs.records import Record


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    SUBMIT = "submit"
    APPROVE = "approve"
    ADMIN = "admin"


class Key(Record):
    """A key, without its secret."""

    id: UUID
    prefix: str
    name: str
    scopes: list[Scope]
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    created_by: str | None = None
    created_at: datetime


class MadeKey(Key):
    """A new key."""

    key: str = Field(repr=False, description="The key itself: it is shown this once.")


class MonthUsage(Record):
    """What the jobs of a project have spent in a calendar month (UTC)."""

    month: str
    tokens: int
    model_calls: int
    cost: float
    reserved_tokens: int = 0
    reserved_cost: float = 0.0


class ProjectBudget(Record):
    """What all jobs of a project together may spend in a calendar month (UTC); None: no limit."""

    tokens: int | None = None
    cost: float | None = None
    model_calls: int | None = None


class ListedProject(Record):
    """A project and its limits; None: no limit."""

    id: UUID
    name: str
    max_running: int | None = None
    budget: ProjectBudget | None = None
    running: int
    queued: int
    revision: int = 0
    created_at: datetime


class MadeProject(ListedProject):
    """A new project."""

    key: str = Field(repr=False, description="Its first key, which may do everything in it: it is shown this once.")


class Project(ListedProject):
    """A project, its limits, and what it has spent this month."""

    usage: MonthUsage


class SessionProject(Record):
    """The project of a caller."""

    id: UUID
    name: str


class Session(Record):
    """Who is calling, and what it may do."""

    project: SessionProject
    subject: str
    scopes: list[Scope]
    expires_at: datetime | None = None
    version: str
    demo: bool = False


class SessionLink(Record):
    """What signs one browser in, once."""

    url: str = Field(repr=False)
    token: str = Field(repr=False)
    expires_at: datetime


class Change(Record):
    """What has changed in the project: `kind` is `hello`, `jobs`, `approvals` or `many`; see `GET /changes`."""

    kind: str
    data: dict[str, Any]


class AuditEntry(Record):
    """Who did what."""

    id: UUID
    actor: str
    action: str
    resource_id: str | None = None
    data: dict[str, Any]
    request_id: str | None = None
    created_at: datetime
