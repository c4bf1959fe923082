"""Webhooks: where a project is told of what happens to its jobs and approvals.

Messages are those of Standard Webhooks. The database writes them in the transaction of what they tell of (triggers of
migration 0003); `mutirao.deliveries` sends them.
"""

import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import Field
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection

from mutirao.db import Database
from mutirao.errors import InvalidInput, NotFound, PreconditionFailed
from mutirao.ids import new_id
from mutirao.jobs.records import Record
from mutirao.jobs.states import JobState
from mutirao.outbound import Outbound
from mutirao.secrets_box import SecretsBox

TEST = "webhook.test"
EVENTS = (
    *(f"job.{state.value}" for state in JobState if state.value in
      ("succeeded", "failed", "cancelled", "dead", "budget_exhausted")),
    *(f"approval.{what}" for what in
      ("requested", "reminder", "assigned", "escalated", "decided", "expired")),
)  # fmt: skip
"""Every event a webhook may be told of."""

_SECRET_BYTES = 32
_PATTERN = re.compile(r"\*|[a-z]+\.(\*|[a-z_]+)")

_WEBHOOK = "id, name, url, events, enabled, created_at, updated_at, revision"

_INSERT = text(f"""
INSERT INTO webhooks (id, project_id, name, url, events, secret, enabled)
VALUES (:id, :project_id, :name, :url, :events, :secret, :enabled) RETURNING {_WEBHOOK}""").bindparams(
    bindparam("events", type_=ARRAY(TEXT))
)

_GET = text(f"SELECT {_WEBHOOK} FROM webhooks WHERE id = :id AND project_id = :project_id")

_LOCK = text(f"SELECT {_WEBHOOK}, secret FROM webhooks WHERE id = :id AND project_id = :project_id FOR NO KEY UPDATE")

# Served by ix_webhooks_project_id.
_PAGE = text(f"""
SELECT {_WEBHOOK} FROM webhooks
WHERE project_id = :project_id AND (CAST(:before AS uuid) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit""")

# What has not been sent when a webhook is switched off is not sent to it later by itself: it can be replayed.
_UPDATE = text(f"""
WITH given_up AS (
    UPDATE webhook_deliveries SET state = 'failed'
    WHERE webhook_id = :id AND state = 'pending' AND NOT CAST(:enabled AS boolean)
)
UPDATE webhooks SET name = :name, url = :url, events = :events, enabled = :enabled, updated_at = now(),
    revision = revision + 1
WHERE id = :id RETURNING {_WEBHOOK}""").bindparams(bindparam("events", type_=ARRAY(TEXT)))

_ROTATE = text(f"""
UPDATE webhooks SET secret = :secret, updated_at = now(), revision = revision + 1 WHERE id = :id RETURNING {_WEBHOOK}""")

_DELETE = text("DELETE FROM webhooks WHERE id = :id")


class Webhook(Record):
    """An address of a project, and the events it is told of."""

    id: UUID
    name: str
    url: str
    events: list[str] = Field(description="Types of events; `job.*` stands for all of jobs, `*` for all.")
    enabled: bool = Field(description="false: nothing is written for it.")
    created_at: datetime
    updated_at: datetime
    revision: int = Field(description="Counts changes; the `ETag`.")


class WebhookWithSecret(Webhook):
    """A webhook with the secret its messages are signed with, which is shown this once."""

    secret: str = Field(description="`whsec_…`, as the libraries of Standard Webhooks take it.")


class NewWebhook(Record):
    """What is needed to keep a webhook."""

    name: str = ""
    url: str
    events: list[str]
    enabled: bool = True


class Keys:
    """The secrets of one webhook as they are stored: the present one, and the one before while it still signs."""

    def __init__(self, box: SecretsBox, webhook_id: UUID) -> None:
        self._box = box
        self._owner = f"webhook {webhook_id}"

    def first(self) -> tuple[str, bytes]:
        """A new secret, as its holder keeps it and as the database does."""
        secret = _new_secret()
        return secret, self._sealed([{"secret": secret}])

    def next(self, sealed: bytes, until: float) -> tuple[str, bytes]:
        """A new secret after that one, which signs as well until that moment (seconds since 1970)."""
        secret = _new_secret()
        kept = [{"secret": self.valid(sealed, 0)[0], "until": until}]
        return secret, self._sealed([{"secret": secret}, *kept])

    def valid(self, sealed: bytes, now: float) -> list[str]:
        """The secrets that sign now, the present one first. Raises NoSecretKey."""
        kept = orjson.loads(self._box.open(sealed, self._owner))
        return [entry["secret"] for entry in kept if entry.get("until", now + 1) > now]

    def _sealed(self, kept: list[dict[str, Any]]) -> bytes:
        return self._box.seal(orjson.dumps(kept), self._owner)


