"""Keys of projects. A key is `mk_<prefix>.<secret>`; only the SHA-256 of the secret is kept, the secret is shown once."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, Field
from sqlalchemy import text

from mutirao.db import Database
from mutirao.errors import Conflict, Forbidden, NotFound, Unauthorized
from mutirao.ids import new_id
from mutirao.jobs.records import Record

KEYS_CHANNEL = "mutirao_keys"
"""Told the id of a key whenever it stops to be valid, or will sooner than it was going to."""

_PREFIX_CHARS = 8
_PREFIX = re.compile(r"mk_[A-Za-z0-9_-]{1,64}")


class Scope(StrEnum):
    """What a caller may do. None of them includes another."""

    READ = "read"
    SUBMIT = "submit"
    APPROVE = "approve"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)
DEFAULT_SCOPES = (Scope.READ, Scope.SUBMIT)


LONGEST_SUBJECT = 255
"""Of a subject, in characters, as OpenID Connect has it: it is kept with all that was done by it, and in indexes."""


class Identity(Record):
    """Who is calling, for which project, and what it may do. Holds no secret."""

    project_id: UUID
    key_id: UUID | None = Field(None, description="None: it is not a key but a token.")
    key_prefix: str = ""
    subject: str | None = Field(None, description="Of a token.")
    scopes: frozenset[Scope] = ALL_SCOPES
    expires_at: datetime | None = None
    session_id: UUID | None = Field(None, description="Of a browser that is signed in with the key.")
    user: dict[str, Any] | None = Field(None, description="What the project's own `authenticate` has answered.")

    @property
    def actor(self) -> str:
        """How it is named where it is kept who did something: `key:<prefix>` or `subject:<sub>`."""
        return f"subject:{self.subject}" if self.subject is not None else f"key:{self.key_prefix}"

    def need(self, scope: Scope) -> None:
        """Raises Forbidden when it does not have this scope."""
        if scope not in self.scopes:
            raise Forbidden(f"this needs the scope {scope.value!r}, which {self.actor!r} does not have", scope=scope)


class Key(Record):
    """A key without its secret."""

    id: UUID
    name: str
    prefix: str = Field(description="What stands before the dot; not secret.")
    scopes: list[Scope]
    created_at: datetime
    created_by: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = Field(None, description="To the minute.")


class NewKey(Record):
    """A key to make."""

    name: str
    scopes: Sequence[Scope] = DEFAULT_SCOPES
    expires_at: AwareDatetime | None = None


_COLUMNS = "id, name, prefix, scopes, created_at, created_by, expires_at, revoked_at, last_used_at"

_ADD = text(f"""
INSERT INTO api_keys (id, project_id, name, prefix, secret_sha256, scopes, expires_at, created_by)
VALUES (:id, :project_id, :name, :prefix, :hash, :scopes, :expires_at, :by) RETURNING {_COLUMNS}""")

_LET_IN = text("""
INSERT INTO api_keys (id, project_id, name, prefix, secret_sha256, scopes)
VALUES (:id, :project_id, :name, :prefix, :hash, :scopes)
ON CONFLICT (prefix) DO UPDATE SET secret_sha256 = excluded.secret_sha256
    WHERE api_keys.project_id = excluded.project_id RETURNING id""")

_FIND = text("""
SELECT id, project_id, secret_sha256, scopes, expires_at,
    last_used_at IS NULL OR last_used_at < now() - interval '1 minute' AS unseen
FROM api_keys WHERE prefix = :prefix AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())""")

_USED = text("""
UPDATE api_keys SET last_used_at = now()
WHERE id = :id AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')""")

_PAGE = text(f"""
SELECT {_COLUMNS} FROM api_keys
WHERE project_id = :project_id AND (CAST(:before AS uuid) IS NULL OR id < :before)
ORDER BY id DESC LIMIT :limit""")

_GET = text(f"SELECT {_COLUMNS} FROM api_keys WHERE id = :id AND project_id = :project_id")

# A key that has been revoked stays as it is: when it was revoked is the answer.
_REVOKE = text(f"""
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = :id AND project_id = :project_id
RETURNING {_COLUMNS}, pg_notify('{KEYS_CHANNEL}', id::text) IS NULL AS told""")

_END_BY = text(f"""
UPDATE api_keys SET expires_at = least(expires_at, now() + make_interval(secs => :seconds))
WHERE id = :id AND project_id = :project_id RETURNING pg_notify('{KEYS_CHANNEL}', id::text)""")

_OVER = text("""
SELECT asked.id FROM unnest(CAST(:ids AS uuid[])) AS asked (id) LEFT JOIN api_keys k ON k.id = asked.id
WHERE k.id IS NULL OR k.revoked_at IS NOT NULL OR k.expires_at <= now()""")


def new_key_text() -> str:
    """A fresh key as its holder keeps it."""
    return f"mk_{secrets.token_hex(_PREFIX_CHARS // 2)}.{secrets.token_urlsafe(32)}"


def is_key(credential: str) -> bool:
    """Whether this means to be one of our keys."""
    return credential.startswith("mk_")


