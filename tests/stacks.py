"""Whole supervisors in processes of their own, and the proof that they leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil
import pytest
from mutirao.stack.home import Home
from mutirao.stack.status import PartStatus, read_run

SERVERS = ("postgres", "valkey", "chroma")
PATIENCE_SECONDS = 60.0


def wait_for(what: str, condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> float:
    """Wait for a condition; how long it took. Fails with `what` when it takes too long."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - began


class Stack:
    """`python -m mutirao.stack` on a folder of its own; `names` are the parts it has, `settings` its environment."""

    def __init__(self, folder: Path, *names: str, **settings: str) -> None:
        self.home = Home(folder)
        self.log = folder.with_name(folder.name + ".out")
        self._output: IO[bytes] = self.log.open("ab")
        command = [sys.executable, "-P", "-m", "mutirao.stack", "--only", ",".join(names or SERVERS)]
        env = {name: value for name, value in os.environ.items() if not name.startswith("MUTIRAO_")}
        self.process = subprocess.Popen(
            command,
            env=env | {"MUTIRAO_HOME": str(folder)} | settings,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def part(self, name: str) -> PartStatus:
        run = read_run(self.home)
        found = [part for part in run.parts if part.name == name] if run else []
        return found[0] if found else PartStatus(name=name)

    def is_ready(self) -> bool:
        run = read_run(self.home)
        return run is not None and run.pid == self.process.pid and run.state == "ready"

    def until_ready(self) -> "Stack":
        def ready_or_over() -> bool:
            return self.is_ready() or self.process.poll() is not None

        wait_for("the stack is ready", ready_or_over)
        assert self.process.returncode is None, self.said
        return self

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def ended(self, seconds: float = 11) -> int:
        """The exit code, waiting so long for it."""
        return self.process.wait(seconds)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)
        self._output.close()


def processes_of(home: Path) -> list[str]:
    """Every process that was told of this folder, works in it, or names it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            told = process.environ().get("MUTIRAO_HOME") == str(home)
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            if told or str(home) in process.cwd() or any(str(home) in word for word in process.cmdline()):
                found.append(f"{process.pid} {process.cmdline()}")
    return found


def nothing_left(home: Path, seconds: float = 0) -> None:
    if seconds:
        wait_for(f"no process of {home}", lambda: not processes_of(home), seconds)
    left = processes_of(home)
    assert left == [], left


@contextmanager
def stacks_on(folder: Path) -> Iterator[Callable[..., Stack]]:
    """Makes stacks on one data folder; ends them all, and fails when a process of them is left."""
    made: list[Stack] = []

    def make(*names: str, **settings: str) -> Stack:
        made.append(Stack(folder, *names, **settings))
        return made[-1]

    try:
        yield make
    finally:
        for stack in made:
            stack.close()
    nothing_left(folder, 10)
