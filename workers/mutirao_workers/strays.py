"""Jobs that the database gives to this worker and that it does not run."""

import asyncio
from uuid import UUID

from mutirao.jobs.claims import ClaimStore
from mutirao.logs import logger
from sqlalchemy.exc import SQLAlchemyError

from mutirao_workers.forced_ends import ForcedEnds
from mutirao_workers.intake import Executor

_log = logger("strays")
_LOOK_SECONDS = 3.0


class Strays:
    """Gives up such attempts. The answer to a claim can be lost with its connection: then the job is this worker's and
    nobody knows, for as long as the worker lives."""

    def __init__(self, claims: ClaimStore, executor: Executor, worker_id: UUID) -> None:
        self._claims = claims
        self._ends = ForcedEnds(claims)
        self._executor = executor
        self._worker_id = worker_id

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        seen: set[tuple[UUID, int]] = set()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                seen = await self.once(seen)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("strays.database_error", error=str(error))

    async def once(self, seen: set[tuple[UUID, int]]) -> set[tuple[UUID, int]]:
        """Give up those that were strays at the last look, too; returns all there are now, for the next look."""
        held = await self._claims.held(self._worker_id)
        running = set(self._executor.job_ids())
        strays = [claim for claim in held if claim.job_id not in running]
        for claim in strays:
            if (claim.job_id, claim.epoch) in seen:
                _log.error("strays.given_up", job=str(claim.job_id), epoch=claim.epoch)
                await self._ends.lost(claim, "the worker that had claimed it did not run it")
        return {(claim.job_id, claim.epoch) for claim in strays}
