"""Notices a step that does not give the loop back, and whose it is."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from mutirao_workers.jobloop import JobLoop

_SAMPLES = 10  # within the time that counts as blocked


class LoopWatchdog:
    """A thread that reports once, `on_blocked(job, seconds, where)`, when the loop has run one task for `seconds`.

    A loop that only waits, or a whole process that gets no processor, is not blocked: the same task must have been seen
    running at every look, and looks that came late do not count. `job` is None when the task belongs to no job.
    """

    def __init__(self, loop: JobLoop, seconds: float, on_blocked: Callable[[UUID | None, float, str], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._on_blocked = on_blocked
        self._pause = seconds / _SAMPLES
        self._ticks = 0
        self._ended = threading.Event()
        self._home = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._tick()
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def _tick(self) -> None:
        self._ticks += 1
        if not self._ended.is_set():
            self._loop.call_later(self._pause, self._tick)

    def _watch(self) -> None:
        seen, tick, looks, since = None, -1, 0, time.monotonic()
        while not self._ended.wait(self._pause):
            task = asyncio.current_task(self._loop)
            if task is None or task is not seen or tick != self._ticks:
                seen, tick, looks, since = task, self._ticks, 0, time.monotonic()
                continue
            looks += 1
            if looks >= _SAMPLES - 1:
                self._on_blocked(self._loop.owner(task), time.monotonic() - since, self._where())
                return

    def _where(self) -> str:
        frame = sys._current_frames().get(self._home)
        return _own_code(frame) if frame is not None else "?"


def _own_code(frame: Any) -> str:
    """`file.py:12 in function` of the innermost frame that is not of a library."""
    innermost = place = f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno} in {frame.f_code.co_name}"
    while frame is not None:
        name = frame.f_code.co_filename
        if "site-packages" not in name and "/lib/python" not in name and not name.startswith("<"):
            return f"{name.rpartition('/')[2]}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return place or innermost
