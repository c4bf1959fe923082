"""All tables of the control plane. LangGraph's checkpoint tables are made by its own saver, in the worker.

Times are `timestamptz` set by the database clock: a worker's clock never decides anything.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
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


def _spending() -> list[Column[object]]:
    """Used and reserved tokens, cost (in the currency of the price list) and model calls."""
    counts: list[Column[object]] = [
        Column(f"{state}_{what}", BigInteger, nullable=False, server_default="0")
        for what in ("tokens", "model_calls")
        for state in ("used", "reserved")
    ]
    cost: list[Column[object]] = [
        Column(f"{state}_cost", Numeric, nullable=False, server_default="0") for state in ("used", "reserved")
    ]
    return counts + cost


def _one_of(column: str, states: type[JobState] | type[DocumentState]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(state.value) for state in states)})", name=column)


projects = Table(
    "projects",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    _time("created_at", now=True),
    # Most jobs that run at once; NULL: no limit.
    Column("max_running", Integer),
    # What all its jobs together may spend in a calendar month (UTC): {"tokens", "cost", "model_calls"}; NULL: no limit.
    _json("budget", None),
)

# What the jobs of a project have spent and reserved, by calendar month (UTC), "2026-11".
project_usage = Table(
    "project_usage",
    metadata,
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("month", Text, primary_key=True),
    *_spending(),
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

# Cron jobs; `next_at` is when the reconciler submits the next one. NULL: never again.
schedules = Table(
    "schedules",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("workflow", Text, nullable=False),
    _json("input"),
    _json("metadata"),
    # As of a submission: {"priority", "max_attempts", "retry", "limits", "budget"}.
    _json("options"),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False, server_default="UTC"),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    _time("next_at"),
    _time("last_at"),
    _time("end_at"),
    _json("last_error", None),
    _time("created_at", now=True),
    _time("updated_at", now=True),
    UniqueConstraint("project_id", "name"),
    CheckConstraint("end_at >= '0002-01-01 00:00:00+00' AND end_at < '9999-01-01 00:00:00+00'", name="end_at"),
    Index("ix_schedules_next_at", "next_at", postgresql_where=text("enabled AND next_at IS NOT NULL")),
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
    # Higher first, within the project; children have their parent's.
    Column("priority", Integer, nullable=False, server_default="0"),
    # How its attempts run: that of its workflow, `exclusive` once it has blocked a shared loop.
    Column("kind", Text, nullable=False, server_default="shared"),
    # The fan-out that it is a child of, and its place in it.
    Column("parent_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("group_id", UUID),
    Column("ordinal", Integer),
    # {"failures": n, "backoff_seconds": s, "factor": f, "max_backoff_seconds": s}: tries after a step has raised.
    _json("retry"),
    Column("failures", Integer, nullable=False, server_default="0"),
    # Its epoch when it was last retried: what was lost until then counts no more towards max_attempts.
    Column("retried_epoch", Integer, nullable=False, server_default="0"),
    # {"step_seconds", "attempt_seconds", "job_seconds"}; a missing one: no limit.
    _json("limits"),
    # {"tokens", "cost", "model_calls", "steps", "seconds"}; a missing one: no limit. NULL: no budget at all.
    _json("budget", None),
    _time("deadline_at"),
    # Why it waits or pauses: children | approval | request.
    Column("waiting_for", Text),
    _time("pause_requested_at"),
    # Where its next attempt begins when not at its thread's last checkpoint:
    # {"thread_id", "checkpoint_id", "values", "as_node"}; the attempt clears it.
    _json("start", None),
    Column("schedule_id", UUID, ForeignKey("schedules.id", ondelete="SET NULL")),
    _time("scheduled_for"),
    _one_of("state", JobState),
    CheckConstraint("kind IN ('shared', 'exclusive')", name="kind"),
    # Python has no later year: one such row would spoil every claim and every list that it is in.
    CheckConstraint("deadline_at < '9999-01-01 00:00:00+00'", name="deadline_at"),
    # The list of a project, newest first (ids are time-ordered).
    Index("ix_jobs_project_id_id", "project_id", "id"),
    # The claim: what waits in a queue, and what runs (its worker may be gone).
    Index(
        "ix_jobs_queued",
        "queue",
        "kind",
        "project_id",
        text("priority DESC"),
        "available_at",
        "id",
        postgresql_where=text("state = 'queued'"),
    ),
    # What the reconciler looks at: jobs that wait for something other than a worker, and deadlines.
    Index("ix_jobs_held", "state", postgresql_where=text("state IN ('waiting', 'paused', 'stranded')")),
    Index(
        "ix_jobs_deadline_at", "deadline_at", postgresql_where=text("deadline_at IS NOT NULL AND finished_at IS NULL")
    ),
    Index(
        "ix_jobs_job_seconds",
        "started_at",
        postgresql_where=text("finished_at IS NULL AND limits ->> 'job_seconds' IS NOT NULL"),
    ),
    Index(
        "ix_jobs_pause_requested",
        "pause_requested_at",
        postgresql_where=text("pause_requested_at IS NOT NULL AND state = 'queued'"),
    ),
    # Children of a fan-out, and those of them that have not ended.
    Index("ix_jobs_group_id", "group_id", "ordinal", postgresql_where=text("group_id IS NOT NULL")),
    Index("ix_jobs_group_open", "group_id", postgresql_where=text("group_id IS NOT NULL AND finished_at IS NULL")),
    Index("ix_jobs_parent_id", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
    Index("ix_jobs_parent_open", "parent_id", postgresql_where=text("parent_id IS NOT NULL AND finished_at IS NULL")),
    # A schedule starts a job for one moment once, however many look.
    Index(
        "uq_jobs_schedule",
        "schedule_id",
        "scheduled_for",
        unique=True,
        postgresql_where=text("schedule_id IS NOT NULL"),
    ),
    # Retention: what ended long ago.
    Index("ix_jobs_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    Index("ix_jobs_running", "worker_id", postgresql_where=text("state = 'running'")),
    # Retention: a worker's row goes when no job names it.
    Index("ix_jobs_worker_id", "worker_id", postgresql_where=text("worker_id IS NOT NULL")),
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
    Column(
        "job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"), index=True
    ),
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
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="SET NULL"), index=True),
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
    # What a project has used this month.
    Index("ix_model_calls_created_at", "created_at"),
)

# What a job has spent and reserved; a row from its first reservation on.
job_usage = Table(
    "job_usage",
    metadata,
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    *_spending(),
    Column("used_steps", BigInteger, nullable=False, server_default="0"),
    # The attempt that reserved what is reserved, 0: none; what a dead one left reserved is released.
    Column("epoch", Integer, nullable=False, server_default="0"),
    # The month of the project in which it is reserved.
    Column("month", Text),
    Index("ix_job_usage_reserved", "job_id", postgresql_where=text("reserved_model_calls > 0")),
)

# The ledger: what a step did to the world outside. Intent is written before, `done` after; what a crash leaves at
# `intent` is unknown.
effects = Table(
    "effects",
    metadata,
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("step", Text),
    Column("state", Text, nullable=False),
    Column("idempotent", Boolean, nullable=False, server_default=text("false")),
    Column("request_sha256", Text, nullable=False, server_default=""),
    _json("result", None),
    _time("created_at", now=True),
    _time("done_at"),
    CheckConstraint("state IN ('intent', 'done')", name="state"),
)

# A pause that waits for a person: LangGraph's interrupt and the decision on it.
approvals = Table(
    "approvals",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("interrupt_id", Text, nullable=False),
    # LangGraph's task whose writes consume the decision.
    Column("task_id", Text),
    Column("epoch", Integer, nullable=False),
    Column("step", Text),
    _json("request", None),
    Column("state", Text, nullable=False),
    _json("decision", None),
    Column("comment", Text),
    Column("decided_by", Text),
    _time("created_at", now=True),
    _time("decided_at"),
    # The graph has taken the decision in; it is never given again.
    _time("applied_at"),
    _time("expires_at"),
    CheckConstraint("state IN ('pending', 'decided', 'expired', 'withdrawn')", name="state"),
    # One open question for an interrupt.
    Index("uq_approvals_pending", "job_id", "interrupt_id", unique=True, postgresql_where=text("state = 'pending'")),
    Index("ix_approvals_project_id", "project_id", "id"),
    Index("ix_approvals_job_id", "job_id"),
)

# One call of `fan_out`: the children are jobs with its id.
job_groups = Table(
    "job_groups",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    # Which call it is: the step's place in the graph and the number of the call in it.
    Column("key", Text, nullable=False),
    Column("total", Integer, nullable=False),
    # When one child has failed, the rest are cancelled.
    Column("fail_fast", Boolean, nullable=False, server_default=text("false")),
    _time("created_at", now=True),
    UniqueConstraint("job_id", "key"),
)

# How far retention has come: of the jobs that ended up to then, `what` is pruned.
retention_marks = Table(
    "retention_marks",
    metadata,
    Column("what", Text, primary_key=True),
    Column("finished_at", DateTime(timezone=True), nullable=False),
    Column("job_id", UUID, nullable=False),
)
