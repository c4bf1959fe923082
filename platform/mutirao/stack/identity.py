"""Which process a number means: process ids are used again, a mark (id and start time) is not."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

import psutil


def mark_of(pid: int) -> str | None:
    """A text that no other process will ever have on this machine; None when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _mark_without_proc(pid)
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _mark_without_proc(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return None


def is_running(pid: int, mark: str | None) -> bool:
    """Whether the process that had this mark is still there."""
    return mark is not None and mark_of(pid) == mark


def descendants(pid: int) -> list[psutil.Process]:
    """Every process below `pid`, at this moment; empty when there is no such process."""
    try:
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    return found


def bearers(name: str, value: str) -> list[psutil.Process]:
    """Every process that was given the environment variable `name` with this value, or inherited it, and still runs."""
    return [process for process in psutil.process_iter() if _bears(process, name, value)]


def _bears(process: psutil.Process, name: str, value: str) -> bool:
    try:
        return process.environ().get(name) == value and _alive(process)
    except (psutil.Error, OSError):
        return False


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the whole process group of `pid`; nothing when it is gone."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
    except PermissionError:  # macOS answers so for a group of zombies
        return


def kill_each(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL each of them that still is the process it was."""
    for process in processes:
        try:
            process.kill()
        except psutil.Error:
            continue


def any_alive(processes: Iterable[psutil.Process]) -> bool:
    """Whether one of them still runs; a zombie does not."""
    return any(_alive(process) for process in processes)


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
