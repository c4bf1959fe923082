"""Jobs, attempts and events as records: frozen, as the API shows them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from mutirao.jobs.states import JobState


class Record(BaseModel):
    """A frozen row of the database."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Problem(Record):
    """Why a job did not succeed."""

    code: str = Field(description="Stable code, see the list of errors.")
    message: str = Field(description="For people: names the value and the remedy.")
    step: str | None = Field(None, description="The step it happened in.")
    kind: str | None = Field(None, description="Class of the exception.")


class Job(Record):
    """One submitted execution of a workflow."""

    id: UUID
    thread_id: UUID
    workflow: str
    version: str
    queue: str
    state: JobState
    input: dict[str, Any]
    output: Any = None
    error: Problem | None = None
    metadata: dict[str, Any]
    attempts: int = Field(description="Attempts begun so far.")
    max_attempts: int
    last_seq: int = Field(description="Number of its newest event.")
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None


class Event(Record):
    """One entry of a job's journal; `seq` counts from 1 without gaps."""

    seq: int
    attempt: int
    type: str
    step: str | None = None
    data: dict[str, Any]
    at: datetime


class Attempt(Record):
    """One worker's try at a job."""

    attempt: int
    worker: str
    outcome: str | None = None
    error: Problem | None = None
    started_at: datetime
    finished_at: datetime | None = None


class Artifact(Record):
    """A file a job produced."""

    id: UUID
    job_id: UUID
    name: str
    media_type: str
    size: int = Field(description="Bytes.")
    sha256: str
    created_at: datetime


class Submission(Record):
    """What is needed to accept a job; already validated."""

    project_id: UUID
    workflow: str
    version: str
    queue: str
    input: dict[str, Any]
    metadata: dict[str, Any] = {}
    thread_id: UUID | None = None
    max_attempts: int = 3
    idempotency_key: str | None = None
    request_sha256: str = ""


class Claim(Record):
    """An attempt as the worker that holds it sees it: every write of the attempt carries `job_id` and `epoch`."""

    job_id: UUID
    project_id: UUID
    thread_id: UUID
    workflow: str
    version: str
    input: dict[str, Any]
    metadata: dict[str, Any]
    epoch: int


class NewEvent(Record):
    """An event that is not yet in the journal."""

    type: str
    step: str | None = None
    data: dict[str, Any] = {}
    age: float = Field(0.0, description="Seconds since it happened, by the worker's monotonic clock.")
