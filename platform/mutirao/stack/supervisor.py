"""Starts all parts at once, keeps them running, and stops them in order."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mutirao.errors import PartFailed
from mutirao.stack.home import Home
from mutirao.stack.keeper import Keeper
from mutirao.stack.logs import tail
from mutirao.stack.migration import Migration
from mutirao.stack.part import IdlePart, Part
from mutirao.stack.status import Audience, PartStatus, RunRecord

STOP_ORDER = ("worker", "api", "model", "chroma", "valkey", "postgres")
STOP_SHARE_SECONDS = 0.5
"""Of the time to stop all, kept for each part that has its turn later."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long one part may take, and the stop of all parts together."""

    start_seconds: float = 30
    stop_seconds: float = 8
    stop_all_seconds: float = 9.5


class Supervisor:
    """One run of the stack: `start`, then `watch` until something ends it, and in any case `stop`."""

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        home: Home,
        audience: Audience,
        record: RunRecord,
        limits: Limits,
        migration: Migration | None = None,
    ) -> None:
        self._home = home
        self._audience = audience
        self._record = record
        self._limits = limits
        self._migration = migration
        self._idle = [part for part in parts if isinstance(part, IdlePart)]
        self._keepers = {
            part.name: Keeper(part, home.log_of(part.name), audience, self._changed)
            for part in parts
            if not isinstance(part, IdlePart)
        }
        self._tasks: list[asyncio.Task[None]] = []
        self.hurry = asyncio.Event()
        """Set it to make `stop` kill what has not ended."""

    def keeper(self, name: str) -> Keeper:
        """Raises KeyError: no such part is ours to start."""
        return self._keepers[name]

    @property
    def workers(self) -> list[Keeper]:
        return [keeper for name, keeper in self._keepers.items() if name.startswith("worker")]

    async def start(self) -> None:
        """Start everything; returns when every part serves, or rests for a reason that was said.

        Raises:
            PartFailed: a part did not become ready; with the last lines of its log. `stop` is still due.
        """
        self._record.parts(keeper.status for keeper in self._keepers.values())
        for part in self._idle:
            self._changed(PartStatus(name=part.name, state=part.state, detail=part.detail))
        self._tasks = [asyncio.create_task(keeper.keep(), name=name) for name, keeper in self._keepers.items()]
        waits: set[asyncio.Task[Any]] = {
            asyncio.create_task(keeper.settled.wait(), name=name) for name, keeper in self._keepers.items()
        }
        if self._migration is not None:
            waits.add(asyncio.create_task(self._migration.run(self._keepers["postgres"].settled), name="migration"))
        try:
            await self._wait_for(waits)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._record.state("ready")

    async def _wait_for(self, waits: set[asyncio.Task[Any]]) -> None:
        """Until all are done; the time limit starts anew with each that is."""
        pending = set(waits)
        while pending:
            done, _ = await asyncio.wait(
                {*pending, *self._tasks}, timeout=self._timeout(pending), return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
            pending -= done
            self._tasks = [task for task in self._tasks if not task.done()]
            if not done:
                self._give_up(min(task.get_name() for task in pending))

    def _timeout(self, pending: set[asyncio.Task[Any]]) -> float | None:
        waited_for = [self._keepers[task.get_name()] for task in pending if task.get_name() in self._keepers]
        return None if any(keeper.part.patient for keeper in waited_for) else self._limits.start_seconds

    def _give_up(self, name: str) -> None:
        log = self._home.log_of(name)
        raise PartFailed(
            f"{name} was not ready within {self._limits.start_seconds:.0f} s (MUTIRAO_PART_START_SECONDS); "
            f"the last lines of {str(log)!r}:\n{tail(log)}"
        )

    async def watch(self) -> None:
        """Returns never by itself: parts that end are started again.

        Raises:
            Exception: a defect of the supervisor itself.
        """
        await asyncio.gather(*self._tasks)
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Stop all within ten seconds, worker first and database last. Idempotent; nothing is left when it returns."""
        self._record.state("stopping")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        deadline = time.monotonic() + self._limits.stop_all_seconds
        order = sorted(self._keepers.values(), key=lambda keeper: STOP_ORDER.index(keeper.part.name.split("-")[0]))
        for place, keeper in enumerate(order):
            reserve = STOP_SHARE_SECONDS * (len(order) - place - 1)
            left = max(0.0, deadline - time.monotonic() - reserve)
            await keeper.stop(min(self._limits.stop_seconds, left), self.hurry)
        self._tasks = []

    def _changed(self, status: PartStatus) -> None:
        self._record.parts([status])
        with contextlib.suppress(BrokenPipeError):
            self._audience.changed(status)
