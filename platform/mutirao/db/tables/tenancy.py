"""Projects, their keys, who did what with them, and what they have spent."""

from sqlalchemy import Column, DateTime, ForeignKey, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from mutirao.db.tables.columns import json, metadata, spending, time

projects = Table(
    "projects",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    time("created_at", now=True),
    # Most jobs that run at once; NULL: no limit.
    Column("max_running", Integer),
    # What all its jobs together may spend in a calendar month (UTC): {"tokens", "cost", "model_calls"}; NULL: no limit.
    json("budget", None),
    Column("revision", Integer, nullable=False, server_default="1"),
)

# What the jobs of a project have spent and reserved, by calendar month (UTC), "2026-11".
project_usage = Table(
    "project_usage",
    metadata,
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("month", Text, primary_key=True),
    *spending(),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False, unique=True),
    Column("secret_sha256", Text, nullable=False),
    time("created_at", now=True),
    time("expires_at"),
    time("revoked_at"),
    # read, submit, approve, admin
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{read,submit,approve,admin}'::text[]")),
    time("last_used_at"),
    # Who made it: a key's prefix or a token's subject.
    Column("created_by", Text),
)

# Browsers that are signed in: each with the rights of a key, and gone with it. Of tokens only the SHA-256 is kept.
sessions = Table(
    "sessions",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("key_id", UUID, ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("token_sha256", Text, nullable=False, unique=True),
    time("created_at", now=True),
    time("last_used_at", now=True),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)

# What signs a browser in once: deleted when it is used.
sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("key_id", UUID, ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("token_sha256", Text, nullable=False, unique=True),
    time("created_at", now=True),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
)

# Who did what. Written in the transaction of what was done where there is one.
audit_log = Table(
    "audit_log",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("project_id", UUID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    # key:<prefix> | subject:<sub> | system
    Column("actor", Text, nullable=False),
    # <resource>.<verb>, such as job.cancel
    Column("action", Text, nullable=False),
    Column("resource_id", Text),
    json("data"),
    Column("request_id", Text),
    time("created_at", now=True),
    Index("ix_audit_log_project_id", "project_id", "id"),
)
