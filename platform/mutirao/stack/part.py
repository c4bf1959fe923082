"""The seam of the stack: one server that the supervisor starts, watches and stops."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from mutirao.stack.command import Command


class PartState(StrEnum):
    """What a part is doing."""

    WAITING = "waiting"
    """Not started yet."""
    PREPARING = "preparing"
    """Making what it needs: a database cluster, a model file."""
    STARTING = "starting"
    """Running, not ready yet."""
    READY = "ready"
    """Serving."""
    RESTARTING = "restarting"
    """Ended unasked; starting again after a pause."""
    STOPPED = "stopped"
    """Ended because it was asked to."""
    EXTERNAL = "external"
    """Replaced by a URL in the settings; not ours to start."""
    OFF = "off"
    """The settings leave it out."""
    MISSING = "missing"
    """Cannot run on this machine as it is; the detail says what to do. The stack runs without it."""


RESTING = frozenset({PartState.EXTERNAL, PartState.OFF, PartState.MISSING})
"""States in which a part has no process and nobody waits for it."""


Say = Callable[[str], None]
"""Tells people something, in one sentence."""


class PartMissing(Exception):
    """Raised by `prepare` when the stack can run without this part; the message says what to do about it."""


class Part(ABC):
    """What an implementer owes: verbs that are quick, can be repeated, and leave nothing behind when cancelled."""

    name: str
    port: int | None = None
    poll_seconds: float = 0.05
    """Pause between two questions whether it is ready."""
    patient: bool = False
    """A patient part may take as long as it likes to prepare (a download), and is not waited for without end."""

    async def prepare(self, log: Path, say: Say) -> None:  # noqa: B027 - most parts need nothing
        """Make what must be there before the next start. Called before every start; idempotent.

        Programs it runs write to `log`; what people should know goes to `say`. Cancelled, it ends what it
        runs before it returns.

        Raises:
            PartMissing: this machine cannot run the part; the stack goes on without it.
            PartFailed: it cannot start, and the stack cannot run without it.
        """

    @abstractmethod
    def command(self) -> Command:
        """The program. Asked for after each `prepare`."""

    @abstractmethod
    async def ready(self, pid: int) -> bool:
        """Whether the process `pid` serves now. Answers within four seconds, never raises for a server that is down."""


class IdlePart(Part):
    """A part that is not ours to start; `state` says why, `detail` says what is used instead."""

    def __init__(self, name: str, state: PartState, detail: str) -> None:
        assert state in RESTING
        self.name = name
        self.state = state
        self.detail = detail

    def command(self) -> Command:
        raise AssertionError(f"{self.name} is {self.state} and has no program")

    async def ready(self, pid: int) -> bool:
        return False
