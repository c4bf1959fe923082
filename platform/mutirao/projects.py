"""Projects and their keys. A key is `mk_<prefix>.<secret>`; only the SHA-256 of the secret is kept."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from mutirao.db import Database
from mutirao.errors import Conflict, Unauthorized
from mutirao.ids import new_id
from mutirao.jobs.records import Record

DEFAULT_PROJECT = "default"
_PREFIX_CHARS = 8
_PREFIX = re.compile(r"mk_[A-Za-z0-9_-]{1,64}")

_PROJECT = text("""
INSERT INTO projects (id, name) VALUES (:id, :name)
ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id""")

_ADD_KEY = text("""
INSERT INTO api_keys (id, project_id, name, prefix, secret_sha256) VALUES (:id, :project_id, :name, :prefix, :hash)
ON CONFLICT (prefix) DO UPDATE SET secret_sha256 = excluded.secret_sha256
    WHERE api_keys.project_id = excluded.project_id RETURNING id""")

_FIND_KEY = text("""
SELECT project_id, secret_sha256 FROM api_keys
WHERE prefix = :prefix AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())""")


_GET = text("""
SELECT id, name, max_running, budget, created_at,
    (SELECT count(*) FROM jobs j WHERE j.project_id = p.id AND j.state = 'running') AS running,
    (SELECT count(*) FROM jobs j WHERE j.project_id = p.id AND j.state = 'queued') AS queued
FROM projects p WHERE id = :id""")

_CHANGE = text("""
UPDATE projects SET
    max_running = CASE WHEN :set_max_running THEN CAST(:max_running AS int) ELSE max_running END,
    budget = CASE WHEN :set_budget THEN CAST(:budget AS jsonb) ELSE budget END
WHERE id = :id""").bindparams(bindparam("budget", type_=JSONB(none_as_null=True)))


class ProjectBudget(Record):
    """What all jobs of a project together may spend in a calendar month (UTC); null: no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int | None = Field(None, gt=0, le=10**15, description="Input and output tokens of all model calls.")
    cost: float | None = Field(None, gt=0, le=1e12, description="Money, by the price list of the settings.")
    model_calls: int | None = Field(None, gt=0, le=10**15, description="Calls of models.")


class Project(Record):
    """A project and its limits; null: no limit."""

    id: UUID
    name: str
    max_running: int | None = Field(None, description="Most jobs that run at once.")
    budget: ProjectBudget | None = Field(None, description="What all its jobs may spend in a calendar month (UTC).")
    running: int = Field(description="Jobs that run now.")
    queued: int = Field(description="Jobs that wait for a worker.")
    created_at: datetime


class Identity(Record):
    """Who is calling: a key of a project."""

    project_id: UUID
    key_prefix: str


def new_key_text() -> str:
    """A fresh key as its holder keeps it."""
    return f"mk_{secrets.token_hex(_PREFIX_CHARS // 2)}.{secrets.token_urlsafe(32)}"


def _split(key: str) -> tuple[str, str]:
    prefix, dot, secret = key.partition(".")
    if not (dot and secret and _PREFIX.fullmatch(prefix)):
        raise Unauthorized("the key is not of the form mk_<prefix>.<secret>; send it as `Authorization: Bearer <key>`")
    return prefix, hashlib.sha256(secret.encode()).hexdigest()


class Projects:
    """Every verb on projects and keys."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def ensure(self, name: str) -> UUID:
        """The id of the project of that name, made when it is new."""
        async with self.db.autocommit() as connection:
            return UUID(str(await connection.scalar(_PROJECT, {"id": new_id(), "name": name})))

    async def get(self, project_id: UUID) -> Project:
        """A project that there is: whose key was accepted."""
        async with self.db.autocommit() as connection:
            return Project.model_validate(dict((await connection.execute(_GET, {"id": project_id})).mappings().one()))

    async def change(self, project_id: UUID, changes: Mapping[str, Any]) -> None:
        """Set `max_running` and `budget`, each where it is given; None takes the limit away."""
        budget: ProjectBudget | None = changes.get("budget")
        values = {
            "id": project_id,
            "max_running": changes.get("max_running"),
            "budget": budget.model_dump(exclude_none=True) if budget else None,
        }
        given = {f"set_{name}": name in changes for name in ("max_running", "budget")}
        async with self.db.autocommit() as connection:
            await connection.execute(_CHANGE, values | given)

    async def add_key(self, project_id: UUID, key: str, name: str) -> None:
        """Let `key` in. The same key again changes nothing; another secret with its prefix replaces it.

        Raises:
            Conflict: a key of another project has this prefix.
        """
        prefix, digest = _split(key)
        values = {"id": new_id(), "project_id": project_id, "name": name, "prefix": prefix, "hash": digest}
        async with self.db.autocommit() as connection:
            if await connection.scalar(_ADD_KEY, values) is None:
                raise Conflict(f"a key with the prefix {prefix!r} belongs to another project; choose another key")

    async def identify(self, key: str) -> Identity:
        """Whose key this is.

        Raises:
            Unauthorized: it is not of the right form, unknown, expired or revoked; which of them is not said.
        """
        prefix, digest = _split(key)
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_FIND_KEY, {"prefix": prefix})).first()
        if row is None or not hmac.compare_digest(row.secret_sha256, digest):
            raise Unauthorized("the key is unknown, expired or revoked; `mutirao status` shows where the local key is")
        return Identity(project_id=row.project_id, key_prefix=prefix)
