"""How attempts are run: in one loop of this process (a child does that), or in children (the main process does)."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from mutirao.jobs.records import Claim

from mutirao_workers.attempt import Attempt
from mutirao_workers.jobloop import OWNER
from mutirao_workers.runner import Runner
from mutirao_workers.stops import Stop


class SharedExecutor:
    """Attempts as tasks of one asyncio loop.

    `on_ended` is told of each that has ended, with what it raised: an attempt that raised has not written its end.
    """

    def __init__(self, runner: Runner, slots: int, on_ended: Callable[[Claim, BaseException | None], None]) -> None:
        self.slots = slots
        self._runner = runner
        self._attempts: dict[UUID, Attempt] = {}
        self._on_ended = on_ended

    @property
    def running(self) -> int:
        """Attempts that run now."""
        return len(self._attempts)

    def attempt(self, job_id: UUID) -> Attempt | None:
        """The running attempt of a job."""
        return self._attempts.get(job_id)

    def start(self, claim: Claim) -> None:
        """Begin an attempt. The caller has made sure that a slot is free."""
        attempt = Attempt(claim)
        token = OWNER.set(claim.job_id)
        attempt.task = asyncio.create_task(self._runner.run(attempt), name=f"job:{claim.job_id}")
        OWNER.reset(token)
        self._attempts[claim.job_id] = attempt
        attempt.task.add_done_callback(lambda task: self._ended(attempt, task))

    def stop(self, job_id: UUID, reason: Stop, *, soft: bool = False) -> None:
        """End the attempt of a job; does nothing when it does not run here."""
        if attempt := self._attempts.get(job_id):
            attempt.stop(reason, soft=soft)

    async def stop_all(self, reason: Stop, seconds: float) -> None:
        """Let attempts go on to their next step boundary for `seconds`, then end what still runs."""
        tasks = [attempt.task for attempt in self._attempts.values() if attempt.task is not None]
        if tasks and seconds > 0:
            for attempt in self._attempts.values():
                attempt.stop(reason, soft=True)
            await asyncio.wait(tasks, timeout=seconds)
        for attempt in list(self._attempts.values()):
            attempt.stop(reason)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, attempt: Attempt, task: "asyncio.Task[None]") -> None:
        # A new attempt of the same job may have begun here after this one was fenced.
        if self._attempts.get(attempt.claim.job_id) is attempt:
            del self._attempts[attempt.claim.job_id]
        # Cancelled, and by nobody who stops attempts: the loop itself ends, and nothing has been written.
        torn = task.cancelled() or (task.cancelling() > 0 and attempt.reason is None)
        self._on_ended(attempt.claim, asyncio.CancelledError() if torn else task.exception())
