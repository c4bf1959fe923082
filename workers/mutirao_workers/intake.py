"""What brings jobs into a worker process: hints, a slow poll, and slots that become free. Also cancels."""

import asyncio
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from mutirao.db.notices import Notices
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim
from mutirao.logs import logger
from sqlalchemy.exc import SQLAlchemyError

from mutirao_workers.executor import Executor
from mutirao_workers.runner import Stop

_log = logger("intake")
_ERROR_PAUSE_SECONDS = 0.5
# A notice may come before the claim it is about has been answered, or be lost with its connection.
_CANCELS_LOOK_SECONDS = 0.5


class Named(Protocol):
    """Id and name of the worker process."""

    @property
    def id(self) -> UUID: ...

    @property
    def name(self) -> str: ...


class Intake:
    """Claims jobs whenever there may be some and a slot is free."""

    def __init__(
        self,
        claims: ClaimStore,
        executor: Executor,
        slot_free: asyncio.Event,
        me: Named,
        queues: Sequence[str],
        poll_seconds: float,
    ) -> None:
        self._claims = claims
        self._executor = executor
        self._wake = slot_free
        self._me = me
        self._queues = queues
        self._poll_seconds = poll_seconds
        self._hints: list[UUID] = []
        self._backlog = True  # the first look is for everything

    def hint(self, job_id: UUID) -> None:
        """A job may be claimed."""
        self._hints.append(job_id)
        self._wake.set()

    def look(self) -> None:
        """Jobs were queued without a hint."""
        self._backlog = True
        self._wake.set()

    async def run(self) -> None:
        """Claim until cancelled."""
        while True:
            try:
                await self._take()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("intake.database_error", error=str(error))
                self._backlog = True
                await asyncio.sleep(_ERROR_PAUSE_SECONDS)
            if await self._pause():
                self._backlog = True

    async def _take(self) -> None:
        """Claim what fits into the free slots: of the whole queue when there may be a backlog, else what was hinted."""
        while (free := self._executor.slots - self._executor.running) > 0 and (self._backlog or self._hints):
            hints, self._hints = self._hints, []
            everything, self._backlog = self._backlog, False
            claimed = await self._claim(None if everything else hints, free)
            for claim in claimed:
                self._executor.start(claim)
            if len(claimed) == free:
                # There may be more than fitted; look again when a slot is free.
                self._backlog = True

    async def _claim(self, ids: list[UUID] | None, limit: int) -> list[Claim]:
        return await self._claims.claim(self._me.id, self._me.name, self._queues, limit=limit, ids=ids)

    async def _pause(self) -> bool:
        """Wait for a reason to look; True when it is only time."""
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._wake.wait()
        except TimeoutError:
            return True
        self._wake.clear()
        return False

    async def watch_cancels(self, cancels: Notices) -> None:
        """Stop attempts whose jobs somebody has asked to end, until cancelled."""
        async with cancels.all_keys() as keys:
            while True:
                if key := await _next(keys, _CANCELS_LOOK_SECONDS):
                    self._executor.stop(UUID(key), Stop.CANCEL)
                else:
                    await self._missed_cancels()

    async def _missed_cancels(self) -> None:
        running = self._executor.job_ids()
        if not running:
            return
        try:
            for job_id in await self._claims.cancelled(running):
                self._executor.stop(job_id, Stop.CANCEL)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("intake.database_error", error=str(error))


async def _next(keys: "asyncio.Queue[str]", seconds: float) -> str:
    """The next key; `""` when none comes in time."""
    try:
        async with asyncio.timeout(seconds):
            return await keys.get()
    except TimeoutError:
        return ""
