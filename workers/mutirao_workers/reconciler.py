"""The reconciler: moves jobs that nobody else would. One at a time in the whole system, in any worker."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import UUID

from mutirao.db import Database
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.states import JobState
from mutirao.jobs.store import WORK_CHANNEL
from mutirao.logs import logger
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

_log = logger("reconciler")
_PAUSE_SECONDS = 2.0
_LONGEST_SECONDS = 30

# Two reconcilers at once would do no harm, only the same work twice. So one that stands still (a stopped process, a host
# that is gone) may lose the lock: the server ends its session, and another worker goes on.
_ALONE = text(f"""
SELECT pg_try_advisory_xact_lock(7203663),
    set_config('idle_in_transaction_session_timeout', '{_LONGEST_SECONDS}s', true)""")
_TELL = text("SELECT pg_notify(:channel, queue) FROM unnest(CAST(:queues AS text[])) AS q(queue)")

Also = Callable[[], Awaitable[Iterable[object] | None]]
"""Something else to look after; returns the queues in which jobs may be claimed now, where it knows them."""


class Reconciler:
    """Looks every two seconds, the first time at once: a registration has just ended its predecessor's lease.

    After the jobs' own matters it awaits each of `also`, whatever became of the one before. `on_queued` is called when
    there are jobs to claim.
    """

    def __init__(
        self, db: Database, claims: ClaimStore, on_queued: Callable[[], None], *, also: Sequence[Also] = ()
    ) -> None:
        self._db = db
        self._claims = claims
        self._on_queued = on_queued
        self._also = also

    async def run(self) -> None:
        """Reconcile until cancelled."""
        while True:
            try:
                await self.once()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("reconciler.database_error", error=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)

    async def once(self) -> None:
        """One look. Leases that have run out wait for nobody; the rest is left to another worker while it is at it."""
        queued = await self._guarded(self._leases)
        async with self._db.begin() as connection:
            if await connection.scalar(_ALONE):
                for look in (self._jobs, *self._also):
                    queued |= await self._guarded(look)
        if queued:
            await self._tell(queued)

    async def _guarded(self, look: Also) -> set[str]:
        try:
            return {str(queue) for queue in await look() or ()}
        except Exception as error:  # noqa: BLE001 (whatever one of them raises must not keep the others from their work)
            _log.warning("reconciler.failed", look=getattr(look, "__qualname__", repr(look)), error=str(error))
            return set()

    async def _leases(self) -> list[str]:
        return self._queues(await self._claims.recover())

    async def _jobs(self) -> list[str]:
        return self._queues(await self._claims.reconcile())

    def _queues(self, changed: Iterable[tuple[UUID, str, JobState]]) -> list[str]:
        """Where jobs may be claimed after these moves."""
        changed = list(changed)
        for job_id, queue, state in changed:
            _log.info("reconciler.job", job=str(job_id), queue=queue, state=state.value)
        return [queue for _, queue, state in changed if state is JobState.QUEUED]

    async def _tell(self, queues: Iterable[str]) -> None:
        self._on_queued()
        async with self._db.autocommit() as connection:
            await connection.execute(_TELL, {"channel": WORK_CHANNEL, "queues": sorted(queues)})
