"""Jobs, attempts and events as records: frozen, as the API shows them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, field_serializer

from mutirao.callers import without_caller
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


class StreamOptions(Record):
    """Which of LangGraph's stream parts a job's journal gets, as events `stream.<mode>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modes: list[str] = Field(default_factory=list, description="values, updates, messages, messages-tuple, custom, …")
    subgraphs: bool = Field(False, description="Those of sub-graphs, too.")
    resumable: bool = Field(False, description="Frames have ids.")
    live: bool = Field(False, description="Somebody waits for them: events are written as soon as they happen.")
    protocol: bool = Field(False, description="Typed events of the thread protocol (v3), too.")


class RunOptions(Record):
    """What LangGraph is told beside the input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: dict[str, Any] | None = Field(None, description='`{"update", "resume", "goto"}`; in place of the input.')
    config: dict[str, Any] = Field(default_factory=dict, description='`{"tags", "recursion_limit", "configurable"}`')
    context: dict[str, Any] | None = Field(None, description="Static context of the run.")
    checkpoint: dict[str, Any] | None = Field(
        None, description='Where to begin in its own thread: `{"checkpoint_id", "checkpoint_ns", "checkpoint_map"}`.'
    )
    interrupt_before: list[str] | str | None = Field(None, description="Steps to stop before; `*`: all.")
    interrupt_after: list[str] | str | None = Field(None, description="Steps to stop after; `*`: all.")
    durability: str = Field("sync", description="When checkpoints are written: sync, async or exit.")
    stream: StreamOptions = StreamOptions()
    multitask_strategy: str = Field("enqueue", description="What the submission did to other jobs of its thread.")
    on_disconnect: str = Field("continue", description="What becomes of it when its reader goes away.")
    on_completion: str | None = Field(None, description="What becomes of a thread of its own: delete or keep.")
    kwargs: dict[str, Any] = Field(default_factory=dict, description="The request as it came, for who shows it.")


def shown_run(run: RunOptions | None) -> RunOptions | None:
    """The options as anybody may see them: without who has asked."""
    return run.model_copy(update={"config": without_caller(run.config)}) if run is not None else None


class Job(Record):
    """One submitted execution of a workflow."""

    id: UUID
    thread_id: UUID
    workflow: str
    version: str
    queue: str
    state: JobState
    input: Any = Field(description="What the graph is given; null: it goes on from its thread's state.")
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
    cancel_requested_by: str | None = Field(
        None, description="Who has first asked for its end, as `created_by`; null: nobody, or the platform itself."
    )
    assistant_id: UUID | None = None
    run: RunOptions | None = Field(None, description="What LangGraph is told beside the input.")
    webhook: str | None = Field(None, description="Where to tell of its end.")
    created_by: str | None = Field(None, description="`key:<prefix>`, `subject:<sub>` or `schedule:<id>`.")
    rolled_back: bool = Field(
        False, description="Nothing is left of it once it has ended: it goes, with what it wrote."
    )

    @field_serializer("run", mode="wrap", when_used="json")
    def _without_caller(self, run: RunOptions | None, shown: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def] # pydantic would make it the schema
        return shown(shown_run(run))


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
    input: Any
    metadata: dict[str, Any] = {}
    thread_id: UUID | None = None
    assistant_id: UUID | None = None
    run: RunOptions | None = None
    webhook: str | None = None
    created_by: str | None = None
    may_approve: bool = Field(False, description="Who submits it may decide what people are asked.")
    ephemeral: bool = False
    urgent: bool = False
    """Somebody waits for it: workers that have nothing to do are told at once, besides the hint."""
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
    input: Any
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
    assistant_id: UUID | None = None
    run: RunOptions | None = None
    created_by: str | None = None
    fresh: bool = Field(False, description="Its thread was made with the job, and this is its first attempt.")


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
