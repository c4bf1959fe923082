"""The stack in the background: start it, end it, see what it does."""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mutirao.errors import PartFailed, Unavailable
from mutirao.settings import Settings
from mutirao.stack.foreground import Options
from mutirao.stack.home import PRIVATE, Home
from mutirao.stack.identity import is_running
from mutirao.stack.lock import StackLock, is_held
from mutirao.stack.logs import rotate, tail
from mutirao.stack.part import PartState
from mutirao.stack.plan import home_of
from mutirao.stack.status import PartStatus, Run, read_run

POLL_SECONDS = 0.1
DOWN_SECONDS = 15.0
"""A supervisor stops within ten; after this it is killed."""
RECORD_SECONDS = 5.0
"""A supervisor writes its record well within this after it took the lock."""
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
    seen = home.supervisor_log.stat().st_size if home.supervisor_log.exists() else 0
    pid = _spawn(_command(options), home.supervisor_log)
    try:
        return _await_ready(home, pid, seen, say)
    except BaseException:  # for instance Ctrl-C while waiting
        if _exit_code(pid) is None:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
        raise


def _spawn(command: list[str], log: Path) -> int:
    """Start a program that outlives this one, in a session of its own; its process id."""
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), writing, PRIVATE),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, os.environ, file_actions=actions, setsid=True)


def _exit_code(pid: int) -> int | None:
    """None while a process of ours runs; can be asked again and again after its end."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if found else None


def _refuse_second(home: Home) -> None:
    lock = StackLock(home)
    lock.acquire()
    lock.release()


def _command(options: Options) -> list[str]:
    command = [sys.executable, "-P", "-m", "mutirao.stack", "--workers", str(options.workers)]
    return [*command, *(["--reload"] if options.reload else []), "--only", ",".join(options.names)]


def _await_ready(home: Home, pid: int, seen: int, say: Say) -> Run:
    log = home.supervisor_log
    while True:
        code = _exit_code(pid)
        run = read_run(home)
        seen = _say_new(log, seen, say)
        if code is not None:
            raise PartFailed(f"the stack did not start; the end of {str(log)!r}:\n{tail(log)}")
        if run is not None and run.pid == pid and run.state == "ready":
            return run
        time.sleep(POLL_SECONDS)


def _say_new(log: Path, seen: int, say: Say) -> int:
    """Hand on the whole lines written since `seen`; the new position."""
    if not log.exists():
        return seen
    with log.open("rb") as file:
        file.seek(seen)
        whole = file.read().rpartition(b"\n")
    for line in whole[0].decode(errors="replace").splitlines():
        say(line)
    return seen + len(whole[0]) + len(whole[1])


def stop(settings: Settings) -> Run | None:
    """End the stack of this data folder and wait for its end; what it was, None when none was running.

    Raises:
        Unavailable: the data folder is locked by something that is no stack.
    """
    home = home_of(settings)
    run = _running(home)
    if run is None:
        return None
    os.kill(run.pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while is_running(run.pid, run.mark) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if is_running(run.pid, run.mark):
        os.kill(run.pid, signal.SIGKILL)  # its parts get their death signal; the next start ends what is left
    return run


def _running(home: Home) -> Run | None:
    """The run whose supervisor holds the lock; waits for the record of one that has only begun."""
    deadline = time.monotonic() + RECORD_SECONDS
    while is_held(home):
        run = read_run(home)
        if run is not None and run.alive:
            return run
        if time.monotonic() > deadline:
            raise Unavailable(
                f"another process holds {str(home.lock)!r} and has no record; look for it with `fuser {home.lock}`"
            )
        time.sleep(POLL_SECONDS)
    return None


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
