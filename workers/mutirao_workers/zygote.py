"""The process that has loaded everything and that children are forked from; `preload.py` starts it.

LangGraph and the project's workflows are imported and compiled once, here; a child is a fork and costs milliseconds.
Nothing of users runs in this process but the building of their graphs. It also is the reaper: it kills children with
everything they started, and when the worker's main process is gone it kills them all, and waits a few seconds for a
successor (`inheritance.py`).
"""

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import psutil
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from mutirao.errors import MutiraoError
from mutirao.logs import configure_logs
from mutirao.settings import Settings, load_settings
from mutirao.stack.identity import descendants, kill_each, signal_group
from mutirao.stack.launch import death_signal_setter
from mutirao_agents.discovery import Found, discover

from mutirao_workers.child import run_child
from mutirao_workers.frames import Lines, Message, encode
from mutirao_workers.inheritance import Will
from mutirao_workers.publication import entry_of

_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NAME = 15
_MOST_SWEEPS = 50
_END_SECONDS = 3.0
_LOOK_SECONDS = 0.01
_OWNER = "_MUTIRAO_OWNER"  # the child that a program was started by, in the program's environment


class Zygote:
    """Forks, kills and reaps children on the word of the main process, over `control`."""

    def __init__(self, control: socket.socket, settings: Settings, found: Found) -> None:
        self._control = control
        self._will = Will()
        self._dismissed = False
        self._settings = settings
        self._found = found
        self._children: set[int] = set()
        self._lines = Lines()
        self._fds: list[int] = []
        self._wakeup, wake = socket.socketpair()
        for end in (self._wakeup, wake):
            end.setblocking(False)
        self._wake = wake
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def run(self) -> None:
        """Serve one main process after another: until it says so, or is gone and no other comes for this one."""
        while True:
            self._introduce()
            self._serve()
            self._end_all()
            self._control.close()
            heir = None if self._dismissed else self._will.heir()
            if heir is None:
                return
            self._control, self._lines, self._fds = heir, Lines(), []

    def _introduce(self) -> None:
        self.say(
            op="ready",
            entries=[entry_of(workflow).model_dump(mode="json") for workflow in self._found.workflows.values()],
            errors=[asdict(error) for error in self._found.errors],
            brings=self._found.extras.brings,
            checkpoint_version=len(AsyncPostgresSaver.MIGRATIONS) - 1,
        )

    def _serve(self) -> None:
        """Obey until the main process is gone or has said the last word."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._wakeup, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._wakeup:
                        self._drain_wakeup()
                        self._reap()
                    elif not self._hear() or self._dismissed:
                        return

    def _end_all(self) -> None:
        for pid in list(self._children):
            self._kill(pid)
        deadline = time.monotonic() + _END_SECONDS
        while self._children and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            self._reap()
        self._sweep()

    def _drain_wakeup(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wakeup.recv(4096):
                pass

    def _hear(self) -> bool:
        try:
            data, fds, _, _ = socket.recv_fds(self._control, 65536, 16)
        except ConnectionError:
            return False
        self._fds += fds
        for message in self._lines.feed(data):
            self._obey(message)
        return bool(data)

    def _obey(self, message: Message) -> None:
        if message["op"] == "fork":
            self._fork(message, self._fds.pop(0))
        elif message["op"] == "kill":
            self._kill(message["pid"])
        elif message["op"] == "dismiss":
            self._dismissed = True

    def _fork(self, message: Message, fd: int) -> None:
        mother = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._be_child(message, fd, mother)
        os.close(fd)
        self._children.add(pid)
        self.say(op="forked", number=message["number"], pid=pid)

    def _be_child(self, message: Message, fd: int, mother: int) -> NoReturn:
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.setsid()
            _DEATH_SIGNAL(signal.SIGKILL)
            for end in (self._control, self._wakeup, self._wake):
                end.close()
            _name_process(f"mutirao {message['kind']}")
            os.environ[_OWNER] = str(os.getpid())
            if numpy_random := sys.modules.get("numpy.random"):
                numpy_random.seed()  # unlike `random`, it draws the same numbers in every fork
            if os.getppid() == mother:
                code = run_child(socket.socket(fileno=fd), message["kind"], self._settings, self._found)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _kill(self, pid: int) -> None:
        """End a child and everything below it, whatever session or group that has moved to."""
        if pid not in self._children:
            return
        below = descendants(pid)
        signal_group(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        kill_each(below)
        # Its end is reaped when it comes: one that hangs in the kernel must not hold up the others' births and ends.
        self._reap()

    def _sweep(self) -> None:
        """Kill what dead children have left behind: this process is who orphans are given to (Linux)."""
        for _ in range(_MOST_SWEEPS):
            strays = [p for p in psutil.Process().children() if p.pid not in self._children and not self._owned(p)]
            if not strays:
                return
            for stray in strays:
                below = descendants(stray.pid)
                kill_each([stray, *below])
            self._reap()

    def _owned(self, stray: psutil.Process) -> bool:
        """Whether a step of a child that lives has started it, and let it go."""
        try:
            return int(stray.environ().get(_OWNER, "0")) in self._children
        except (psutil.Error, ValueError):
            return False

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._children:
                self._children.discard(pid)
                self._sweep()  # before its end is told: a job that is cancelled writes nothing any more
                self.say(op="exited", pid=pid, code=os.waitstatus_to_exitcode(status))

    def say(self, **message: object) -> None:
        """Tell the main process; nothing when it is gone, which `run` finds out."""
        with contextlib.suppress(OSError):
            self._control.sendall(encode(dict(message)))


_DEATH_SIGNAL = death_signal_setter()


def become_subreaper() -> None:
    """Orphans below this process are given to it, and not to the system's first process (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _name_process(name: str) -> None:
    """What `ps -o comm` and `top` show (Linux; at most 15 bytes)."""
    _prctl(_PR_SET_NAME, name.encode()[:15])


def _prctl(option: int, value: int | bytes) -> None:
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main() -> int:
    """`argv[1]` is the number of the control socket."""
    _DEATH_SIGNAL(signal.SIGKILL)  # until it listens to the main process
    control = socket.socket(fileno=int(sys.argv[1]))
    configure_logs()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the main process says when
    try:
        settings = load_settings()
        found = discover(Path.cwd())
    except MutiraoError as error:
        control.sendall(encode({"op": "failed", "code": error.code, "message": error.message}))
        return 1
    become_subreaper()
    _name_process("mutirao zygote")
    gc.collect()
    gc.freeze()  # what is here now is never looked at again by a child's collector, so its pages stay shared
    zygote = Zygote(control, settings, found)
    _DEATH_SIGNAL(0)
    gc.enable()
    zygote.run()
    return 0
