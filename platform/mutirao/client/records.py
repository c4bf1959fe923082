"""What the API answers with, beyond the records of `mutirao.jobs.records`.

They stand here a second time because the API's own classes load the database driver, which no client needs. Keys an
older client does not know are ignored. `tests/unit/test_client_records.py` keeps the two alike.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from mutirao.jobs.options import JobOptions
from mutirao.jobs.records import Job, Problem, Record
from mutirao.jobs.states import DocumentState


class JobPage(Record):
    """Jobs, newest first; `next` is the cursor of the next page, None on the last."""

    jobs: list[Job]
    next: str | None = None


class ChildPage(Record):
    """Children of a job, in order."""

    jobs: list[Job]
    next: str | None = None


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


class Project(Record):
    """A project, its limits, and what it has spent this month; None: no limit."""

    id: UUID
    name: str
    max_running: int | None = None
    budget: ProjectBudget | None = None
    running: int
    queued: int
    usage: MonthUsage
    created_at: datetime


class Approval(Record):
    """A question to people and what was decided; `state` is pending, decided, expired or withdrawn."""

    id: UUID
    job_id: UUID
    workflow: str
    step: str | None = None
    request: Any = Field(None, description="What the graph has asked.")
    state: str
    decision: Any = None
    comment: str | None = None
    decided_by: str | None = None
    created_at: datetime
    decided_at: datetime | None = None
    expires_at: datetime | None = None


class ApprovalPage(Record):
    """Approvals, newest first."""

    approvals: list[Approval]
    next: str | None = None


class Schedule(Record):
    """When a workflow is started, and with what."""

    id: UUID
    name: str
    workflow: str
    input: dict[str, Any]
    metadata: dict[str, Any]
    options: JobOptions
    cron: str
    timezone: str
    enabled: bool
    next_at: datetime | None = None
    next_times: list[datetime] = Field(default=[], description="The next five times.")
    last_at: datetime | None = None
    end_at: datetime | None = None
    last_error: Problem | None = None
    created_at: datetime
    updated_at: datetime


class SchedulePage(Record):
    """Schedules, newest first."""

    schedules: list[Schedule]
    next: str | None = None


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


class Collection(Record):
    """A named set of documents."""

    id: UUID
    name: str
    documents: int = Field(0, description="Documents that are ready.")
    chunks: int = Field(0, description="Chunks of the documents that are ready.")
    created_at: datetime


class Document(Record):
    """One version of a document in a collection."""

    id: UUID
    collection_id: UUID
    collection: str = Field(description="Name of its collection.")
    name: str
    version: int = Field(description="Counts from 1 for each name of a collection.")
    media_type: str = Field(description="With `charset=` where a text file is not UTF-8.")
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Of the file as it was sent.")
    state: DocumentState
    language: str | None = None
    page_starts: list[int] = Field(default=[], description="Offset of each page's text; empty before it is parsed.")
    chars: int = Field(0, description="Characters of its text.")
    text_sha256: str | None = None
    error: Problem | None = None
    job_id: UUID | None = Field(None, description="The job that takes its text in.")
    created_at: datetime
    ready_at: datetime | None = None


class AddedDocument(Record):
    """A document that was sent, and the job that takes it in; None when the same content is there already."""

    document: Document
    job: Job | None = None


class HitDocument(Record):
    """The document a hit stands in."""

    id: UUID
    name: str
    version: int
    sha256: str
    media_type: str
    language: str | None = None


class Hit(Record):
    """A passage that was found: `document_text[start:end] == text`; pages count from 1."""

    chunk_id: UUID
    document: HitDocument
    page: int
    page_start: int = Field(description="Offset of the page's text.")
    start: int
    end: int
    heading: str
    text: str
    score: float
    keyword_rank: int | None = None
    dense_rank: int | None = None


class SearchResult(Record):
    """Passages, best first."""

    hits: list[Hit]
    job_id: UUID = Field(description="The job that searched.")
