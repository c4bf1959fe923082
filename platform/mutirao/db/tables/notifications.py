"""Where to tell of what happens, and what became of it."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from mutirao.db.tables.columns import json, metadata, time

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    # Types of events, such as job.succeeded; a trailing * stands for anything.
    Column("events", ARRAY(Text), nullable=False),
    # Encrypted: it signs, so it must be known again.
    Column("secret", LargeBinary, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    time("created_at", now=True),
    time("updated_at", now=True),
    Column("revision", Integer, nullable=False, server_default="1"),
    Index("ix_webhooks_project_id", "project_id", "id"),
)

# One message to one address: due until it is delivered or given up.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    # NULL: a job's own webhook.
    Column("webhook_id", UUID, ForeignKey("webhooks.id", ondelete="CASCADE"), index=True),
    Column("job_id", UUID, ForeignKey("jobs.id", ondelete="CASCADE"), index=True),
    Column("url", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    time("next_at", now=True),
    # [{"at", "status", "error", "milliseconds"}], newest last
    json("tries", "[]"),
    time("created_at", now=True),
    time("delivered_at"),
    CheckConstraint("state IN ('pending', 'delivered', 'failed')", name="state"),
    Index("ix_webhook_deliveries_due", "project_id", "next_at", postgresql_where=text("state = 'pending'")),
    Index("ix_webhook_deliveries_project_id", "project_id", "id"),
)
