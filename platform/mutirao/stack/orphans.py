"""Ends what a killed run left behind, where the kernel did not (systems without a parent-death signal)."""

import asyncio
import contextlib
import os
import signal

import psutil

from mutirao.stack.home import Home
from mutirao.stack.identity import any_alive, is_running, kill_each
from mutirao.stack.status import PartStatus, read_run
from mutirao.stack.waiting import until

GRACE_SECONDS = 4.0


async def end_orphans(home: Home) -> list[str]:
    """End processes the last run recorded, known by id and start time; the names of the parts that had any.

    Call it while holding the lock of the data folder: the processes of a living run are no orphans.
    """
    run = read_run(home)
    if run is None:
        return []
    found = await asyncio.to_thread(_find, home, [part for part in run.parts if part.pid is not None])
    for name, process in found:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
    processes = [process for _, process in found]
    await until(lambda: not any_alive(processes), GRACE_SECONDS)
    kill_each(processes)
    return sorted({name for name, _ in found})


def _find(home: Home, parts: list[PartStatus]) -> list[tuple[str, psutil.Process]]:
    """The recorded processes, and what else is left of their groups and was told of this data folder."""
    groups = {part.pid: part for part in parts if part.pid is not None}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            part = groups.get(os.getpgid(process.pid))
            if part is None:
                continue
            is_leader = process.pid == part.pid and is_running(process.pid, part.mark)
            if is_leader or process.environ().get("MUTIRAO_HOME") == str(home.path):
                found.append((part.name, process))
    return found
