"""Browsers that are signed in, and the links that sign them in.

A session stands for a key: it may do what the key may, and is over when the key is. Nobody can get the key out of it: a
browser holds a token of its own, and of tokens only the SHA-256 is kept. A session that is used goes on; one that is not
ends after the time of the settings.
"""

import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row, text

from mutirao.db import Database
from mutirao.errors import Forbidden, LinkSpent, Unauthorized
from mutirao.ids import new_id
from mutirao.jobs.records import Record
from mutirao.keys import KEYS_CHANNEL, Identity, digest_of, scopes_of
from mutirao.settings import AccessSettings

_TOKEN_BYTES = 32
_SEEN_SECONDS = 60.0
"""A session's last use is known to so many seconds, and it is put off no more often."""

_GOOD = "k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())"

_BEGIN = text("""
INSERT INTO sessions (id, project_id, key_id, token_sha256, expires_at)
VALUES (:id, :project_id, :key_id, :digest, now() + make_interval(secs => :seconds))""")

_FIND = text(f"""
SELECT s.id AS session_id, k.id, k.project_id, k.prefix, k.scopes, k.expires_at,
    s.last_used_at < now() - make_interval(secs => :seen) AS unseen
FROM sessions s JOIN api_keys k ON k.id = s.key_id
WHERE s.token_sha256 = :digest AND s.expires_at > now() AND {_GOOD}""")

_USED = text("""
WITH used AS (
    UPDATE sessions SET last_used_at = now(), expires_at = now() + make_interval(secs => :seconds)
    WHERE id = :id AND last_used_at < now() - make_interval(secs => :seen) RETURNING key_id
)
UPDATE api_keys k SET last_used_at = now() FROM used
WHERE k.id = used.key_id AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute')""")

_ENDS = text("""
SELECT least(s.expires_at, k.expires_at) FROM sessions s JOIN api_keys k ON k.id = s.key_id WHERE s.id = :id""")

# Every process looks at what it has open when it is told of a key.
_END = text(f"DELETE FROM sessions WHERE id = :id RETURNING pg_notify('{KEYS_CHANNEL}', key_id::text)")

_OVER = text("""
SELECT asked.id FROM unnest(CAST(:ids AS uuid[])) AS asked (id) LEFT JOIN sessions s ON s.id = asked.id
WHERE s.id IS NULL OR s.expires_at <= now()""")

_LINK = text("""
INSERT INTO sign_in_links (id, project_id, key_id, token_sha256, expires_at)
VALUES (:id, :project_id, :key_id, :digest, now() + make_interval(secs => :seconds)) RETURNING expires_at""")

# Whoever deletes it has used it: of two at once one finds nothing.
_TAKE = text(f"""
WITH taken AS (DELETE FROM sign_in_links WHERE token_sha256 = :digest RETURNING key_id, expires_at)
SELECT k.id, k.project_id, k.prefix, k.scopes, k.expires_at FROM taken t JOIN api_keys k ON k.id = t.key_id
WHERE t.expires_at > now() AND {_GOOD}""")


class SignInLink(Record):
    """What signs one browser in, once."""

    token: str = Field(repr=False)
    expires_at: datetime


class Sessions:
    """Every verb on sessions and on the links that begin them."""

    def __init__(self, db: Database, settings: AccessSettings) -> None:
        self.db = db
        self.seconds = settings.session_seconds
        self._link_seconds = settings.sign_in_link_seconds
        self._seen = min(_SEEN_SECONDS, self.seconds / 4)

    async def begin(self, identity: Identity) -> tuple[Identity, str]:
        """A new session of this key, as whom it lets in, and its token, which nobody can see again.

        Raises:
            Forbidden: it is no key who asks.
        """
        values = self._of_key(identity)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        async with self.db.autocommit() as connection:
            await connection.execute(_BEGIN, values | {"digest": digest_of(token), "seconds": self.seconds})
        return identity.model_copy(update={"session_id": values["id"]}), token

    async def link(self, identity: Identity) -> SignInLink:
        """A link that begins a session of this key, once and soon. Raises Forbidden when it is no key who asks."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        values = self._of_key(identity) | {"digest": digest_of(token), "seconds": self._link_seconds}
        async with self.db.autocommit() as connection:
            return SignInLink(token=token, expires_at=await connection.scalar(_LINK, values))

    async def taken(self, token: str) -> Identity:
        """Whose link this is; it is used up. Raises LinkSpent, whatever is wrong with it."""
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_TAKE, {"digest": digest_of(token)})).first()
        if row is None:
            raise LinkSpent("the link is unknown, was used or is too old; make another with `mutirao open`")
        return _identity(row)

    async def identify(self, token: str) -> Identity:
        """Whose session this is; it is put off. Raises Unauthorized, whatever is wrong with it."""
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_FIND, {"digest": digest_of(token), "seen": self._seen})).first()
            if row is None:
                raise Unauthorized("the session has ended; sign in again (`mutirao open`)")
            if row.unseen:
                await connection.execute(_USED, {"id": row.session_id, "seconds": self.seconds, "seen": self._seen})
        return _identity(row).model_copy(update={"session_id": row.session_id})

    async def ends_at(self, session_id: UUID) -> datetime | None:
        """When a session ends unless it is used; None: it has ended."""
        async with self.db.autocommit() as connection:
            found: datetime | None = await connection.scalar(_ENDS, {"id": session_id})
        return found

    async def end(self, session_id: UUID) -> None:
        """The session is refused from now on, and what it has open is closed within seconds. Twice is the same as once."""
        async with self.db.autocommit() as connection:
            await connection.execute(_END, {"id": session_id})

    async def over(self, session_ids: Collection[UUID]) -> set[UUID]:
        """Those that have ended; that their keys may be over is not looked at."""
        async with self.db.autocommit() as connection:
            return {row.id for row in await connection.execute(_OVER, {"ids": [*session_ids]})}

    def _of_key(self, identity: Identity) -> dict[str, Any]:
        if identity.key_id is None:
            raise Forbidden("only a key, or a session of one, can sign a browser in; a token or nobody cannot")
        return {"id": new_id(), "project_id": identity.project_id, "key_id": identity.key_id}


def _identity(row: Row[Any]) -> Identity:
    return Identity(
        project_id=row.project_id,
        key_id=row.id,
        key_prefix=row.prefix,
        scopes=scopes_of(row.scopes),
        expires_at=row.expires_at,
    )
