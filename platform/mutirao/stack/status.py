"""What each part is doing: a record for people, for `mutirao status`, and for the start after a crash."""

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from mutirao.stack.home import Home, read_record, write_record
from mutirao.stack.identity import is_running, mark_of
from mutirao.stack.part import PartState


@dataclass(frozen=True, kw_only=True)
class PartStatus:
    """One part at one moment; changed only through `evolve`."""

    name: str
    state: PartState = PartState.WAITING
    port: int | None = None
    pid: int | None = None
    mark: str | None = None
    seconds: float | None = None
    """From the beginning of its preparation until it was ready."""
    since: float | None = None
    """Unix time of the start of the process."""
    restarts: int = 0
    detail: str = ""

    def evolve(self, **changes: Any) -> "PartStatus":
        return replace(self, **changes)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "PartStatus":
        return cls(**{**record, "state": PartState(record["state"])})


class Audience(Protocol):
    """Whoever wants to know what happens in the stack."""

    def changed(self, status: PartStatus) -> None:
        """A part is in another state."""

    def say(self, text: str) -> None:
        """Something people should read."""


class Silence:
    """An audience that listens to nothing."""

    def changed(self, status: PartStatus) -> None: ...

    def say(self, text: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of the stack as recorded in the data folder."""

    pid: int
    mark: str | None
    url: str | None
    """Where the API listens; None in a stack without one."""
    state: str
    """`starting`, `ready` or `stopping`."""
    since: float
    parts: tuple[PartStatus, ...]

    @property
    def alive(self) -> bool:
        """Whether the process that supervises this run is there."""
        return is_running(self.pid, self.mark)


class RunRecord:
    """Keeps `run.json` in step with a running stack."""

    def __init__(self, home: Home, url: str | None) -> None:
        self._file = home.run_file
        self._url = url
        self._since = time.time()
        self._state = "starting"
        self._parts: dict[str, PartStatus] = {}

    def parts(self, statuses: Iterable[PartStatus]) -> None:
        self._parts.update({status.name: status for status in statuses})
        self._write()

    def state(self, state: str) -> None:
        self._state = state
        self._write()

    def _write(self) -> None:
        me = os.getpid()
        head = {"pid": me, "mark": mark_of(me), "url": self._url, "state": self._state, "since": self._since}
        with contextlib.suppress(OSError):  # a full disk makes `mutirao status` stale, and ends nothing
            write_record(self._file, {**head, "parts": [asdict(status) for status in self._parts.values()]})


def read_run(home: Home) -> Run | None:
    """The present or last run of this data folder; None when there never was one."""
    record = read_record(home.run_file)
    try:
        parts = tuple(PartStatus.from_record(part) for part in record.pop("parts"))
        return Run(**record, parts=parts)
    except (KeyError, TypeError, ValueError):
        return None
