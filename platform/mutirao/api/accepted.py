"""Jobs that this process has accepted, told to the other API processes, whose lists show them, too.

What a worker does to a job the database tells everybody. Only what is still untouched a moment after it was accepted is
told from here, one notice for many: a submission does no more than before, and where workers keep up there is nothing to tell.
"""

import asyncio
from contextlib import suppress
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from mutirao.db import Database
from mutirao.db.notices import Notices
from mutirao.db.tenancy import bound_to
from mutirao.ids import new_id
from mutirao.jobs.channels import ACCEPTED, EVENTS_CHANNEL

WAIT_SECONDS = 0.25
_MOST_IN_NOTICE = 200  # PostgreSQL takes 8,000 bytes

_TELL = text(f"SELECT pg_notify('{EVENTS_CHANNEL}', payload) FROM unnest(CAST(:payloads AS text[])) AS payload")


class Accepted:
    """Tells and understands notices about accepted jobs. A notice may be lost: a job is told when a worker takes it, too."""

    def __init__(self, db: Database, notices: Notices) -> None:
        self._db = db
        self._notices = notices
        self._name = str(new_id())
        self._ids: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, job_id: UUID) -> None:
        """A job has been committed by this process. Never waits."""
        self._ids.add(str(job_id))
        if self._task is None:
            self._notices.hear(self._hear)
            self._task = asyncio.create_task(self._run(), name="accepted")

    def ids_of(self, key: str) -> list[str]:
        """The jobs that a notice of another process is about; empty: it is of this one, or about something else."""
        if not key.startswith(ACCEPTED):
            return []
        name, *ids = key.removeprefix(ACCEPTED).split()
        return ids if name != self._name else []

    async def stop(self) -> None:
        """Tell no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _hear(self, key: str) -> None:
        self._ids.discard(key)  # a worker has it: everybody has heard that

    async def _run(self) -> None:
        try:
            with bound_to(None):  # begun by whoever came first, and for all projects
                while self._ids:
                    await asyncio.sleep(WAIT_SECONDS)
                    await self._tell()
        finally:
            self._notices.unhear(self._hear)
            self._task = None

    async def _tell(self) -> None:
        ids, self._ids = [*self._ids], set()
        if not ids:
            return
        parts = (ids[at : at + _MOST_IN_NOTICE] for at in range(0, len(ids), _MOST_IN_NOTICE))
        payloads = [f"{ACCEPTED}{self._name} {' '.join(part)}" for part in parts]
        with suppress(SQLAlchemyError, OSError):
            async with self._db.autocommit() as connection:
                await connection.execute(_TELL, {"payloads": payloads})
