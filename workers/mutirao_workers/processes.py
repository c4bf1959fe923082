"""Attempts in child processes: the main process's side.

Each attempt has a coroutine that attends it from its start to its written end. What cannot be stopped by asking is
stopped by killing its child: an `exclusive` child has one attempt, so that nobody else is hurt; the others of a
`shared` child go on from their checkpoints in a new one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from mutirao.errors import PartFailed
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim, NewEvent
from mutirao.logs import logger
from mutirao.settings import WorkerSettings

from mutirao_workers.forced_ends import ForcedEnds
from mutirao_workers.homes import EXCLUSIVE, SHARED, Homes
from mutirao_workers.nursery import Nursery
from mutirao_workers.seats import Home, Seat, What
from mutirao_workers.stops import Stop

_log = logger("processes")
# How long a child may take to stop a step that was asked to end, before it is killed.
_GRACE_SECONDS = {SHARED: 0.6, EXCLUSIVE: 0.3}
_PAUSE_SECONDS = 10.0  # a pause waits so long for the end of the step
_LEAVE_SECONDS = 1.0
_NO_CHILD_SECONDS = 1.0
_BACKSTOP_SECONDS = 1.0  # after a limit that the child should have kept itself
_SILENT_BLOCKS = 5  # a child whose watchdog cannot speak is given so many times the time that counts as blocked

Write = Callable[[], Awaitable[None]]


class ProcessExecutor:
    """Runs the attempts of one worker; `on_slot_free` is called whenever one has ended."""

    def __init__(
        self, nursery: Nursery, claims: ClaimStore, settings: WorkerSettings, on_slot_free: Callable[[], None]
    ) -> None:
        self.homes = Homes(nursery, _SILENT_BLOCKS * settings.blocked_seconds)
        self._ends = ForcedEnds(claims)
        self._on_slot_free = on_slot_free
        self._slots = {SHARED: settings.worker_slots, EXCLUSIVE: settings.exclusive_slots}
        self._seats: dict[UUID, Seat] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """Attempts that run now."""
        return len(self._seats)

    def free(self) -> dict[str, int]:
        """Free slots of each kind."""
        free = dict(self._slots)
        for seat in self._seats.values():
            free[seat.claim.kind] -= 1
        return free

    def job_ids(self) -> list[UUID]:
        """Jobs whose attempts run now."""
        return list(self._seats)

    def start(self, claim: Claim) -> None:
        """Begin an attempt; returns at once. Its end is written by its child, or by this process."""
        seat = self._seats[claim.job_id] = Seat(claim)
        task = asyncio.create_task(self._attend(seat), name=f"job:{claim.job_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self, job_id: UUID, reason: Stop) -> None:
        """End the attempt of a job; does nothing when it does not run here."""
        if seat := self._seats.get(job_id):
            seat.tell(What.STOP, reason)

    async def stop_all(self, seconds: float) -> None:
        """Hand every job over: at its next step boundary within `seconds`, else by ending its step; returns when no
        attempt runs any more."""
        for hard in (False, True):
            for seat in list(self._seats.values()):
                seat.tell(What.LEAVE, hard)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=None if hard else seconds)
        await self.homes.close()

    async def kill_all(self) -> None:
        """End every attempt at once and write nothing: the lease is lost."""
        for task in self._tasks:
            task.cancel()
        await self.homes.kill_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.homes.close()

    async def _attend(self, seat: Seat) -> None:
        claim = seat.claim
        try:
            home = await self.homes.place(seat)
            home.say(op="start", claim=orjson.Fragment(claim.model_dump_json(exclude_defaults=True)))
            await self._until_ended(seat, home)
            self.homes.leave(home, seat)
        except PartFailed as error:
            _log.error("processes.no_child", job=seat.job, error=str(error))
            await asyncio.sleep(_NO_CHILD_SECONDS)  # else the job would come back at once
            await self._ends.handed_back(claim, NewEvent(type="attempt.no_process", data={"why": str(error)}))
        finally:
            # A new attempt of the same job may have begun here after this one was fenced.
            if self._seats.get(claim.job_id) is seat:
                del self._seats[claim.job_id]
            self._on_slot_free()

    async def _until_ended(self, seat: Seat, home: Home) -> None:
        """Follow an attempt until its end is written; when a deadline passes, kill its child and `write` the end."""
        now = asyncio.get_running_loop().time
        deadline, write = self._backstop(seat.claim, now())
        asked: set[Stop] = set()
        while True:
            what, data = await seat.next(deadline)
            match what:
                case What.ENDED:
                    return
                case What.STOP if data in asked:
                    pass  # said again by who looks now and then; the grace runs from the first time
                case What.UNWOUND:
                    deadline = None
                case What.STOP:
                    asked.add(data)
                    home.say(op="stop", job=seat.job, reason=data.name)
                    deadline = now() + (_PAUSE_SECONDS if data is Stop.PAUSE else 0) + _GRACE_SECONDS[home.kind]
                    write = partial(self._ends.stopped, seat.claim, data)
                case What.LEAVE if not data or home.kind == SHARED:
                    home.say(op="stop", job=seat.job, reason=Stop.HAND_BACK.name, soft=not data)
                    deadline = now() + _LEAVE_SECONDS if data else deadline
                    write = partial(self._ends.handed_back, seat.claim) if data else write
                case _:
                    await self._end(seat, home, what, data, write)
                    return

    async def _end(self, seat: Seat, home: Home, what: What | None, data: Any, write: Write) -> None:
        """End an attempt that its child cannot end: when the child is dead, write how it ended."""
        claim, kind, why = seat.claim, None, f"{what.name.lower() if what else 'late'}: job {seat.job}"
        match what:
            case What.DIED:
                # In a shared child anybody may have done it: alone, the one that did will show.
                kind = EXCLUSIVE if home.kind == SHARED else None
                write = partial(self._ends.lost, claim, str(data), kind=kind, spared=not data.alone)
            case What.CRASHED:
                write = partial(self._ends.lost, claim, data["why"])
            case What.SACRIFICED:
                write = partial(self._ends.handed_back, claim, NewEvent(type="attempt.moved", data={"why": data}))
            case What.BLOCKED:
                found = {name: data[name] for name in ("step", "seconds", "where")}
                event = NewEvent(type="attempt.blocked_loop", step=data["step"], data=found)
                write = partial(self._ends.handed_back, claim, event, kind=EXCLUSIVE)
                why = f"a step of job {seat.job} blocked the loop of its worker"
            case What.FORCED:
                write = partial(self._ends.forced, claim, data)
            case What.LEAVE:
                write = partial(self._ends.handed_back, claim)
        if what not in (What.DIED, What.CRASHED, What.SACRIFICED):
            await self.homes.kill(home, seat, why)
        await write()

    def _backstop(self, claim: Claim, now: float) -> tuple[float | None, Write]:
        seconds = claim.limits.attempt_seconds
        write = partial(self._ends.late, claim, "attempt_seconds", seconds or 0)
        return (now + seconds + _BACKSTOP_SECONDS if seconds and claim.kind == EXCLUSIVE else None), write
