"""Deliveries: one message to one address, sent until it is taken or given up, and the log of every try.

Whoever sends takes a delivery by moving its `next_at` behind the time a call may last: when the sender dies, it is due
again then, with the same id. So a message may come twice, never not at all; receivers tell by `webhook-id`.
"""

import random
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT

from mutirao.db import Database
from mutirao.errors import NotFound
from mutirao.ids import new_id
from mutirao.jobs.channels import WEBHOOKS_CHANNEL
from mutirao.jobs.records import Record
from mutirao.settings import WebhookSettings
from mutirao.webhooks import TEST

_FACTOR = 3
_TRIES_KEPT = 50
_MARGIN_SECONDS = 5.0
_LOOKED_AT = 200
GONE = 410
"""A receiver that answers so does not want to hear from us again."""

_RECEIVER = "coalesce(substring(coalesce(w.url, d.url) FROM '^[^/]*//[^/?#]*'), '')"
_DELIVERY = """d.id, d.webhook_id, d.job_id, coalesce(w.url, d.url) AS url, d.event, d.payload, d.state, d.attempts,
    CASE WHEN d.state = 'pending' THEN d.next_at END AS next_at, d.tries, d.created_at, d.delivered_at"""

# A few to each receiver, however much waits for one of them, and project by project in turn. Of each project no more is
# looked at than what is due first: who is full is not, next time. Served by ix_webhook_deliveries_due.
_TAKE = text(f"""
WITH RECURSIVE project AS (
    (SELECT project_id AS id FROM webhook_deliveries WHERE state = 'pending' ORDER BY project_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.project_id FROM webhook_deliveries d WHERE d.state = 'pending' AND d.project_id > project.id
        ORDER BY d.project_id LIMIT 1) FROM project WHERE project.id IS NOT NULL
), waiting AS (
    SELECT first.id, first.next_at, row_number() OVER (PARTITION BY receiver ORDER BY first.next_at, first.id) AS place,
        row_number() OVER (PARTITION BY project.id ORDER BY first.next_at, first.id) AS turn
    FROM project CROSS JOIN LATERAL (
        SELECT d.id, d.next_at, {_RECEIVER} AS receiver
        FROM webhook_deliveries d LEFT JOIN webhooks w ON w.id = d.webhook_id
        WHERE d.project_id = project.id AND d.state = 'pending' AND d.next_at <= now()
            AND (d.webhook_id IS NULL OR :signed) AND {_RECEIVER} <> ALL (:full)
        ORDER BY d.next_at LIMIT {_LOOKED_AT}
    ) first
), due AS (
    SELECT d.id FROM webhook_deliveries d JOIN waiting ON waiting.id = d.id
    WHERE waiting.place <= :each AND d.state = 'pending' AND d.next_at <= now()
    ORDER BY waiting.turn, d.next_at LIMIT :limit FOR NO KEY UPDATE OF d SKIP LOCKED
), taken AS (
    UPDATE webhook_deliveries d SET attempts = attempts + 1,
        next_at = now() + make_interval(secs => CAST(:seconds AS float))
    FROM due WHERE d.id = due.id RETURNING d.*
)
SELECT d.id, d.webhook_id, coalesce(w.url, d.url) AS url, d.payload, d.attempts, d.next_at AS until, w.secret,
    w.id AS signed_by, now() AS at
FROM taken d LEFT JOIN webhooks w ON w.id = d.webhook_id""").bindparams(bindparam("full", type_=ARRAY(TEXT)))

# Only while nobody else has taken it since.
_RECORD = text(f"""
WITH kept AS (
    UPDATE webhook_deliveries SET state = :state, next_at = now() + make_interval(secs => CAST(:pause AS float)),
        delivered_at = CASE WHEN :state = 'delivered' THEN now() END,
        tries = jsonb_path_query_array(tries || CAST(:tried AS jsonb), '$[last-{_TRIES_KEPT - 1} to last]')
    WHERE id = :id AND state = 'pending' AND next_at = :until RETURNING webhook_id
), refused AS (
    UPDATE webhooks w SET enabled = false, updated_at = now(), revision = revision + 1
    FROM kept WHERE :gone AND w.id = kept.webhook_id AND w.enabled RETURNING w.id
), given_up AS (
    UPDATE webhook_deliveries d SET state = 'failed'
    FROM refused WHERE d.webhook_id = refused.id AND d.state = 'pending' AND d.id <> :id
)
SELECT webhook_id FROM kept""").bindparams(bindparam("tried", type_=JSONB))

