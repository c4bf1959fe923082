"""Ends of attempts that the main process writes, because the child that ran them is dead."""

from collections.abc import Awaitable, Callable
from typing import Any

from mutirao.errors import LeaseLost
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.lost import LostAttempts
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.states import JobState
from mutirao.logs import logger

from mutirao_workers.endings import Ending, Endings
from mutirao_workers.steady import steadily
from mutirao_workers.stops import Stop

_log = logger("forced_ends")


class ForcedEnds:
    """Writes how an attempt ended. A database that does not answer is waited for; an attempt that has ended already
    is left as it is."""

    def __init__(self, claims: ClaimStore) -> None:
        self._claims = claims
        self._endings = Endings(claims)
        self._lost = LostAttempts(claims.db)

    async def stopped(self, claim: Claim, reason: Stop) -> None:
        """Its work was stopped because somebody asked for the end or for a pause."""
        # A job that is handed back is paused if that is still asked for.
        state = JobState.CANCELLED if reason is Stop.CANCEL else JobState.QUEUED
        await self._endings.write(claim, Ending(state=state), [], _stays)

    async def forced(self, claim: Claim, message: dict[str, Any]) -> None:
        """It must end as its child said."""
        state = JobState(message["state"])
        error = Problem.model_validate(message["error"]) if message["error"] else None
        events = [NewEvent.model_validate(event) for event in message["events"]]
        await self._endings.write(claim, Ending(state=state, error=error), events, _stays)

    async def late(self, claim: Claim, limit: str, seconds: float) -> None:
        """It took longer than it may, and its child did not stop it."""
        message = f"the attempt took longer than {limit}={seconds:g} and did not stop by itself"
        error = Problem(code="time_limit_exceeded", message=message)
        await self._endings.write(claim, Ending(state=JobState.QUEUED, error=error), [], _stays)

    async def handed_back(self, claim: Claim, event: NewEvent | None = None, *, kind: str | None = None) -> None:
        """Somebody else goes on with it from its last checkpoint; from now on as `kind`, where it is given."""
        events = [event] if event else []
        await self._write(claim, lambda: self._claims.hand_back(claim, events, kind=kind))

    async def lost(self, claim: Claim, why: str, *, kind: str | None = None, spared: bool = False) -> None:
        """Its process ended by itself: one of its attempts is used up; `spared`: it may not have been the last."""
        await self._write(claim, lambda: self._lost.lose(claim, why, kind=kind, spared=spared))
        if claim.parent_id is not None:
            await steadily(lambda: self._claims.wake_parent(claim.job_id))

    async def _write(self, claim: Claim, write: Callable[[], Awaitable[Any]]) -> None:
        try:
            await steadily(write)
        except LeaseLost as error:
            _log.warning("attempt.fenced", job=str(claim.job_id), epoch=claim.epoch, error=str(error))


def _stays() -> bool:
    """Whether this process is leaving and gives up soon: who leaves with its lease lost is cancelled instead."""
    return False
