"""The stack in the background: start it, end it, see what it does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mutirao.errors import AlreadyRunning, PartFailed
from mutirao.settings import Settings
from mutirao.stack.foreground import Options
from mutirao.stack.home import Home
from mutirao.stack.identity import is_running
from mutirao.stack.lock import StackLock, is_held
from mutirao.stack.logs import rotate, tail
from mutirao.stack.part import PartState
from mutirao.stack.plan import home_of
from mutirao.stack.status import PartStatus, Run, read_run

POLL_SECONDS = 0.1
DOWN_SECONDS = 15.0
"""A supervisor stops within ten; after this it is killed."""
MEBIBYTE = 1 << 20

Say = Callable[[str], None]


def start(settings: Settings, options: Options, say: Say) -> Run:
    """Start a supervisor in the background; returns when everything is ready. `say` gets its lines as they come.

    Raises:
        AlreadyRunning: a stack runs on this data folder.
        PartFailed: it did not become ready; with the end of its log. Nothing of it is left.
    """
    home = home_of(settings)
    home.create()
    _refuse_second(home)
    rotate(home.supervisor_log)
    with home.supervisor_log.open("ab") as log:
        seen = log.tell()
        process = subprocess.Popen(
            _command(options), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        return _await_ready(home, process, seen, say)
    except BaseException:
        process.send_signal(signal.SIGTERM)  # for instance Ctrl-C while waiting
        process.wait(DOWN_SECONDS)
        raise


def _refuse_second(home: Home) -> None:
    lock = StackLock(home)
    lock.acquire()
    lock.release()


def _command(options: Options) -> list[str]:
    command = [sys.executable, "-P", "-m", "mutirao.stack", "--workers", str(options.workers)]
    return [*command, *(["--reload"] if options.reload else []), "--only", ",".join(options.names)]


def _await_ready(home: Home, process: "subprocess.Popen[bytes]", seen: int, say: Say) -> Run:
    while True:
        code = process.poll()
        seen = _say_new(home.supervisor_log, seen, say)
        if code is not None:
            raise PartFailed(
                f"the stack did not start; the end of {str(home.supervisor_log)!r}:\n{tail(home.supervisor_log)}"
            )
        run = read_run(home)
        if run is not None and run.pid == process.pid and run.state == "ready":
            _say_new(home.supervisor_log, seen, say)
            return run
        time.sleep(POLL_SECONDS)


def _say_new(log: Path, seen: int, say: Say) -> int:
    """Hand on the whole lines written since `seen`; the new position."""
    with log.open("rb") as file:
        file.seek(seen)
        whole = file.read().rpartition(b"\n")
    for line in whole[0].decode(errors="replace").splitlines():
        say(line)
    return seen + len(whole[0]) + len(whole[1])


def stop(settings: Settings) -> Run | None:
    """End the stack of this data folder and wait for its end; what it was, None when none was running."""
    home = home_of(settings)
    run = read_run(home)
    if not is_held(home):
        return None
    if run is None or not run.alive:
        raise AlreadyRunning(f"a stack is just starting on {str(home.path)!r}; try again in a moment")
    os.kill(run.pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while is_held(home) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if is_running(run.pid, run.mark):
        os.kill(run.pid, signal.SIGKILL)  # its parts get their death signal; the next start ends what is left
    return run


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What `mutirao status` tells."""

    home: str
    run: Run | None
    """None: no stack is running."""
    parts: tuple[dict[str, Any], ...] = ()
    """Each with `name`, `state`, `pid`, `port`, `resident_mb`, `uptime_seconds`, `restarts`, `detail`."""

    def as_record(self) -> dict[str, Any]:
        """For programs."""
        run = self.run
        head = {"running": run is not None, "home": self.home}
        if run is None:
            return head
        memory = [part["resident_mb"] for part in self.parts if part["resident_mb"] is not None]
        return head | {
            "pid": run.pid,
            "state": run.state,
            "url": run.url,
            "uptime_seconds": round(time.time() - run.since, 1),
            "resident_mb": round(sum(memory), 1),
            "parts": [*self.parts],
        }


def overview(settings: Settings) -> Overview:
    """What runs on this data folder now."""
    home = home_of(settings)
    run = read_run(home) if is_held(home) else None
    if run is None or not run.alive:
        return Overview(home=str(home.path), run=None)
    return Overview(home=str(home.path), run=run, parts=(*map(_part_record, run.parts), _supervisor_record(run)))


def _part_record(part: PartStatus) -> dict[str, Any]:
    alive = part.pid is not None and is_running(part.pid, part.mark)
    return {
        "name": part.name,
        "state": part.state.value if alive or part.pid is None else PartState.RESTARTING.value,
        "pid": part.pid,
        "port": part.port,
        "resident_mb": resident_mb(part.pid) if alive and part.pid else None,
        "uptime_seconds": round(time.time() - part.since, 1) if alive and part.since else None,
        "restarts": part.restarts,
        "detail": part.detail,
    }


def _supervisor_record(run: Run) -> dict[str, Any]:
    return {
        "name": "supervisor", "state": run.state, "pid": run.pid, "port": None, "restarts": 0, "detail": "",
        "resident_mb": resident_mb(run.pid, below=False), "uptime_seconds": round(time.time() - run.since, 1),
    }  # fmt: skip


def resident_mb(pid: int, *, below: bool = True) -> float | None:
    """Memory of a process and, with `below`, of all it started, in MiB.

    Memory that several processes share is counted once (PSS) where the system tells it.
    """
    try:
        process = psutil.Process(pid)
        processes = [process, *(process.children(recursive=True) if below else [])]
    except psutil.Error:
        return None
    return round(sum(map(_memory, processes)) / MEBIBYTE, 1)


def _memory(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.rss)
    except psutil.Error:
        return 0
