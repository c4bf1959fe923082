"""Worker processes: their registration, lease and heartbeat.

The lease is one row per process and covers all its jobs, so that a heartbeat is one small update however many jobs run.
The database clock decides whether a lease has run out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from mutirao.db import Database
from mutirao.jobs.records import Record

_REGISTER = text("""
INSERT INTO workers (id, name, host, pid, kind, queues, slots, load_errors, brings, lease_expires_at)
VALUES (:id, :name, :host, :pid, :kind, :queues, :slots, :load_errors, :brings, now() + make_interval(secs => :lease))
""").bindparams(bindparam("load_errors", type_=JSONB), bindparam("brings", type_=JSONB))

HEARTBEAT_SQL = """
UPDATE workers SET heartbeat_at = now(), lease_expires_at = now() + make_interval(secs => %(lease)s)
WHERE id = %(id)s AND stopped_at IS NULL AND lease_expires_at > now() RETURNING id"""

_STOP = text("""
UPDATE workers SET stopped_at = now(), lease_expires_at = now() - interval '1 millisecond'
WHERE id = :id AND stopped_at IS NULL""")

_SERVES = text("UPDATE workers SET app_url = :app_url WHERE id = :id")

_APPS = text("""
SELECT app_url FROM workers
WHERE lease_expires_at > now() AND stopped_at IS NULL AND app_url IS NOT NULL ORDER BY started_at DESC""")

_LIVE = text("""
SELECT id, name, host, pid, kind, queues, slots, load_errors, brings, app_url, started_at, heartbeat_at,
    (SELECT count(*) FROM jobs j WHERE j.worker_id = w.id AND j.state = 'running') AS running
FROM workers w
WHERE lease_expires_at > now() AND stopped_at IS NULL AND (CAST(:name AS text) IS NULL OR name = :name)
ORDER BY name""")

"""For the heartbeat thread, which has a plain psycopg connection of its own, outside the loop that runs jobs."""


class Worker(Record):
    """A live worker process."""

    id: UUID
    name: str
    host: str
    pid: int
    kind: str
    queues: list[str]
    slots: int = Field(description="Jobs it runs at once.")
    running: int = Field(description="Jobs it runs now.")
    load_errors: list[dict[str, Any]] = Field(description="What of its project it could not load or honour, and why.")
    brings: dict[str, Any] = Field(
        default_factory=dict, description="What else its project has: `auth`, `app`, `store_index`, `thread_ttl`."
    )
    app_url: str | None = Field(None, description="Where the project's own routes are served; null: nowhere.")
    started_at: datetime
    heartbeat_at: datetime


class WorkerStore:
    """Every verb on worker processes but the heartbeat."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def register(
        self,
        worker_id: UUID,
        *,
        name: str,
        host: str,
        pid: int,
        kind: str,
        queues: Sequence[str],
        slots: int,
        lease_seconds: float,
        load_errors: Sequence[dict[str, Any]] = (),
        brings: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin the lease of a new process."""
        values = {
            "id": worker_id,
            "name": name,
            "host": host,
            "pid": pid,
            "kind": kind,
            "queues": list(queues),
            "slots": slots,
            "lease": lease_seconds,
            "load_errors": list(load_errors),
            "brings": dict(brings or {}),
        }
        async with self.db.autocommit() as connection:
            await connection.execute(_REGISTER, values)

    async def serves(self, worker_id: UUID, app_url: str | None) -> None:
        """Say where the routes of its project are served; None: nowhere."""
        async with self.db.autocommit() as connection:
            await connection.execute(_SERVES, {"id": worker_id, "app_url": app_url})

    async def apps(self) -> list[str]:
        """Where live workers serve routes of their projects."""
        async with self.db.autocommit() as connection:
            return list((await connection.scalars(_APPS)).all())

    async def stop(self, worker_id: UUID) -> None:
        """End the lease now; its jobs may be taken from it. For its owner, and for who knows that it is dead."""
        async with self.db.autocommit() as connection:
            await connection.execute(_STOP, {"id": worker_id})

    async def live(self, name: str | None = None) -> list[Worker]:
        """Processes with a running lease, by name; those of one name where it is given."""
        async with self.db.autocommit() as connection:
            rows = (await connection.execute(_LIVE, {"name": name})).mappings()
            return [Worker.model_validate(dict(row)) for row in rows]
