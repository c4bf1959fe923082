"""What brings jobs into a worker process: hints, a slow poll, and slots that become free. Also requests to stop."""

import asyncio
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from mutirao.db.notices import Notices
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim
from mutirao.logs import logger
from sqlalchemy.exc import SQLAlchemyError

from mutirao_workers.stops import Stop

_log = logger("intake")
_ERROR_PAUSE_SECONDS = 0.5
# A notice may come before the claim it is about has been answered, or be lost with its connection.
_REQUESTS_LOOK_SECONDS = 0.5
_MOST_TOLD = 1000


class Named(Protocol):
    """Id and name of the worker process."""

    @property
    def id(self) -> UUID: ...

    @property
    def name(self) -> str: ...


class Executor(Protocol):
    """Runs attempts. Implementers owe:

    * `start` and `stop` return at once; the attempt's end is written by whoever runs it.
    * after `stop(job, CANCEL)` nothing of the attempt has an effect any more once the job is terminal.
    """

    def free(self) -> dict[str, int]:
        """Free slots by kind of workflow."""

    def start(self, claim: Claim) -> None:
        """Begin an attempt. The caller has made sure that a slot of its kind is free."""

    def stop(self, job_id: UUID, reason: Stop) -> None:
        """End the attempt of a job; does nothing when it does not run here."""

    def job_ids(self) -> list[UUID]:
        """Jobs whose attempts run now."""


class Intake:
    """Claims jobs whenever there may be some and a slot is free."""

    def __init__(
        self, claims: ClaimStore, executor: Executor, me: Named, queues: Sequence[str], poll_seconds: float
    ) -> None:
        self._claims = claims
        self._executor = executor
        self._wake = asyncio.Event()
        self._leaving = False
        self._full = False  # there may be jobs that found no slot of their kind
        self._me = me
        self._queues = queues
        self._poll_seconds = poll_seconds
        self._hints: list[UUID] = []
        self._backlog = True  # the first look is for everything
        self._told: dict[UUID, None] = {}  # by a notice; their hints are still to come

    @property
    def hints(self) -> list[UUID]:
        """Jobs that are to be claimed next."""
        return list(self._hints)

    def hint(self, job_id: UUID) -> None:
        """A job may be claimed."""
        if job_id in self._told:
            del self._told[job_id]
            return
        self._hints.append(job_id)
        self._wake.set()

    def notice(self, job_id: UUID) -> None:
        """A job may be claimed for which somebody waits: an idle worker does not wait for its hint. One that is busy does,
        as all workers get the notice, and one of them the hint."""
        if self._executor.job_ids() or self._hints or job_id in self._told:
            return
        self.hint(job_id)
        self._told[job_id] = None
        while len(self._told) > _MOST_TOLD:
            del self._told[next(iter(self._told))]

    def look(self) -> None:
        """Jobs were queued without a hint."""
        self._backlog = True
        self._wake.set()

    def slot_free(self) -> None:
        """An attempt has ended."""
        self._backlog |= self._full
        self._wake.set()

    def leave(self) -> None:
        """Claim no more: `run` returns when a claim that is on its way has been answered and its jobs are begun."""
        self._leaving = True
        self._wake.set()

    async def run(self) -> None:
        """Claim until told to leave."""
        while not self._leaving:
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
        while (self._backlog or self._hints) and not self._leaving:
            free = {kind: max(0, count) for kind, count in self._executor.free().items()}
            if not any(free.values()):
                self._full = True
                return
            hints, self._hints = self._hints, []
            everything, self._backlog = self._backlog, False
            claimed = await self._claims.claim(
                self._me.id, self._me.name, self._queues, slots=free, ids=None if everything else hints
            )
            for claim in claimed:
                free[claim.kind] -= 1
                self._executor.start(claim)
            self._full = not all(free.values())

    async def _pause(self) -> bool:
        """Wait for a reason to look; True when it is only time."""
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._wake.wait()
        except TimeoutError:
            return True
        self._wake.clear()
        return False

    async def watch_requests(self, requests: Notices) -> None:
        """Stop attempts whose jobs somebody has asked to end or to pause, until cancelled."""
        async with requests.all_keys() as keys:
            while True:
                key = await _next(keys, _REQUESTS_LOOK_SECONDS)
                running = self._executor.job_ids()
                await self._stop_asked([job for job in running if not key or str(job) == key])

    async def watch_work(self, work: Notices) -> None:
        """Look at the whole queue when somebody says that there are jobs in it, until cancelled."""
        async with work.all_keys() as keys:
            while True:
                told = await keys.get()
                queue, _, job = told.rpartition(" ")
                if not told or told in self._queues:
                    self.look()
                elif queue in self._queues:
                    self.notice(UUID(job))

    async def _stop_asked(self, running: list[UUID]) -> None:
        if not running:
            return
        try:
            for job_id, what in await self._claims.asked(running):
                self._executor.stop(job_id, Stop[what.upper()])
        except (SQLAlchemyError, OSError) as error:
            _log.warning("intake.database_error", error=str(error))


async def _next(keys: "asyncio.Queue[str]", seconds: float) -> str:
    """The next key; `""` when none comes in time."""
    try:
        async with asyncio.timeout(seconds):
            return await keys.get()
    except TimeoutError:
        return ""
