"""Jobs, attempts and events as records: frozen, as the API shows them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from mutirao.jobs.states import JobState

LONGEST_SECONDS = 366 * 86_400
"""No time that is asked for is longer, or further away: beyond the year 9999 it could be stored, but never read again."""

# A limit beyond this is none.
_MOST = 10**15


class Record(BaseModel):
    """A frozen row of the database."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Problem(Record):
    """Why a job did not succeed."""

    code: str = Field(description="Stable code, see the list of errors.")
    message: str = Field(description="For people: names the value and the remedy.")
    step: str | None = Field(None, description="The step it happened in.")
    kind: str | None = Field(None, description="Class of the exception.")


class Retry(Record):
    """How often a job whose step has raised is tried again, and after how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    failures: int = Field(0, ge=0, le=20, description="Attempts that may fail before the job ends.")
    backoff_seconds: float = Field(1.0, ge=0, le=86_400, description="Pause before the second attempt.")
    factor: float = Field(2.0, ge=1, le=10, description="Each further pause is so many times the last one.")
    max_backoff_seconds: float = Field(300.0, ge=0, le=86_400, description="Longest pause.")


class Limits(Record):
    """Longest times, in seconds; null: no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step_seconds: float | None = Field(None, gt=0, le=LONGEST_SECONDS, description="One step.")
    attempt_seconds: float | None = Field(None, gt=0, le=LONGEST_SECONDS, description="One attempt.")
    job_seconds: float | None = Field(
        None, gt=0, le=LONGEST_SECONDS, description="From the first claim to the end, waiting included."
    )


class Budget(Record):
    """What a job may spend, reserved before each call; null: no limit. A job that would pass it is `budget_exhausted`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int | None = Field(None, gt=0, le=_MOST, description="Input and output tokens of all model calls.")
    cost: float | None = Field(None, gt=0, le=_MOST, description="Money, by the price list of the settings.")
    model_calls: int | None = Field(None, gt=0, le=_MOST, description="Calls of models.")
    steps: int | None = Field(None, gt=0, le=_MOST, description="Steps begun, repeated ones included.")
    seconds: float | None = Field(None, gt=0, le=LONGEST_SECONDS, description="Time in attempts, all together.")


class Start(Record):
    """Where the next attempt begins, when not at the last checkpoint of the job's thread."""

    thread_id: UUID | None = Field(None, description="Another thread, whose checkpoints are copied: a fork.")
    checkpoint_id: str | None = Field(None, description="Default: the last one.")
    values: dict[str, Any] | None = Field(None, description="Changes to the state there.")
    as_node: str | None = Field(None, description="The step that the changes are taken to come from.")


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
    priority: int = Field(0, description="Higher goes first, within the project.")
    kind: str = Field("shared", description="How its attempts run: `shared` loop or `exclusive` process.")
    parent_id: UUID | None = Field(None, description="The job that fanned out to it.")
    ordinal: int | None = Field(None, description="Its place among its parent's children, from 0.")
    retry: Retry = Retry()
    failures: int = Field(0, description="Attempts that have failed since it was accepted or last retried.")
    limits: Limits = Limits()
    budget: Budget | None = None
    waiting_for: str | None = Field(None, description="While waiting or paused: `children`, `approval` or `request`.")
    deadline_at: datetime | None = None
    available_at: datetime | None = Field(None, description="When it may be claimed.")
    schedule_id: UUID | None = None
    pause_requested_at: datetime | None = None
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
    priority: int = 0
    kind: str = "shared"
    retry: Retry = Retry()
    limits: Limits = Limits()
    budget: Budget | None = None
    delay_seconds: float = 0.0
    start_at: datetime | None = None
    deadline_at: datetime | None = None
    start: Start | None = None
    schedule_id: UUID | None = None
    scheduled_for: datetime | None = None
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
    queue: str = "default"
    priority: int = 0
    kind: str = "shared"
    parent_id: UUID | None = None
    group_id: UUID | None = None
    retry: Retry = Retry()
    limits: Limits = Limits()
    budget: Budget | None = None
    start: Start | None = None
    started_at: datetime | None = Field(None, description="When its first attempt began.")
    deadline_at: datetime | None = None


class NewEvent(Record):
    """An event that is not yet in the journal."""

    type: str
    step: str | None = None
    data: dict[str, Any] = {}
    age: float = Field(0.0, description="Seconds since it happened, by the worker's monotonic clock.")


class Effect(Record):
    """An effect in the ledger, as the attempt that begins it finds it.

    `fresh`: the intent was written just now. `result` is what its writer wrote.
    """

    key: str
    fresh: bool
    state: str
    epoch: int
    request_sha256: str
    result: Any = None

    @property
    def done(self) -> bool:
        """Whether its call was made and its result is kept."""
        return self.state == "done"