# Served by ix_webhook_deliveries_project_id.
_PAGE = text(f"""
SELECT {_DELIVERY} FROM webhook_deliveries d LEFT JOIN webhooks w ON w.id = d.webhook_id
WHERE d.project_id = :project_id AND (CAST(:before AS uuid) IS NULL OR d.id < :before)
    AND (CAST(:webhook AS uuid) IS NULL OR d.webhook_id = :webhook) AND (CAST(:job AS uuid) IS NULL OR d.job_id = :job)
    AND (CAST(:state AS text) IS NULL OR d.state = :state) AND (CAST(:event AS text) IS NULL OR d.event = :event)
ORDER BY d.id DESC LIMIT :limit""")

_GET = text(f"""
SELECT {_DELIVERY} FROM webhook_deliveries d LEFT JOIN webhooks w ON w.id = d.webhook_id
WHERE d.id = :id AND d.project_id = :project_id""")

_REPLAY = text(f"""
UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_at = now(), delivered_at = NULL
WHERE id = :id AND project_id = :project_id RETURNING pg_notify('{WEBHOOKS_CHANNEL}', '') IS NULL AS told""")

_TEST = text(f"""
INSERT INTO webhook_deliveries (id, project_id, webhook_id, url, event, payload)
SELECT :id, project_id, id, url, :event, jsonb_build_object('type', CAST(:event AS text), 'timestamp', now(),
    'data', jsonb_build_object('webhook', jsonb_build_object('id', id, 'name', name)))
FROM webhooks WHERE id = :webhook AND project_id = :project_id
RETURNING pg_notify('{WEBHOOKS_CHANNEL}', '') IS NULL AS told""")

# Those of jobs go with their jobs.
_FORGET = text("""
DELETE FROM webhook_deliveries WHERE id = ANY (ARRAY(
    SELECT id FROM webhook_deliveries WHERE job_id IS NULL AND state <> 'pending'
        AND created_at < now() - make_interval(secs => CAST(:seconds AS float)) LIMIT 1000))""")


class DeliveryState(StrEnum):
    """Where a delivery is. `replay` begins one anew."""

    PENDING = "pending"  # is sent, or will be at `next_at`
    DELIVERED = "delivered"  # the receiver has answered 2xx
    FAILED = "failed"  # its attempts are used up, the receiver is gone (410), or its webhook was switched off


class Try(Record):
    """One attempt at a delivery."""

    at: datetime
    status: int | None = Field(None, description="HTTP status; null: no answer came.")
    error: str | None = Field(None, description="Why it does not count.")
    milliseconds: int


class Delivery(Record):
    """A message to one address, and what has become of it."""

    id: UUID = Field(description="`webhook-id` of every attempt is `msg_` and this without dashes.")
    webhook_id: UUID | None = Field(None, description="null: the job's own `webhook`.")
    job_id: UUID | None = None
    url: str
    event: str
    payload: dict[str, Any]
    state: DeliveryState
    attempts: int = Field(description="Begun since it was written or replayed.")
    next_at: datetime | None = Field(None, description="When it is sent next.")
    tries: list[Try] = Field(description="The last fifty, newest last.")
    created_at: datetime
    delivered_at: datetime | None = None


class Taken(Record):
    """A delivery as its sender sees it. `until`: nobody else takes it before."""

    id: UUID
    webhook_id: UUID | None
    url: str
    payload: dict[str, Any]
    attempts: int
    until: datetime
    at: datetime
    secret: bytes | None
    signed_by: UUID | None


