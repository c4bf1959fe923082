"""Tells people at a terminal, or readers of a log, what the stack does: one line at a time."""

import contextlib
import sys
import time
from typing import TextIO

from mutirao.stack.part import PartState
from mutirao.stack.status import PartStatus

SAID = frozenset(
    {PartState.READY, PartState.RESTARTING, PartState.EXTERNAL, PartState.OFF, PartState.MISSING}
)  # fmt: skip
COLOURS = {PartState.READY: "32", PartState.RESTARTING: "33", PartState.MISSING: "33"}


def status_line(status: PartStatus) -> str:
    """One part in one line."""
    facts = [
        f"pid {status.pid}" if status.pid else "",
        f"port {status.port}" if status.port and status.pid else "",
        f"{status.seconds:.1f} s" if status.seconds is not None and status.state is PartState.READY else "",
    ]
    places = f"{facts[0]:<12}{facts[1]:<12}{facts[2]:>7}".rstrip()
    return f"{status.name:<10}{status.state:<12}{places}{status.detail and '  '}{status.detail}".rstrip()


class Board:
    """Writes lines to a stream, with colours on a terminal. A reader who went away disturbs nothing."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colours = self._stream.isatty()
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the board was made."""
        return time.monotonic() - self._started

    def changed(self, status: PartStatus) -> None:
        if status.state in SAID:
            line = status_line(status)
            colour = COLOURS.get(status.state) if self._colours else None
            self.say(line.replace(status.state, f"\x1b[{colour}m{status.state}\x1b[0m", 1) if colour else line)

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()
