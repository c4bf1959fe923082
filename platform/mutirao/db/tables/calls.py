"""What jobs ask of models and people, what it cost, and what they did to the world outside."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from mutirao.db.tables.columns import json, metadata, spending, time

model_calls = Table(
    "model_calls",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("epoch", Integer, nullable=False),
    Column("step", Text),
    Column("model", Text, nullable=False),
    json("prompt"),
    Column("answer", Text),
    Column("input_tokens", Integer, nullable=False, server_default="0"),
    Column("output_tokens", Integer, nullable=False, server_default="0"),
    Column("cached_tokens", Integer, nullable=False, server_default="0"),
    Column("milliseconds", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    time("created_at", now=True),
    # What a project has used this month.
    Index("ix_model_calls_created_at", "created_at"),
)

# What a job has spent and reserved; a row from its first reservation on.
job_usage = Table(
    "job_usage",
    metadata,
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    *spending(),
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
    json("result", None),
    time("created_at", now=True),
    time("done_at"),
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
    json("request", None),
    Column("state", Text, nullable=False),
    json("decision", None),
    Column("comment", Text),
    Column("decided_by", Text),
    time("created_at", now=True),
    time("decided_at"),
    # The graph has taken the decision in; it is never given again.
    time("applied_at"),
    time("expires_at"),
    # Who should decide; NULL: anybody who may.
    Column("assignee", Text),
    # What happens when the time has passed: expire (the graph is told) | approve | reject | escalate (to `escalate_to`).
    Column("on_expiry", Text, nullable=False, server_default="expire"),
    Column("escalate_to", Text),
    # How long it was given to be decided; what an escalation gives it anew.
    Column("expires_seconds", Float),
    # Pause between two reminders; NULL: none.
    Column("remind_seconds", Float),
    time("remind_at"),
    Column("reminders", Integer, nullable=False, server_default="0"),
    # SHA-256 of the request as it was asked: a decision says which one it is about.
    Column("request_sha256", Text, nullable=False, server_default=""),
    Column("revision", Integer, nullable=False, server_default="1"),
    CheckConstraint("state IN ('pending', 'decided', 'expired', 'withdrawn')", name="state"),
    CheckConstraint("on_expiry IN ('expire', 'approve', 'reject', 'escalate')", name="on_expiry"),
    Index("ix_approvals_due", "expires_at", postgresql_where=text("state = 'pending' AND expires_at IS NOT NULL")),
    Index("ix_approvals_remind_at", "remind_at", postgresql_where=text("state = 'pending' AND remind_at IS NOT NULL")),
    # One open question for an interrupt.
    Index("uq_approvals_pending", "job_id", "interrupt_id", unique=True, postgresql_where=text("state = 'pending'")),
    Index("ix_approvals_project_id", "project_id", "id"),
    # How many wait, asked whenever something changes that somebody watches.
    Index("ix_approvals_pending", "project_id", postgresql_where=text("state = 'pending'")),
    Index("ix_approvals_job_id", "job_id"),
)
