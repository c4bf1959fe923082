"""All tables of the control plane. LangGraph's checkpoint tables are made by its own saver, in the worker.

Times are `timestamptz` set by the database clock: a worker's clock never decides anything.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR, UUID

from mutirao.jobs.states import DocumentState, JobState

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _time(name: str, *, now: bool = False) -> Column[object]:
    if now:
        return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())
    return Column(name, DateTime(timezone=True))


def _json(name: str, default: str | None = "{}") -> Column[object]:
    if default is None:
        return Column(name, JSONB(none_as_null=True))
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'::jsonb"))


def _one_of(column: str, states: type[JobState] | type[DocumentState]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(state.value) for state in states)})", name=column)


projects = Table(
    "projects",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    _time("created_at", now=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False, unique=True),
    Column("secret_sha256", Text, nullable=False),
    _time("created_at", now=True),
    _time("expires_at"),
    _time("revoked_at"),
)

# A worker process. Its lease covers every job it runs: one heartbeat a process, whatever the number of jobs.
workers = Table(
    "workers",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("name", Text, nullable=False, index=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("queues", ARRAY(Text), nullable=False),
    Column("slots", Integer, nullable=False),
    _json("load_errors", "[]"),
    _time("started_at", now=True),
    _time("heartbeat_at", now=True),
    Column("lease_expires_at", DateTime(timezone=True), nullable=False, index=True),
    _time("stopped_at"),
)

# The catalogue: what live workers serve. A version, once written, never changes.
workflows = Table(
    "workflows",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("description", Text, nullable=False, server_default=""),
    Column("queue", Text, nullable=False),
    Column("kind", Text, nullable=False),
    _json("input_schema"),
    _json("output_schema"),
    _json("config_schema"),
    _json("graph"),
    _time("created_at", now=True),
    CheckConstraint("kind IN ('shared', 'exclusive')", name="kind"),
)

worker_workflows = Table(
    "worker_workflows",
    metadata,
    Column("worker_id", UUID, ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True),
    Column("workflow", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Index("ix_worker_workflows_workflow", "workflow", "version"),
)

threads = Table(
    "threads",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    _json("metadata"),
    _time("created_at", now=True),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("thread_id", UUID, ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("workflow", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("state", Text, nullable=False),
    _json("input"),
    _json("output", None),
    _json("error", None),
    _json("metadata"),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    Column("worker_id", UUID, ForeignKey("workers.id")),
    Column("last_seq", BigInteger, nullable=False, server_default="0"),
    _time("available_at", now=True),
    _time("cancel_requested_at"),
    _time("created_at", now=True),
    _time("started_at"),
    _time("finished_at"),
    _one_of("state", JobState),
    # The list of a project, newest first (ids are time-ordered).
    Index("ix_jobs_project_id_id", "project_id", "id"),
    # The claim: what waits in a queue, and what runs (its worker may be gone).
    Index("ix_jobs_queued", "queue", "available_at", postgresql_where=text("state = 'queued'")),
    Index("ix_jobs_running", "worker_id", postgresql_where=text("state = 'running'")),
    Index("ix_jobs_thread_id", "thread_id"),
    # Jobs of a thread never overlap, whatever two claims at once have seen of each other.
    Index("ix_jobs_running_thread_id", "thread_id", unique=True, postgresql_where=text("state = 'running'")),
    # Every state change and every event updates this row: leave room to do it in place.
    postgresql_with={"fillfactor": "70"},
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_sha256", Text, nullable=False),
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED")),
    _time("created_at", now=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("worker_id", UUID, nullable=False),
    Column("worker_name", Text, nullable=False),
    Column("outcome", Text),
    _json("error", None),
    _time("started_at", now=True),
    _time("finished_at"),
)

events = Table(
    "events",
    metadata,
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("step", Text),
    _json("data"),
    _time("created_at", now=True),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False, index=True),
    _time("created_at", now=True),
    UniqueConstraint("job_id", "name"),
)

# An uploaded file that a job may take as input, before any job exists.
uploads = Table(
    "uploads",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False, index=True),
    _time("created_at", now=True),
)

collections = Table(
    "collections",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    _time("created_at", now=True),
    UniqueConstraint("project_id", "name"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("collection_id", UUID, ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("language", Text),
    # Offset in characters at which each page's text starts; one entry for a document without pages.
    _json("page_starts", "[]"),
    Column("chars", Integer, nullable=False, server_default="0"),
    Column("text_sha256", Text),
    _json("error", None),
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="SET NULL")),
    _time("created_at", now=True),
    _time("ready_at"),
    _one_of("state", DocumentState),
    UniqueConstraint("collection_id", "name", "version"),
    Index("ix_documents_collection_sha256", "collection_id", "sha256"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("collection_id", UUID, ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", UUID, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("ordinal", Integer, nullable=False),
    Column("page", Integer, nullable=False),
    # Character span in the document's text.
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("heading", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False),
    Column("words", Integer, nullable=False),
    Column("search", TSVECTOR, nullable=False),
    Index("ix_chunks_search", "search", postgresql_using="gin"),
    Index("ix_chunks_collection_id", "collection_id"),
    UniqueConstraint("document_id", "ordinal"),
)

model_calls = Table(
    "model_calls",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("epoch", Integer, nullable=False),
    Column("step", Text),
    Column("model", Text, nullable=False),
    _json("prompt"),
    Column("answer", Text),
    Column("input_tokens", Integer, nullable=False, server_default="0"),
    Column("output_tokens", Integer, nullable=False, server_default="0"),
    Column("cached_tokens", Integer, nullable=False, server_default="0"),
    Column("milliseconds", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    _time("created_at", now=True),
)
