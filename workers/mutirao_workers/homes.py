"""The children of a worker: made when they are needed, listened to, asked whether they live, killed."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from mutirao.logs import logger

from mutirao_workers.nursery import Nursery
from mutirao_workers.seats import Death, Home, Seat, What

_log = logger("homes")
SHARED, EXCLUSIVE = "shared", "exclusive"
_MOST_IDLE = 1  # exclusive children kept for the next job, however long it takes to come
_IDLE_SECONDS = 10.0  # the others wait so long for one
_CLOSE_SECONDS = 2.0
_NAMES = {"ended": What.ENDED, "unwound": What.UNWOUND, "forced": What.FORCED, "crashed": What.CRASHED}


class Homes:
    """One shared child, and an exclusive child for each attempt that needs one.

    A shared child that has not answered for `silent_seconds` is stuck in code that holds the interpreter, so that its
    own watchdog cannot speak: all its attempts are told that they are blocked.
    """

    def __init__(self, nursery: Nursery, silent_seconds: float) -> None:
        self._nursery = nursery
        self._silent_seconds = silent_seconds
        self._all: set[Home] = set()
        self._idle: dict[Home, float] = {}  # since when, longest first
        self._shared: asyncio.Task[Home] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def place(self, seat: Seat) -> Home:
        """A child for an attempt, with the attempt in it. Raises PartFailed when none can be made."""
        while True:
            home = await self._fitting(seat.claim.kind)
            if not home.condemned:
                home.seats[seat.job] = seat
                return home

    def leave(self, home: Home, seat: Seat) -> None:
        """The attempt has ended; an exclusive child may take another."""
        home.seats.pop(seat.job, None)
        if home.kind == EXCLUSIVE and not home.condemned:
            loop = asyncio.get_running_loop()
            self._idle[home] = loop.time()
            if len(self._idle) > _MOST_IDLE:
                loop.call_later(_IDLE_SECONDS, self._thin_out)

    async def kill(self, home: Home, spared: Seat | None, why: str) -> None:
        """End a child with all it has started; its other attempts than `spared` are told that they were sacrificed."""
        if not home.condemned:
            home.condemned = True
            self._forget(home)
            _log.warning("homes.kill", pid=home.born.pid, kind=home.kind, why=why, attempts=len(home.seats))
            await self._nursery.kill(home.born)
            await asyncio.shield(home.born.exited)  # who goes on elsewhere does so when all of this is over
            for seat in list(home.seats.values()):
                if seat is not spared:
                    seat.tell(What.SACRIFICED, why)
        await asyncio.shield(home.born.exited)

    def prepare(self) -> None:
        """Make the shared child before the first job comes."""
        self._shared = self._shared or self._spawn(self._make(SHARED))

    async def close(self) -> None:
        """Hang up on all children; those with attempts in them kill themselves."""
        homes = list(self._all)
        for home in homes:
            self._dismiss(home)
        if homes:
            _, late = await asyncio.wait([home.born.exited for home in homes], timeout=_CLOSE_SECONDS)
            await asyncio.gather(*(self._nursery.kill(home.born) for home in homes if home.born.exited in late))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def kill_all(self) -> None:
        """End every child at once; nobody is told."""
        for home in list(self._all):
            home.condemned = True
        await asyncio.gather(*(self._nursery.kill(home.born) for home in list(self._all)))

    async def watch(self) -> None:
        """Ask the shared child whether its loop turns, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._silent_seconds / 5)
            for home in [home for home in self._all if home.kind == SHARED and home.ready and not home.condemned]:
                if home.asked is None:
                    home.asked = loop.time()
                    home.say(op="ping")
                elif loop.time() - home.asked > self._silent_seconds and home.seats:
                    silent = loop.time() - home.asked
                    home.tell_all(What.BLOCKED, {"job": None, "step": None, "seconds": silent, "where": "?"})

    async def _fitting(self, kind: str) -> Home:
        if kind == EXCLUSIVE:
            return self._idle.popitem()[0] if self._idle else await self._make(EXCLUSIVE)
        task = self._shared = self._shared or self._spawn(self._make(SHARED))
        try:
            home: Home = await asyncio.shield(task)
        except BaseException:
            if self._shared is task and task.done():
                self._shared = None
            raise
        if home.condemned and self._shared is task:
            self._shared = None
        return home

    async def _make(self, kind: str) -> Home:
        home = Home(await self._nursery.bear(kind), kind)
        self._all.add(home)
        self._spawn(self._listen(home))
        return home

    async def _listen(self, home: Home) -> None:
        try:
            async for message in home.born.messages():
                self._heard(home, message)
        except Exception:  # noqa: BLE001 (whatever it is: a child that cannot be understood is of no use to anybody)
            _log.exception("homes.not_understood", pid=home.born.pid)
            await self._nursery.kill(home.born)
        code = await asyncio.shield(home.born.exited)
        home.born.link.close()
        if not home.condemned:
            home.condemned = True
            _log.warning("homes.child_ended", pid=home.born.pid, kind=home.kind, code=code, attempts=len(home.seats))
            home.tell_all(What.DIED, Death(code, alone=len(home.seats) == 1))
        self._forget(home)
        self._all.discard(home)

    def _heard(self, home: Home, message: dict[str, Any]) -> None:
        op = message["op"]
        if op == "ready":
            home.ready = True
        elif op == "pong":
            home.asked = None
        elif op == "blocked":
            self._blocked(home, message)
        elif op in _NAMES and message["job"] in home.seats:
            home.seats[message["job"]].tell(_NAMES[op], message)

    def _blocked(self, home: Home, message: dict[str, Any]) -> None:
        culprit = home.seats.get(message["job"] or "")
        if culprit is not None:
            culprit.tell(What.BLOCKED, message)
        elif message["job"] is not None:  # what an ended job has left behind
            self._spawn(self.kill(home, None, f"something that job {message['job']} left behind blocked its loop"))
        else:
            home.tell_all(What.BLOCKED, message)

    def _forget(self, home: Home) -> None:
        self._idle.pop(home, None)

    def _thin_out(self) -> None:
        """Let go of the children that nobody has wanted for long, but for the last."""
        long_ago = asyncio.get_running_loop().time() - _IDLE_SECONDS
        for home in [home for home, since in self._idle.items() if since <= long_ago]:
            if len(self._idle) > _MOST_IDLE:
                self._dismiss(home)

    def _dismiss(self, home: Home) -> None:
        home.condemned = True
        self._forget(home)
        home.born.link.close()

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