class DeliveryStore:
    """Every verb on deliveries. One of another project answers exactly like an unknown one."""

    def __init__(self, db: Database, settings: WebhookSettings) -> None:
        self.db = db
        self._settings = settings

    async def page(
        self,
        project_id: UUID,
        *,
        webhook: UUID | None = None,
        job: UUID | None = None,
        state: DeliveryState | None = None,
        event: str | None = None,
        before: UUID | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        """At most `limit` deliveries, newest first, older than `before`."""
        values = {
            "project_id": project_id,
            "webhook": webhook,
            "job": job,
            "state": state.value if state else None,
            "event": event,
            "before": before,
            "limit": limit,
        }
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_PAGE, values)).mappings().all()
        return [Delivery.model_validate(dict(row)) for row in rows]

    async def get(self, project_id: UUID, delivery_id: UUID) -> Delivery:
        """Raises NotFound."""
        async with self.db.autocommit() as connection:
            row = (await connection.execute(_GET, {"id": delivery_id, "project_id": project_id})).mappings().first()
        if row is None:
            raise NotFound(f"no delivery {str(delivery_id)!r} in this project")
        return Delivery.model_validate(dict(row))

    async def replay(self, project_id: UUID, delivery_id: UUID) -> Delivery:
        """Send it again, with the same id, whatever has become of it. Raises NotFound."""
        async with self.db.autocommit() as connection:
            await connection.execute(_REPLAY, {"id": delivery_id, "project_id": project_id})
        return await self.get(project_id, delivery_id)

    async def test(self, project_id: UUID, webhook_id: UUID) -> Delivery:
        """A message of type `webhook.test`, whatever events the webhook is told of. Raises NotFound."""
        delivery_id = new_id()
        values = {"id": delivery_id, "project_id": project_id, "webhook": webhook_id, "event": TEST}
        async with self.db.autocommit() as connection:
            if (await connection.execute(_TEST, values)).first() is None:
                raise NotFound(f"no webhook {str(webhook_id)!r} in this project")
        return await self.get(project_id, delivery_id)

    async def take(self, limit: int, *, full: Sequence[str] = (), signed: bool = True) -> list[Taken]:
        """At most `limit` that are due, to be sent by the caller now, a few to each receiver and none to those in `full`;
        of each project the same, as long as it has some.

        `signed`: also those that must be signed.
        """
        values = {
            "limit": limit,
            "each": self.each,
            "full": list(full),
            "signed": signed,
            "seconds": self._settings.outbound_seconds + _MARGIN_SECONDS,
        }
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_TAKE, values)).mappings().all()
        return [Taken.model_validate(dict(row)) for row in rows]

    async def record(
        self, taken: Taken, *, status: int | None, error: str | None, milliseconds: int, final: bool = False
    ) -> DeliveryState:
        """What has become of an attempt; nothing when another one has begun meanwhile. `final`: it is not tried again."""
        state = self._state(taken, status, final)
        tried = {"at": taken.at.isoformat(), "status": status, "error": error, "milliseconds": milliseconds}
        values = {
            "id": taken.id,
            "until": taken.until,
            "state": state.value,
            "pause": self._pause(taken.attempts),
            "tried": [tried],
            "gone": status == GONE,
        }
        async with self.db.autocommit() as connection:
            await connection.execute(_RECORD, values)
        return state

    async def forget(self, days: float) -> int:
        """Delete what belongs to no job and is older than so many days; how many that were, at most a thousand."""
        async with self.db.autocommit() as connection:
            return int((await connection.execute(_FORGET, {"seconds": days * 86_400})).rowcount)

    @property
    def each(self) -> int:
        """Most deliveries at once to one receiver."""
        return max(1, self._settings.webhook_concurrency // 4)

    def _state(self, taken: Taken, status: int | None, final: bool) -> DeliveryState:
        if status is not None and status // 100 == 2:
            return DeliveryState.DELIVERED
        last = final or status == GONE or taken.attempts >= self._settings.webhook_attempts
        return DeliveryState.FAILED if last else DeliveryState.PENDING

    def _pause(self, attempts: int) -> float:
        """Seconds until the next attempt: three times the last pause, between half and all of it."""
        settings = self._settings
        longest = min(
            settings.webhook_backoff_seconds * float(_FACTOR) ** min(attempts - 1, 30), settings.webhook_longest_seconds
        )
        return longest * random.uniform(0.5, 1)  # noqa: S311 (no secret)


def receiver(url: str) -> str:
    """Scheme, host and port of a URL: what `take` counts by."""
    scheme, _, rest = url.partition("//")
    return f"{scheme}//{rest.replace('?', '/').replace('#', '/').partition('/')[0]}"
