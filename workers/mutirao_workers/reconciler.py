"""The reconciler: takes jobs from workers that are gone. One at a time in the whole system, in any worker."""

import asyncio
from collections.abc import Callable

from mutirao.db import Database
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.states import JobState
from mutirao.logs import logger
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

_log = logger("reconciler")
_PAUSE_SECONDS = 2.0
# Two reconcilers at once would do no harm, only the same work twice.
_ALONE = text("SELECT pg_try_advisory_xact_lock(7203663)")


class Reconciler:
    """Looks every two seconds, the first time at once: a registration has just ended its predecessor's lease."""

    def __init__(self, db: Database, claims: ClaimStore, on_queued: Callable[[], None]) -> None:
        self._db = db
        self._claims = claims
        self._on_queued = on_queued

    async def run(self) -> None:
        """Reconcile until cancelled."""
        while True:
            try:
                await self.once()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("reconciler.database_error", error=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)

    async def once(self) -> None:
        """One look."""
        async with self._db.begin() as connection:
            if not await connection.scalar(_ALONE):
                return
            changed = await self._claims.reconcile()
        for job_id, queue, state in changed:
            _log.info("reconciler.job", job=str(job_id), queue=queue, state=state.value)
        if any(state is JobState.QUEUED for _, _, state in changed):
            self._on_queued()
