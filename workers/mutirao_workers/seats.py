"""Attempts and the children they run in, as the main process sees them."""

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from mutirao.jobs.records import Claim

from mutirao_workers.nursery import Born


class What(Enum):
    """What can happen to an attempt, and the data that comes with it."""

    ENDED = auto()  # its child has written the end
    UNWOUND = auto()  # its child has stopped the steps and is writing the end
    FORCED = auto()  # it must end by a kill: the child's message
    BLOCKED = auto()  # a step does not give the loop back: the child's message
    STOP = auto()  # somebody wants it to end: the Stop
    LEAVE = auto()  # this worker is leaving: False, at the next step boundary; True, now
    SACRIFICED = auto()  # its child was killed because of another attempt: why
    CRASHED = auto()  # it ended by a bug of the worker, and its end is not written: the child's message
    DIED = auto()  # its child ended by itself: the Death


@dataclass(frozen=True)
class Death:
    """How a child ended: its exit code, and whether only one attempt was in it, whose fault it then was."""

    code: int
    alone: bool

    def __str__(self) -> str:
        how = f"was ended by signal {-self.code}" if self.code < 0 else f"exited with {self.code}"
        return f"the process that ran it {how}"


@dataclass(eq=False)
class Seat:
    """One attempt. Happenings wait in `news` for the coroutine that attends it."""

    claim: Claim
    news: "asyncio.Queue[tuple[What, Any]]" = field(default_factory=asyncio.Queue)

    @property
    def job(self) -> str:
        return str(self.claim.job_id)

    def tell(self, what: What, data: Any = None) -> None:
        self.news.put_nowait((what, data))

    async def next(self, deadline: float | None) -> tuple[What | None, Any]:
        """What happens next; (None, None) when nothing does until `deadline`, in loop time."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self.news.get()
        except TimeoutError:
            return None, None


@dataclass(eq=False)
class Home:
    """A child with the attempts in it, by job. `condemned`: it is being killed; nobody new comes in."""

    born: Born
    kind: str
    seats: dict[str, Seat] = field(default_factory=dict)
    condemned: bool = False
    ready: bool = False  # it has connected, and listens
    asked: float | None = None  # loop time of a ping without an answer

    def say(self, **message: Any) -> None:
        self.born.link.say(**message)

    def tell_all(self, what: What, data: Any = None) -> None:
        for seat in list(self.seats.values()):
            seat.tell(what, data)
