"""Taking over the name of a worker that was here before.

A worker that starts knows that its predecessor on this host is dead when that process is gone; it ends the dead one's
lease at once, so that its jobs resume now and not when the lease runs out. A live process keeps its name.
"""

import asyncio
import os
import socket

import psutil
from mutirao.errors import Conflict
from mutirao.logs import logger
from mutirao.workers import Worker, WorkerStore

_log = logger("worker")
_LOOK_SECONDS = 0.25


class WorkerNameTaken(Conflict):
    """Raised when a live worker has this name."""

    code = "worker_name_taken"


async def succeed(store: WorkerStore, name: str, *, seconds: float) -> None:
    """Return once no live worker is called `name`; one on another host is waited for, as its lease may run out.

    Raises:
        WorkerNameTaken: it was still alive after `seconds`.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while living := [worker for worker in await store.live(name) if not await _buried(store, worker)]:
        first = living[0]
        if asyncio.get_running_loop().time() > deadline:
            raise WorkerNameTaken(
                f"a worker named {name!r} is alive (host {first.host!r}, pid {first.pid}); "
                "give each worker its own MUTIRAO_WORKER_NAME"
            )
        await asyncio.sleep(_LOOK_SECONDS)


async def _buried(store: WorkerStore, worker: Worker) -> bool:
    if worker.host != socket.gethostname() or _alive(worker):
        return False
    _log.info("worker.succeeds", name=worker.name, dead_pid=worker.pid)
    await store.stop(worker.id)
    return True


def _alive(worker: Worker) -> bool:
    """Whether the process that wrote the last heartbeat still runs: its number may be somebody else's by now."""
    if worker.pid == os.getpid():
        return False
    try:
        return psutil.Process(worker.pid).create_time() <= worker.heartbeat_at.timestamp()
    except psutil.NoSuchProcess:
        return False
