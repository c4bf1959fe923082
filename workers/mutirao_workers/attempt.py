"""A running attempt, and the ways to stop it."""

import asyncio
from dataclasses import dataclass, field

from langgraph.runtime import RunControl
from mutirao.jobs.records import Claim
from mutirao.jobs.states import JobState

from mutirao_workers.endings import Ending
from mutirao_workers.graph_run import GraphRun
from mutirao_workers.resting import Resting
from mutirao_workers.steps import StepEvents
from mutirao_workers.stops import Stop

__all__ = ["Attempt", "Stop"]


@dataclass
class Attempt:
    """A running attempt. `stop` may be called at any time, from the loop that runs it."""

    claim: Claim
    task: "asyncio.Task[None] | None" = None
    reason: Stop | None = None
    streaming: bool = False
    leaving: bool = False
    pause_seconds: float = 10.0
    overrun: Ending | None = None
    steps: StepEvents | None = field(default=None, repr=False)
    run: GraphRun | None = field(default=None, repr=False)
    resting: Resting | None = field(default=None, repr=False)
    cut: bool = False
    silencing: bool = False
    control: RunControl = field(default_factory=RunControl, repr=False)

    @property
    def step(self) -> str | None:
        """The step that began last."""
        return self.steps.current if self.steps is not None else None

    def stop(self, reason: Stop, *, soft: bool = False) -> None:
        """End the attempt. One that is already writing its end is left to it.

        `soft`: at the next boundary between steps, when the steps that run now have ended and their checkpoint is
        committed. A pause is soft for `pause_seconds`. Of two soft reasons the first counts, and of two others; one that
        is not soft counts for more than one that is.
        """
        self.leaving |= reason in (Stop.HAND_BACK, Stop.LOST)
        if self.cut or (soft and self.reason is not None):
            return
        if reason is Stop.PAUSE and not soft:
            if self.reason is None:
                asyncio.get_running_loop().call_later(self.pause_seconds, self._cut_pause)
                self.stop(reason, soft=True)
            return
        self.reason = reason
        if soft:
            self.control.request_drain(reason.name.lower())
        else:
            self._cut_off()

    def stop_with(self, ending: Ending) -> None:
        """End the attempt at once with this ending: a time limit has passed."""
        if not self.cut:
            self.overrun = ending
            self.stop(Stop.LIMIT)

    def ending(self) -> Ending | None:
        """What the job becomes after the stop; None: whoever holds it now knows."""
        match self.reason:
            case Stop.CANCEL:
                return Ending(state=JobState.CANCELLED)
            case Stop.PAUSE:
                return Ending(state=JobState.PAUSED, waiting_for="request")
            case Stop.LIMIT:
                return self.overrun
            case Stop.HAND_BACK:
                return Ending(state=JobState.QUEUED)
        return None

    def _cut_pause(self) -> None:
        if self.reason is Stop.PAUSE and not self.cut:
            self._cut_off()

    def _cut_off(self) -> None:
        self.cut = True
        if self.run is not None:
            self.run.cut_off()
        # A task that is cancelled before its first step never runs at all, not even its `except`.
        if self.streaming and self.task is not None:
            self.task.cancel()
