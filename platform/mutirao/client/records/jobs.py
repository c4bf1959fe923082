"""What belongs to jobs, what starts them, and who runs them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from mutirao.jobs.options import JobOptions
from mutirao.jobs.records import Job, Problem, Record


class Checkpoint(Record):
    """The state of a graph between two steps."""

    id: str = Field(description="Ordered by time.")
    parent_id: str | None = None
    step: int | None = Field(None, description="Steps before it, -1 before the first.")
    source: str | None = Field(None, description="`input`, `loop`, `update` or `fork`.")
    created_at: datetime
    job_id: UUID | None = Field(None, description="The job that wrote it; another one where a fork has copied it.")


class Usage(Record):
    """What a job has spent, and what running calls have reserved beside it."""

    tokens: int
    model_calls: int
    cost: float
    reserved_tokens: int = 0
    reserved_cost: float = 0.0
    input_tokens: int
    output_tokens: int
    steps: int | None = None


class WorkflowVersion(Record):
    """One version of a workflow: live workers that serve it, and the project's unfinished jobs by state."""

    version: str
    workers: int
    unfinished: dict[str, int]
    created_at: datetime


class Workflow(Record):
    """A workflow in the catalogue."""

    name: str
    version: str
    description: str
    queue: str
    kind: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    config_schema: dict[str, Any] = Field(default_factory=dict)
    context_schema: dict[str, Any] = Field(default_factory=dict)
    state_schema: dict[str, Any] = Field(default_factory=dict)
    graph: dict[str, Any] = Field(description='`{"nodes": [{"id", "type"}], "edges": [{"source", "target"}]}`')
    workers: int = Field(description="Live workers that serve this version; 0: jobs wait.")
    created_at: datetime


class Worker(Record):
    """A live worker process."""

    id: UUID
    name: str
    host: str
    pid: int
    kind: str
    queues: list[str]
    slots: int = Field(description="Jobs it runs at once.")
    running: int = Field(description="Jobs it runs now.")
    load_errors: list[dict[str, Any]] = Field(description="What of its project it could not load or honour, and why.")
    brings: dict[str, Any] = Field(
        default_factory=dict, description="What else its project has: `auth`, `app`, `store_index`, `thread_ttl`."
    )
    app_url: str | None = Field(None, description="Where the project's own routes are served; null: nowhere.")
    started_at: datetime
    heartbeat_at: datetime


class Upload(Record):
    """A stored file that jobs may take as input, by its id: `size` in bytes, `sha256` in hex."""

    id: UUID
    name: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime


class Schedule(Record):
    """When a workflow is started, and with what."""

    id: UUID
    name: str
    workflow: str
    input: Any
    metadata: dict[str, Any]
    options: JobOptions
    thread_id: UUID | None = None
    assistant_id: UUID | None = None
    cron: str
    timezone: str
    enabled: bool
    next_at: datetime | None = None
    next_times: list[datetime] = Field(default=[], description="The next five times.")
    last_at: datetime | None = None
    end_at: datetime | None = None
    last_error: Problem | None = None
    revision: int = 0
    created_at: datetime
    updated_at: datetime


class JobCounts(Record):
    """How many jobs there are, in all and by state."""

    total: int
    counts: dict[str, int]


class Refusal(Record):
    """Why nothing was done for one of several."""

    status: int
    code: str
    detail: str


class BatchResult(Record):
    """What became of one of several jobs: `job`, or `error`."""

    id: UUID | None = None
    job: Job | None = None
    error: Refusal | None = None


class BatchAnswer(Record):
    """One result for each, in their order."""

    results: list[BatchResult]


class ModelHealth(Record):
    """The chat model that agents use."""

    name: str
    url_kind: str
    healthy: bool
    detail: str | None = None


class QueueLoad(Record):
    """What a queue has to do: jobs of the project; its workers serve all projects."""

    name: str
    queued: int
    running: int
    workers: int
    slots: int
    oldest_queued_at: datetime | None = None


class Starved(Record):
    """A queue in which jobs wait and that no live worker serves."""

    queue: str
    workflows: list[str]
    queued: int


class System(Record):
    """The state of the platform, as the project sees it."""

    version: str
    model: ModelHealth
    queues: list[QueueLoad]
    starved: list[Starved]
