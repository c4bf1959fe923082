"""How an attempt ends, and the writing of it: once, whatever the database does meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mutirao.db.engine import connection_lost
from mutirao.errors import LeaseLost
from mutirao.jobs.children import ChildStore
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.rest import Rest
from mutirao.jobs.states import JobState
from mutirao.logs import logger
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

_log = logger("runner")
_TRIES = 6  # of a worker that is leaving; one that stays tries until it holds its jobs no more
_PAUSE_SECONDS = 0.5
_MOST_CHARS = 4_000


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The state that an attempt leaves its job in.

    `QUEUED` without an error: it is handed back and goes on elsewhere. `QUEUED` with one: it has failed and is tried
    again, as often as the job may. `PAUSED` and `WAITING`: it gives up its slot until what it waits for is there; `also`
    writes what that is, `events` tell of it. `said` is the message of the exception behind `error`, `rest` what the
    thread's row says from then on.
    """

    state: JobState
    output: Any = None
    error: Problem | None = None
    waiting_for: str = ""
    also: Callable[[AsyncConnection], Awaitable[None]] | None = None
    events: Sequence[NewEvent] = ()
    said: str | None = None
    rest: Rest | None = None

    @property
    def plain(self) -> bool:
        """Whether state and error say it all."""
        return self.output is None and self.also is None and self.state not in (JobState.SUCCEEDED, JobState.WAITING)


class Endings:
    """Writes endings, and wakes whoever waits for them."""

    def __init__(self, claims: ClaimStore) -> None:
        self._claims = claims

    async def write(
        self, claim: Claim, ending: Ending, events: Sequence[NewEvent], leaving: Callable[[], bool] = lambda: True
    ) -> None:
        """Write the end. A database that does not answer is tried again until it does; one that refuses the ending
        gets a failure instead. A worker that is leaving gives up soon: the next attempt ends then."""
        tries = 0
        while tries < _TRIES:
            try:
                await self._wake(claim, await self._write(claim, ending, events))
            except LeaseLost as lost:
                _log.warning("attempt.fenced", job=str(claim.job_id), epoch=claim.epoch, error=str(lost))
            except (SQLAlchemyError, OSError) as failure:
                tries += leaving()
                _log.warning("attempt.not_finished", job=str(claim.job_id), tries=tries, error=str(failure))
                if not connection_lost(failure):
                    tries += 1
                    ending, events = _refused(failure), ()
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            return

    async def rest_before(self, claim: Claim, ending: Ending) -> None:
        """Write what the thread's row says after an ending that another process writes. One that fails may be tried
        again, where the row says nothing new; so it does where the database does not answer."""
        if ending.rest is None or (ending.state is JobState.QUEUED and claim.retry.failures):
            return
        try:
            await ending.rest.write_before(self._claims.db, claim)
        except (SQLAlchemyError, OSError) as failure:
            _log.warning("attempt.thread_not_written", job=str(claim.job_id), error=str(failure))

    async def _write(self, claim: Claim, ending: Ending, events: Sequence[NewEvent]) -> JobState:
        """One try; returns the state the job is in now."""
        state, error = ending.state, ending.error
        if state is JobState.PAUSED and ending.waiting_for == "request":
            # Whoever has asked for the pause may have taken it back meanwhile: the database knows.
            await self._claims.hand_back(claim, events)
        elif state in (JobState.PAUSED, JobState.WAITING):
            return await self._claims.hold(
                claim, state, ending.waiting_for, events=events, also=ending.also, rest=ending.rest
            )
        elif state is JobState.QUEUED and error is not None:
            return await self._claims.fail(claim, error, events=events, rest=ending.rest)
        elif state is JobState.QUEUED:
            await self._claims.hand_back(claim, events)
        else:
            await self._claims.finish(claim, state, output=ending.output, error=error, events=events, rest=ending.rest)
        return state

    async def _wake(self, claim: Claim, state: JobState) -> None:
        """Let the parent go on if this was the last of its children; what is missed here the reconciler finds."""
        if claim.parent_id is None or not state.terminal:
            return
        try:
            if claim.group_id is not None and state not in (JobState.SUCCEEDED, JobState.CANCELLED):
                await ChildStore(self._claims.db).cut_short(claim.group_id)
            await self._claims.wake_parent(claim.job_id)
        except (SQLAlchemyError, OSError) as failure:
            _log.warning("attempt.parent_not_woken", job=str(claim.parent_id), error=str(failure))


def _refused(failure: Exception) -> Ending:
    message = f"the database refused the job's output: {failure}"[:_MOST_CHARS]
    return Ending(state=JobState.FAILED, error=Problem(code="output_refused", message=message))
