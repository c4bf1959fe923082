"""Jobs, and what belongs to one."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from mutirao.db.tables.columns import json, metadata, one_of, time
from mutirao.jobs.states import JobState

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
    json("input"),
    json("output", None),
    json("error", None),
    json("metadata"),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    Column("worker_id", UUID, ForeignKey("workers.id")),
    Column("last_seq", BigInteger, nullable=False, server_default="0"),
    time("available_at", now=True),
    time("cancel_requested_at"),
    # As created_by: who has asked first. NULL: the platform itself, or before this was kept.
    Column("cancel_requested_by", Text),
    time("created_at", now=True),
    time("started_at"),
    time("finished_at"),
    # Higher first, within the project; children have their parent's.
    Column("priority", Integer, nullable=False, server_default="0"),
    # How its attempts run: that of its workflow, `exclusive` once it has blocked a shared loop.
    Column("kind", Text, nullable=False, server_default="shared"),
    # The fan-out that it is a child of, and its place in it.
    Column("parent_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("group_id", UUID),
    Column("ordinal", Integer),
    # {"failures": n, "backoff_seconds": s, "factor": f, "max_backoff_seconds": s}: tries after a step has raised.
    json("retry"),
    Column("failures", Integer, nullable=False, server_default="0"),
    # Its epoch when it was last retried: what was lost until then counts no more towards max_attempts.
    Column("retried_epoch", Integer, nullable=False, server_default="0"),
    # {"step_seconds", "attempt_seconds", "job_seconds"}; a missing one: no limit.
    json("limits"),
    # {"tokens", "cost", "model_calls", "steps", "seconds"}; a missing one: no limit. NULL: no budget at all.
    json("budget", None),
    time("deadline_at"),
    # Why it waits or pauses: children | approval | request.
    Column("waiting_for", Text),
    time("pause_requested_at"),
    # Where its next attempt begins when not at its thread's last checkpoint:
    # {"thread_id", "checkpoint_id", "values", "as_node"}; the attempt clears it.
    json("start", None),
    Column("schedule_id", UUID, ForeignKey("schedules.id", ondelete="SET NULL")),
    time("scheduled_for"),
    Column("assistant_id", UUID),
    # What LangGraph is told beside the input: `records.RunOptions`; NULL: nothing.
    json("run", None),
    # Where to tell of its end, beside the project's webhooks.
    Column("webhook", Text),
    # key:<prefix> | subject:<sub> | schedule:<id>; NULL: before this was kept.
    Column("created_by", Text),
    # Somebody wants nothing to be left of it: its checkpoints go in the transaction that ends it (trigger
    # jobs_rolled_back), its row some time later.
    Column("rolled_back", Boolean, nullable=False, server_default=text("false")),
    one_of("state", JobState),
    CheckConstraint("kind IN ('shared', 'exclusive')", name="kind"),
    # Python has no later year: one such row would spoil every claim and every list that it is in.
    CheckConstraint("deadline_at < '9999-01-01 00:00:00+00'", name="deadline_at"),
    # The list of a project, newest first (ids are time-ordered). With what lists are filtered, sorted and counted by, so
    # that only the rows of a page are read.
    Index(
        "ix_jobs_listed",
        "project_id",
        "id",
        postgresql_include=["state", "workflow", "created_at", "finished_at", "priority", "created_by"],
    ),
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
    # Threads by the status that their jobs give them: what did not succeed is looked for, as it is little.
    Index(
        "ix_jobs_unsuccessful",
        "project_id",
        "state",
        "thread_id",
        postgresql_where=text("state IN ('failed', 'dead', 'budget_exhausted', 'cancelled')"),
    ),
    Index("ix_jobs_rolled_back", "id", postgresql_where=text("rolled_back")),
    Index("ix_jobs_thread_id", "thread_id", "id"),
    # Jobs of a thread never overlap, whatever two claims at once have seen of each other.
    Index("ix_jobs_running_thread_id", "thread_id", unique=True, postgresql_where=text("state = 'running'")),
    # Every state change and every event updates this row: leave room to do it in place.
    postgresql_with={"fillfactor": "70"},
)

# What a job has displaced of the writes under a checkpoint that another job has made, when it went on from there: what
# stood there before, channel NULL where nothing did. It comes back when the job is rolled back.
displaced_writes = Table(
    "displaced_writes",
    metadata,
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("checkpoint_ns", Text, primary_key=True),
    Column("checkpoint_id", Text, primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("task_path", Text),
    Column("channel", Text),
    Column("type", Text),
    Column("blob", LargeBinary),
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
    time("created_at", now=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("worker_id", UUID, nullable=False),
    Column("worker_name", Text, nullable=False),
    # Number of its first event in the job's journal; 0: made by a version that kept none.
    Column("began_seq", BigInteger, nullable=False, server_default="0"),
    Column("outcome", Text),
    json("error", None),
    time("started_at", now=True),
    time("finished_at"),
)

events = Table(
    "events",
    metadata,
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("step", Text),
    json("data"),
    time("created_at", now=True),
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
    time("created_at", now=True),
    UniqueConstraint("job_id", "name"),
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
    time("created_at", now=True),
    UniqueConstraint("job_id", "key"),
)
