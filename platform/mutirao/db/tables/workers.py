"""Workers and the catalogue of what they serve."""

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from mutirao.db.tables.columns import json, metadata, time

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
    json("load_errors", "[]"),
    time("started_at", now=True),
    time("heartbeat_at", now=True),
    Column("lease_expires_at", DateTime(timezone=True), nullable=False, index=True),
    time("stopped_at"),
    # What else its project brings: {"auth": bool, "app": bool, "store_index": bool}
    json("brings"),
    # Where its project's own routes are served, http://host:port; NULL: nowhere.
    Column("app_url", Text),
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
    json("input_schema"),
    json("output_schema"),
    json("config_schema"),
    json("graph"),
    json("state_schema"),
    json("context_schema"),
    # {namespace: {"graph_id", "input_schema", "output_schema", "state_schema", "config_schema", "context_schema"}}, however
    # deep; a namespace is the names of the steps on the way, joined by "|".
    json("subgraphs"),
    time("created_at", now=True),
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

# What the API asks a worker about a graph, and is answered within seconds or not at all: nothing here must survive.
queries = Table(
    "queries",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, nullable=False),
    # NULL: any worker will do.
    Column("workflow", Text),
    Column("version", Text),
    Column("kind", Text, nullable=False),
    json("request"),
    json("answer", None),
    # {"code", "status", "message"}
    json("error", None),
    time("created_at", now=True),
    time("taken_at"),
    Column("worker_id", UUID),
    prefixes=["UNLOGGED"],
)
