"""Threads and assistants."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from mutirao.jobs.records import Record

ThreadStatus = Literal["idle", "busy", "interrupted", "error"]
Leftover = Literal["delete", "keep_latest"]


class Thread(Record):
    """What the jobs of one conversation share, as the last of them has left it."""

    id: UUID
    status: ThreadStatus
    workflow: str | None = None
    assistant_id: UUID | None = None
    metadata: dict[str, Any]
    config: dict[str, Any]
    values: Any = None
    next: list[str] = Field(description="Steps that come next; empty where nothing does.")
    interrupts: dict[str, Any]
    error: Any = None
    ephemeral: bool = False
    ttl_minutes: float | None = None
    ttl_strategy: Leftover | None = None
    expires_at: datetime | None = None
    revision: int
    created_at: datetime
    updated_at: datetime
    state_updated_at: datetime


class StorageUse(Record):
    """Rows and bytes of one table."""

    count: int
    bytes: int


class Storage(Record):
    """What a thread takes in the database."""

    jobs: int
    checkpoints: StorageUse
    blobs: StorageUse
    writes: StorageUse
    events: StorageUse
    bytes: int


class Assistant(Record):
    """A workflow with a configuration, under a name; each change is a new version."""

    id: UUID
    name: str
    description: str | None = None
    workflow: str
    version: int
    config: dict[str, Any]
    context: dict[str, Any]
    metadata: dict[str, Any]
    system: bool = False
    created_at: datetime
    updated_at: datetime | None = None