def digest_of(credential: str) -> str:
    """SHA-256, as hexadecimal digits."""
    return hashlib.sha256(credential.encode()).hexdigest()


def scopes_of(names: Collection[str]) -> frozenset[Scope]:
    """Scopes by their names; names of a later version are left out."""
    return frozenset(Scope(name) for name in names if name in ALL_SCOPES)


def _split(key: str) -> tuple[str, str]:
    prefix, dot, secret = key.partition(".")
    if not (dot and secret and _PREFIX.fullmatch(prefix)):
        raise Unauthorized("the key is not of the form mk_<prefix>.<secret>; send it as `Authorization: Bearer <key>`")
    return prefix, digest_of(secret)


class Keys:
    """Every verb on keys."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def add(self, project_id: UUID, new: NewKey, *, by: str | None = None) -> tuple[Key, str]:
        """A new key, and its text, which nobody can see again."""
        key = new_key_text()
        prefix, digest = _split(key)
        values = {"id": new_id(), "project_id": project_id, "name": new.name, "prefix": prefix, "hash": digest}
        values |= {"scopes": [str(scope) for scope in new.scopes], "expires_at": new.expires_at, "by": by}
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_ADD, values)).mappings().one()
        return Key.model_validate(dict(row)), key

    async def let_in(self, project_id: UUID, key: str, name: str, scopes: Collection[Scope] = ALL_SCOPES) -> None:
        """Let a key in whose text is known. The same key again changes nothing; another secret with its prefix
        replaces it.

        Raises:
            Conflict: a key of another project has this prefix.
        """
        prefix, digest = _split(key)
        values = {"id": new_id(), "project_id": project_id, "name": name, "prefix": prefix, "hash": digest}
        async with self.db.autocommit() as connection:
            if await connection.scalar(_LET_IN, values | {"scopes": sorted(scopes)}) is None:
                raise Conflict(f"a key with the prefix {prefix!r} belongs to another project; choose another key")

    async def identify(self, key: str) -> Identity:
        """Whose key this is.

        Raises:
            Unauthorized: it is not of the right form, unknown, expired or revoked; which of them is not said.
        """
        prefix, digest = _split(key)
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_FIND, {"prefix": prefix})).first()
            if row is None or not hmac.compare_digest(row.secret_sha256, digest):
                raise Unauthorized(
                    "the key is unknown, expired or revoked; `mutirao status` shows where the local key is"
                )
            if row.unseen:
                await connection.execute(_USED, {"id": row.id})
        scopes = scopes_of(row.scopes)
        return Identity(
            project_id=row.project_id, key_id=row.id, key_prefix=prefix, scopes=scopes, expires_at=row.expires_at
        )

    async def page(self, project_id: UUID, *, before: UUID | None = None, limit: int = 50) -> list[Key]:
        """Keys of the project, newest first, those that are over, too."""
        values = {"project_id": project_id, "before": before, "limit": limit}
        async with self.db.autocommit() as connection:
            return [Key.model_validate(dict(row)) for row in (await connection.execute(_PAGE, values)).mappings()]

    async def get(self, project_id: UUID, key_id: UUID) -> Key:
        """Raises NotFound."""
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_GET, {"id": key_id, "project_id": project_id})).mappings().first()
        if row is None:
            raise _unknown(key_id)
        return Key.model_validate(dict(row))

    async def revoke(self, project_id: UUID, key_id: UUID) -> Key:
        """The key is refused from now on, and what it has open is closed within seconds. Raises NotFound."""
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_REVOKE, {"id": key_id, "project_id": project_id})).mappings().first()
        if row is None:
            raise _unknown(key_id)
        return Key.model_validate({name: row[name] for name in Key.model_fields})

    async def rotate(
        self, project_id: UUID, key_id: UUID, *, overlap_seconds: float = 0, by: str | None = None
    ) -> tuple[Key, str]:
        """A new key in place of this one, with its name, scopes and expiry; this one ends after the overlap.

        Raises:
            NotFound: the project has no such key.
            Conflict: the key is revoked or has expired.
        """
        old = await self.get(project_id, key_id)
        if old.revoked_at is not None or key_id in await self.over([key_id]):
            raise Conflict(f"key {old.prefix!r} is revoked or has expired; make a new one (`POST /keys`)")
        new = NewKey(name=old.name, scopes=old.scopes, expires_at=old.expires_at)
        made = await self.add(project_id, new, by=by)
        if overlap_seconds:
            async with self.db.autocommit() as connection:
                values = {"id": key_id, "project_id": project_id, "seconds": overlap_seconds}
                await connection.execute(_END_BY, values)
        else:
            await self.revoke(project_id, key_id)
        return made

    async def over(self, key_ids: Collection[UUID]) -> set[UUID]:
        """Those that are revoked, expired or gone."""
        async with self.db.autocommit() as connection:
            return {row.id for row in await connection.execute(_OVER, {"ids": [*key_ids]})}


def _unknown(key_id: UUID) -> NotFound:
    return NotFound(f"key {str(key_id)!r} is not known in this project; `GET /keys` lists them")
