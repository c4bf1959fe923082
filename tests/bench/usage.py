"""What processes use: processor time and memory of whole trees, their ended children included."""

import os
from collections.abc import Iterable

import psutil


def below(pid: int) -> set[int]:
    """A process and everything under it."""
    try:
        root = psutil.Process(pid)
        return {pid, *(child.pid for child in root.children(recursive=True))}
    except psutil.NoSuchProcess:
        return set()


class Usage:
    """Processor time of processes, from its making on. `servers` are whole trees, this process's own time is not in it."""

    def __init__(self, roots: Iterable[int]) -> None:
        self._roots = list(roots)
        self._began = self._seconds()

    @classmethod
    def of_all_but(cls, others: Iterable[int]) -> "Usage":
        """Of everything that this process has started, but for the trees of `others`."""
        theirs = set(others)
        return cls(child.pid for child in psutil.Process(os.getpid()).children() if child.pid not in theirs)

    def milliseconds(self) -> dict[str, float]:
        """Used since the beginning, by name of the root."""
        return {name: (now - self._began.get(name, 0.0)) * 1000 for name, now in self._seconds().items()}

    def megabytes(self) -> float:
        """Resident memory now, what is shared counted once each (proportional set size)."""
        total = 0.0
        for root in self._roots:
            for pid in below(root):
                try:
                    total += psutil.Process(pid).memory_full_info().pss
                except psutil.Error:
                    continue
        return total / 2**20

    def _seconds(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for root in self._roots:
            for pid in below(root):
                try:
                    process = psutil.Process(pid)
                    times = process.cpu_times()
                    name = _name(psutil.Process(root).cmdline())
                except psutil.Error:
                    continue
                used = times.user + times.system + times.children_user + times.children_system
                found[name] = found.get(name, 0.0) + used
        return found


def _name(command: list[str]) -> str:
    words = " ".join(command)
    known = {"mutirao.api": "api", "mutirao_workers": "worker", "postgres": "postgres", "valkey": "valkey"}
    known |= {"redis": "valkey", "langgraph": "langgraph dev"}
    return next((short for word, short in known.items() if word in words), words[:40])
