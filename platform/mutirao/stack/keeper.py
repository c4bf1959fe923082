"""Keeps one part running: prepare, start, wait until ready, start again when it ends unasked."""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

from mutirao.errors import PartFailed
from mutirao.stack.child import Child
from mutirao.stack.logs import rotate, tail
from mutirao.stack.part import Part, PartMissing, PartState
from mutirao.stack.status import Audience, PartStatus

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
HEALTHY_SECONDS = 60.0
"""After so long a run, the next pause is the first one again."""
FIRST_START_TRIES = 5


class Keeper:
    """One part's life. `keep` runs until cancelled and leaves the process alone; `stop` ends the process."""

    def __init__(self, part: Part, log: Path, audience: Audience, on_change: Callable[[PartStatus], None]) -> None:
        self.part = part
        self.log = log
        self.settled = asyncio.Event()
        """Set when the part has been ready once, or turned out to be missing."""
        self.status = PartStatus(name=part.name, port=part.port)
        self.forgiving = False
        """A forgiving keeper never gives up on a first start (`--reload`: the next change may mend it)."""
        self._audience = audience
        self._on_change = on_change
        self._child: Child | None = None
        self._planned = False

    async def keep(self) -> None:
        """Keep the part running.

        Raises:
            PartFailed: it never got ready; with the last lines of its log.
        """
        pause, failures = FIRST_PAUSE_SECONDS, 0
        while True:
            started = time.monotonic()
            try:
                why = await self._live_once()
            except PartMissing as missing:
                self._become(state=PartState.MISSING, pid=None, detail=str(missing))
                self.settled.set()
                return
            except (PartFailed, OSError) as failure:  # OSError: no space left, too many processes
                why = str(failure)
                if not self.settled.is_set():
                    raise PartFailed(f"{self.part.name} cannot start: {why}") from None
            if why is None:
                continue
            failures = 0 if self.settled.is_set() else failures + 1
            if failures >= FIRST_START_TRIES and not self.forgiving:
                raise PartFailed(f"{self.part.name} {why}, {failures} times; its last lines:\n{tail(self.log)}")
            if time.monotonic() - started > HEALTHY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._become(
                state=PartState.RESTARTING,
                pid=None,
                restarts=self.status.restarts + 1,
                detail=f"{why}; starting again in {pause:.1f} s",
            )
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def restart(self, grace: float) -> None:
        """End the process as asked for; `keep` starts it again at once."""
        if self._child is not None:
            self._planned = True
            await self._child.stop(grace)

    async def stop(self, grace: float, hurry: asyncio.Event) -> None:
        """End the process within `grace` seconds, or at once when `hurry` is set. `keep` must be cancelled before."""
        child, self._child = self._child, None
        if child is None:
            return
        if not await child.stop(grace, hurry):
            self._audience.say(f"{self.part.name} did not end by itself and was killed")
        self._become(state=PartState.STOPPED, pid=None, mark=None)

    async def _live_once(self) -> str | None:
        """From preparation to the end of one process; why it ended, None when that was planned."""
        began = time.monotonic()
        if self._child is None:
            self._become(state=PartState.PREPARING)
        await self.part.prepare(self.log, self._audience.say)
        rotate(self.log)
        self._child = child = Child.start(self.part.command(), self.log)
        self._become(state=PartState.STARTING, pid=child.pid, mark=child.mark, since=time.time(), detail="")
        code = await self._watch(child, began)
        if self._planned:
            self._planned = False
            return None
        return f"ended with {_name_of(code)} after {child.age:.1f} s"

    async def _watch(self, child: Child, began: float) -> int:
        ending = asyncio.ensure_future(child.exited())
        readying = asyncio.ensure_future(self._until_ready(child.pid))
        try:
            await asyncio.wait({ending, readying}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                readying.result()
                self._become(state=PartState.READY, seconds=round(time.monotonic() - began, 2))
                self.settled.set()
            return await ending
        finally:
            ending.cancel()
            readying.cancel()

    async def _until_ready(self, pid: int) -> None:
        while True:
            if await self.part.ready(pid):
                return
            await asyncio.sleep(self.part.poll_seconds)

    def _become(self, **changes: object) -> None:
        self.status = self.status.evolve(**changes)
        self._on_change(self.status)


def _name_of(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
