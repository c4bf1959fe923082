"""How attempts are run: the seam between the shared loop and, later, a process per job."""

import asyncio
from typing import Protocol
from uuid import UUID

from mutirao.jobs.records import Claim

from mutirao_workers.runner import Attempt, Runner, Stop


class Executor(Protocol):
    """Runs the attempts of one worker process. Implementers owe:

    * `start` returns at once; the attempt's end is written by whoever runs it.
    * after `stop(job, CANCEL)` nothing of the attempt has an effect any more once the job is terminal.
    * `stop_all` returns when no attempt runs any more, after at most the time it is given.
    """

    slots: int

    @property
    def running(self) -> int:
        """Attempts that run now."""

    def start(self, claim: Claim) -> None:
        """Begin an attempt. The caller has made sure that a slot is free."""

    def stop(self, job_id: UUID, reason: Stop) -> None:
        """End the attempt of a job; does nothing when it does not run here."""

    def job_ids(self) -> list[UUID]:
        """Jobs whose attempts run now."""

    async def stop_all(self, reason: Stop, seconds: float) -> None:
        """Let attempts go on for `seconds`, then end what still runs."""


class SharedExecutor:
    """Attempts as tasks of one asyncio loop: for workflows whose nodes are coroutines.

    A synchronous node runs in a thread, which Python cannot stop: its attempt is fenced at once when it is cancelled
    (nothing it writes is committed), but the thread runs on to its end.
    """

    def __init__(self, runner: Runner, slots: int, on_slot_free: asyncio.Event) -> None:
        self.slots = slots
        self._runner = runner
        self._attempts: dict[UUID, Attempt] = {}
        self._on_slot_free = on_slot_free

    @property
    def running(self) -> int:
        return len(self._attempts)

    def job_ids(self) -> list[UUID]:
        return list(self._attempts)

    def start(self, claim: Claim) -> None:
        attempt = Attempt(claim)
        attempt.task = asyncio.create_task(self._runner.run(attempt), name=f"job:{claim.job_id}")
        self._attempts[claim.job_id] = attempt
        attempt.task.add_done_callback(lambda _: self._ended(attempt))

    def stop(self, job_id: UUID, reason: Stop) -> None:
        if attempt := self._attempts.get(job_id):
            attempt.stop(reason)

    async def stop_all(self, reason: Stop, seconds: float) -> None:
        tasks = [attempt.task for attempt in self._attempts.values() if attempt.task is not None]
        if tasks and seconds > 0:
            await asyncio.wait(tasks, timeout=seconds)
        for attempt in list(self._attempts.values()):
            attempt.stop(reason)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, attempt: Attempt) -> None:
        # A new attempt of the same job may have begun here after this one was fenced.
        if self._attempts.get(attempt.claim.job_id) is attempt:
            del self._attempts[attempt.claim.job_id]
        self._on_slot_free.set()
