"""Threads, assistants, the long-term store, and what the clock starts."""

from sqlalchemy import (
    REAL,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from mutirao.db.tables.columns import json, metadata, time

threads = Table(
    "threads",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    json("metadata"),
    time("created_at", now=True),
    time("updated_at", now=True),
    # What its jobs run by default: set by its first job.
    Column("workflow", Text),
    Column("assistant_id", UUID),
    json("config"),
    # As of its last job that stood still, or of the last change of its state by hand; NULL: never.
    json("values", None),
    # {task id: [{"id", "value"}]}: what it asks people.
    json("interrupts"),
    # Steps that would run next; empty: it has come to an end.
    Column("next", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    json("error", None),
    time("state_updated_at"),
    # Made for one job that nobody means to follow up: deleted some time after its job has ended.
    Column("ephemeral", Boolean, nullable=False, server_default=text("false")),
    # Deleted then; every use of a thread with `ttl_minutes` moves it on.
    time("expires_at"),
    Column("ttl_minutes", Float),
    Column("ttl_strategy", Text),
    Column("revision", Integer, nullable=False, server_default="1"),
    CheckConstraint("ttl_strategy IN ('delete', 'keep_latest')", name="ttl_strategy"),
    # The list of a project: clients may choose ids, which are then in no order.
    Index("ix_threads_project_id_created_at", "project_id", "created_at", "id"),
    Index("ix_threads_metadata", "metadata", postgresql_using="gin", postgresql_ops={"metadata": "jsonb_path_ops"}),
    Index("ix_threads_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    Index("ix_threads_ephemeral", "id", postgresql_where=text("ephemeral")),
    # Each run changes the row twice: no index has what that changes, and there is room to do it in place.
    postgresql_with={"fillfactor": "80"},
)

# A workflow plus saved configuration. Each workflow has one of its own in each project, `system`, whose id follows from
# its name; it is written when it is first looked for.
assistants = Table(
    "assistants",
    metadata,
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("id", UUID, primary_key=True),
    Column("workflow", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    json("config"),
    json("context"),
    json("metadata"),
    # The version of the assistant that counts; see assistant_versions.
    Column("version", Integer, nullable=False, server_default="1"),
    Column("system", Boolean, nullable=False, server_default=text("false")),
    time("created_at", now=True),
    time("updated_at", now=True),
    Index("ix_assistants_workflow", "project_id", "workflow"),
    Index("ix_assistants_metadata", "metadata", postgresql_using="gin", postgresql_ops={"metadata": "jsonb_path_ops"}),
)

assistant_versions = Table(
    "assistant_versions",
    metadata,
    Column("project_id", UUID, primary_key=True),
    Column("assistant_id", UUID, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("workflow", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    json("config"),
    json("context"),
    json("metadata"),
    time("created_at", now=True),
    ForeignKeyConstraint(
        ["project_id", "assistant_id"],
        ["assistants.project_id", "assistants.id"],
        ondelete="CASCADE",
        name="fk_assistant_versions_assistant_id",
    ),
)

# LangGraph's long-term store. `embedding` is there when the project's `langgraph.json` says what to index.
store_items = Table(
    "store_items",
    metadata,
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("namespace", ARRAY(Text), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    time("created_at", now=True),
    time("updated_at", now=True),
    time("expires_at"),
    Column("ttl_minutes", Float),
    Column("embedding", ARRAY(REAL)),
    Index("ix_store_items_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
)

# Cron jobs; `next_at` is when the reconciler submits the next one. NULL: never again.
schedules = Table(
    "schedules",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("workflow", Text, nullable=False),
    json("input"),
    json("metadata"),
    # As of a submission: {"priority", "max_attempts", "retry", "limits", "budget"}.
    json("options"),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False, server_default="UTC"),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    time("next_at"),
    time("last_at"),
    time("end_at"),
    json("last_error", None),
    # Its jobs run in this thread; NULL: each in one of its own.
    Column("thread_id", UUID, ForeignKey("threads.id", ondelete="CASCADE")),
    Column("assistant_id", UUID),
    # As of a job: `records.RunOptions`, and where to tell of its end.
    json("run", None),
    Column("webhook", Text),
    # What becomes of a thread of its own when its job has ended: delete | keep.
    Column("on_run_completed", Text),
    Column("revision", Integer, nullable=False, server_default="1"),
    time("created_at", now=True),
    time("updated_at", now=True),
    UniqueConstraint("project_id", "name"),
    CheckConstraint("end_at >= '0002-01-01 00:00:00+00' AND end_at < '9999-01-01 00:00:00+00'", name="end_at"),
    Index("ix_schedules_next_at", "next_at", postgresql_where=text("enabled AND next_at IS NOT NULL")),
)
