"""A running program: its own session, its output in a log file, ended together with everything it started."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil

from mutirao.stack.command import Command
from mutirao.stack.identity import any_alive, bearers, descendants, kill_each, mark_of, signal_group
from mutirao.stack.waiting import until

KILL_SECONDS = 2.0
TAG = "_MUTIRAO_CHILD"
"""In the environment of a child and all it starts: how one is known that left its group as its parent ended."""


class Child:
    """A process started by this one. It never sees the terminal's Ctrl-C and does not outlive this process (Linux)."""

    def __init__(self, process: "subprocess.Popen[bytes]", command: Command, tag: str) -> None:
        self._process = process
        self._command = command
        self._tag = tag
        self.started = time.monotonic()
        self.mark = mark_of(process.pid)

    @classmethod
    def start(cls, command: Command, log: Path, *, with_input: bool = False) -> "Child":
        """Start it now. Must be called in a thread that lives as long as the child should."""
        account, tag = command.account, uuid.uuid4().hex
        who = [str(account.uid), str(account.gid)] if account else ["-", "-"]
        launcher = [sys.executable, "-P", "-m", "mutirao.stack.launch"]
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*launcher, str(int(command.death_signal)), str(os.getpid()), *who, *command.argv],
                stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**command.env, TAG: tag},
                cwd=command.cwd,
                start_new_session=True,
            )
        return cls(process, command, tag)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def age(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    async def exited(self) -> int:
        """Wait for the end; the exit code. What the program left behind in its process group is ended too."""
        await until(lambda: self.exit_code is not None)
        signal_group(self.pid, signal.SIGKILL)
        self.end_input()
        return self._process.returncode

    def write(self, line: str) -> None:
        """Give the program a line to read; nothing when it no longer reads."""
        assert self._process.stdin is not None, "started without with_input"
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def end_input(self) -> None:
        """Nothing more will be written."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    async def stop(self, grace: float, hurry: asyncio.Event | None = None) -> bool:
        """Ask it to end; after `grace` seconds, or as soon as `hurry` is set, kill it and all it started.

        Returns whether it ended by itself. When this returns nothing of it is left.
        """
        below = descendants(self.pid)
        if self.exit_code is None:
            self._process.send_signal(self._command.stop_signal)
        await until(lambda: self.exit_code is not None or (hurry is not None and hurry.is_set()), grace)
        by_itself = self.exit_code is not None
        await self._kill([*below, *descendants(self.pid)])
        return by_itself

    async def _kill(self, below: list[psutil.Process]) -> None:
        signal_group(self.pid, signal.SIGKILL)
        kill_each(below)
        await until(lambda: self.exit_code is not None and self._none_left(below), KILL_SECONDS)
        self.end_input()

    def _none_left(self, below: list[psutil.Process]) -> bool:
        """Kills, too, what was started between the look at what is below and the end of who started it."""
        late = bearers(TAG, self._tag)
        kill_each(late)
        return not late and not any_alive(below)
