"""One supervisor a data folder: a lock that the kernel gives back when its holder ends, however it ends."""

import fcntl
import os
import time
from pathlib import Path

from mutirao.errors import AlreadyRunning
from mutirao.stack.home import Home
from mutirao.stack.status import read_run

PROBE_SECONDS = 0.2
"""Longer than anybody needs to look whether the lock is held."""


def _try_lock(path: Path, kind: int = fcntl.LOCK_EX) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


class StackLock:
    """Held from before the first part starts until after the last one ended."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take it.

        Raises:
            AlreadyRunning: another process holds it; the message has its id, its URL and how to end it.
        """
        deadline = time.monotonic() + PROBE_SECONDS
        while (handle := _try_lock(self._home.lock)) is None and time.monotonic() < deadline:
            time.sleep(PROBE_SECONDS / 10)
        self._handle = handle
        if self._handle is None:
            run = read_run(self._home)
            pid, url = (run.pid, run.url) if run else (None, None)
            raise AlreadyRunning(
                f"a stack is already running on {str(self._home.path)!r} (process {pid or 'unknown'}, "
                f"{url or 'no API yet'}); end it with `mutirao down`",
                pid=pid,
                url=url,
            )

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def is_held(home: Home) -> bool:
    """Whether a supervisor of this data folder is running."""
    if not home.lock.exists():
        return False
    handle = _try_lock(home.lock, fcntl.LOCK_SH)
    if handle is None:
        return True
    os.close(handle)
    return False
