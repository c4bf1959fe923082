"""Schedules as records: what is kept, what is needed to keep one, which ones are looked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, SerializerFunctionWrapHandler, field_serializer

from mutirao.jobs.options import JobOptions
from mutirao.jobs.records import Problem, Record, RunOptions, shown_run

OnRunCompleted = Literal["delete", "keep"]
SortBy = Literal["id", "assistant_id", "thread_id", "created_at", "updated_at", "next_at", "end_at"]


class Schedule(Record):
    """When a workflow is started, and with what."""

    id: UUID
    name: str
    workflow: str
    input: Any
    metadata: dict[str, Any]
    options: JobOptions
    cron: str = Field(description="Five fields: minute, hour, day of month, month, day of week.")
    timezone: str = Field(description="Name of the IANA list.")
    enabled: bool
    next_at: datetime | None = Field(None, description="When its next job is submitted; null: never.")
    next_times: list[datetime] = Field([], description="The next five times.")
    last_at: datetime | None = Field(None, description="The moment it was last due.")
    end_at: datetime | None = Field(None, description="Nothing is submitted after this.")
    last_error: Problem | None = Field(None, description="Why its last job could not be submitted.")
    thread_id: UUID | None = Field(None, description="Its jobs run in this thread; null: each in one of its own.")
    assistant_id: UUID | None = Field(None, description="Whose configuration its jobs have, as it is when they begin.")
    run: RunOptions | None = Field(None, description="What LangGraph is told beside the input.")
    webhook: str | None = Field(None, description="Where to tell of the end of its jobs.")
    on_run_completed: OnRunCompleted | None = Field(
        None, description="What becomes of a thread of a job of its own when the job has ended."
    )
    revision: int = 1
    created_at: datetime
    updated_at: datetime

    @field_serializer("run", mode="wrap", when_used="json")
    def _without_caller(self, run: RunOptions | None, shown: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def] # pydantic would make it the schema
        return shown(shown_run(run))


class NewSchedule(Record):
    """What is needed to keep a schedule."""

    name: str
    workflow: str
    input: Any = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    options: JobOptions = Field(default_factory=JobOptions)
    cron: str
    timezone: str = "UTC"
    enabled: bool = True
    end_at: datetime | None = None
    thread_id: UUID | None = None
    assistant_id: UUID | None = None
    run: RunOptions | None = None
    webhook: str | None = None
    on_run_completed: OnRunCompleted | None = None


@dataclass(frozen=True, kw_only=True)
class Search:
    """Which schedules. `workflow` is that of the assistant when the assistant is the workflow's own."""

    assistant_id: UUID | None = None
    workflow: str | None = None
    thread_id: UUID | None = None
    enabled: bool | None = None
    metadata: Mapping[str, Any] | None = None
    limit: int = 10
    offset: int = 0
    sort_by: SortBy = "created_at"
    descending: bool = True