class WebhookStore:
    """Every verb on webhooks. One of another project answers exactly like an unknown one."""

    def __init__(self, db: Database, outbound: Outbound, box: SecretsBox) -> None:
        self.db = db
        self._outbound = outbound
        self._box = box

    async def add(self, project_id: UUID, new: NewWebhook) -> WebhookWithSecret:
        """Keep a webhook; the answer has its secret.

        Raises:
            AddressRefused: its address is not public.
            InvalidInput: it names an event that there is not.
            NoSecretKey: the secret cannot be kept.
        """
        check_events(new.events)
        webhook_id = new_id()
        secret, sealed = Keys(self._box, webhook_id).first()
        await self._outbound.check(new.url)
        values = new.model_dump() | {"id": webhook_id, "project_id": project_id, "secret": sealed}
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_INSERT, values)).mappings().one()
        return WebhookWithSecret.model_validate({**row, "secret": secret})

    async def get(self, project_id: UUID, webhook_id: UUID) -> Webhook:
        """Raises NotFound."""
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_GET, {"id": webhook_id, "project_id": project_id})).mappings().first()
        if row is None:
            raise _unknown(webhook_id)
        return Webhook.model_validate(dict(row))

    async def page(self, project_id: UUID, *, before: UUID | None = None, limit: int = 50) -> list[Webhook]:
        """At most `limit` webhooks, newest first, older than `before`."""
        values = {"project_id": project_id, "before": before, "limit": limit}
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_PAGE, values)).mappings().all()
        return [Webhook.model_validate(dict(row)) for row in rows]

    async def change(
        self, project_id: UUID, webhook_id: UUID, changes: Mapping[str, Any], *, revision: int | None = None
    ) -> Webhook:
        """Set what is given of name, url, events, enabled. `revision`: only when that is the present one.

        Raises:
            NotFound, PreconditionFailed, AddressRefused, InvalidInput
        """
        if "events" in changes:
            check_events(changes["events"])
        if "url" in changes:
            await self._outbound.check(changes["url"])
        async with self.db.begin() as connection:
            row = await self._locked(connection, project_id, webhook_id, revision)
            kept = {name: row[name] for name in ("name", "url", "events", "enabled")}
            values = {**kept, **changes, "id": webhook_id}
            changed = (await connection.execute(_UPDATE, values)).mappings().one()
        return Webhook.model_validate(dict(changed))

    async def rotate(self, project_id: UUID, webhook_id: UUID, *, keep_seconds: float = 0) -> WebhookWithSecret:
        """Another secret; the old one signs beside it for `keep_seconds`. Raises NotFound, NoSecretKey."""
        async with self.db.begin() as connection:
            row = await self._locked(connection, project_id, webhook_id)
            until = (await self.db.now()).timestamp() + keep_seconds
            secret, sealed = Keys(self._box, webhook_id).next(row["secret"], until)
            changed = (await connection.execute(_ROTATE, {"id": webhook_id, "secret": sealed})).mappings().one()
        return WebhookWithSecret.model_validate({**changed, "secret": secret})

    async def delete(self, project_id: UUID, webhook_id: UUID, *, revision: int | None = None) -> None:
        """With its deliveries. Raises NotFound, PreconditionFailed."""
        async with self.db.begin() as connection:
            await self._locked(connection, project_id, webhook_id, revision)
            await connection.execute(_DELETE, {"id": webhook_id})

    async def _locked(
        self, connection: AsyncConnection, project_id: UUID, webhook_id: UUID, revision: int | None = None
    ) -> Mapping[str, Any]:
        row = (await connection.execute(_LOCK, {"id": webhook_id, "project_id": project_id})).mappings().first()
        if row is None:
            raise _unknown(webhook_id)
        if revision is not None and revision != row["revision"]:
            raise PreconditionFailed(
                f"webhook {str(webhook_id)!r} is at revision {row['revision']}, not {revision}; read it again",
                revision=row["revision"],
            )
        return dict(row)


def check_events(patterns: Sequence[str]) -> None:
    """Raises InvalidInput when there is a pattern that no event fits."""
    for pattern in patterns:
        stem = pattern.removesuffix("*")
        if not _PATTERN.fullmatch(pattern) or not (
            pattern in EVENTS or (stem != pattern and any(event.startswith(stem) for event in EVENTS))
        ):
            raise InvalidInput(f"no event fits {pattern!r}; there are * , job.*, approval.*, {', '.join(EVENTS)}")


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _unknown(webhook_id: UUID) -> NotFound:
    return NotFound(f"no webhook {str(webhook_id)!r} in this project")
