"""Time limits of an attempt: of each step, of the attempt itself, and of its job. Each stops the attempt when it passes."""

import asyncio
from collections.abc import Callable
from functools import partial

from mutirao.errors import BudgetExhausted, StepFailed, TimeLimitExceeded
from mutirao.jobs.attempts import AttemptStore
from mutirao.jobs.records import Claim
from mutirao.jobs.states import JobState

from mutirao_workers.endings import Ending
from mutirao_workers.failures import problem_of
from mutirao_workers.steady import steadily


class DeadlineExceeded(StepFailed):
    """Raised when the time by which the job must have ended has passed."""

    code = "deadline_exceeded"


class TimeLimits:
    """The timers of one attempt; also a `StepHook`. The first that runs out calls `overrun` with how the attempt ends.

    A step or an attempt that took too long has failed, and may be tried again; a job that did has ended.
    """

    def __init__(self, claim: Claim, overrun: Callable[[Ending], None]) -> None:
        self._claim = claim
        self._overrun = overrun
        self._loop = asyncio.get_running_loop()
        self._attempt: list[asyncio.TimerHandle] = []
        self._steps: dict[str, asyncio.TimerHandle] = {}

    async def begin(self, attempts: AttemptStore) -> None:
        """Start the clocks of the attempt and of its job."""
        limits, budget = self._claim.limits, self._claim.budget
        if (seconds := limits.attempt_seconds) is not None:
            self._arm(seconds, JobState.QUEUED, _too_long("the attempt", "attempt_seconds", seconds))
        spendable = budget.seconds if budget is not None else None
        if limits.job_seconds is None and spendable is None and self._claim.deadline_at is None:
            return
        clock = await steadily(lambda: attempts.clock(self._claim))
        if (seconds := limits.job_seconds) is not None:
            left = seconds - (clock.job_seconds or 0)
            self._arm(left, JobState.FAILED, _too_long("the job", "job_seconds", seconds))
        if spendable is not None:
            spent = BudgetExhausted(
                f"the job's attempts have taken the {spendable:g} s that its budget gives them (seconds); retry it with more",
                limit="seconds",
                used=spendable,
            )
            self._arm(spendable - clock.attempts_seconds, JobState.BUDGET_EXHAUSTED, spent)
        if clock.deadline_seconds is not None and self._claim.deadline_at is not None:
            late = DeadlineExceeded(f"the job had not ended by its deadline, {self._claim.deadline_at.isoformat()}")
            self._arm(clock.deadline_seconds, JobState.FAILED, late)

    async def step_began(self, task_id: str, step: str) -> None:
        """Start the clock of a step."""
        if (seconds := self._claim.limits.step_seconds) is not None:
            error = _too_long(f"step {step!r}", "step_seconds", seconds)
            ending = Ending(state=JobState.QUEUED, error=problem_of(error, step))
            self._steps[task_id] = self._loop.call_later(seconds, partial(self._overrun, ending))

    async def step_ended(self, task_id: str, step: str) -> None:
        """Stop it."""
        if (timer := self._steps.pop(task_id, None)) is not None:
            timer.cancel()

    def close(self) -> None:
        """Stop all clocks."""
        for timer in (*self._attempt, *self._steps.values()):
            timer.cancel()

    def _arm(self, seconds: float, state: JobState, error: StepFailed) -> None:
        ending = Ending(state=state, error=problem_of(error, None))
        self._attempt.append(self._loop.call_later(max(seconds, 0), partial(self._overrun, ending)))


def _too_long(what: str, limit: str, seconds: float) -> TimeLimitExceeded:
    return TimeLimitExceeded(f"{what} took longer than {seconds:g} s ({limit})", limit=limit, seconds=seconds)
