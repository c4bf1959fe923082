"""Children as the main process sees them: born of the zygote, spoken to over a link, killed with all they started."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

from mutirao.errors import MutiraoError, PartFailed
from mutirao.logs import logger

from mutirao_workers.frames import Link, Message, encode
from mutirao_workers.inheritance import inherit

_log = logger("nursery")
_KILL_SECONDS = 2.0
_BIRTH_SECONDS = 10.0
_BUSY_SECONDS = 0.02
_END_SECONDS = 5.0
PREPARE, CARE = "prepare", "care"
"""Kinds of children that do one errand and end: create or upgrade the checkpoint tables; delete what is due."""

READER, APP = "reader", "app"
"""Kinds of children that last: one answers questions to graphs, see `reader.py`, one serves the project's own routes."""


class ProjectBroken(MutiraoError):
    """Raised when the project's files cannot be loaded at all; code and message are those of what went wrong."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc] # the other process's


class Born:
    """A child process: its number, its link, and `exited`, the exit code once it is gone."""

    def __init__(self, pid: int, link: Link, exited: "asyncio.Future[int]") -> None:
        self.pid = pid
        self.link = link
        self.exited = exited

    def messages(self) -> AsyncIterator[Message]:
        """What it says, until it is gone."""
        return self.link.heard()


class Nursery:
    """The zygote, started by `launch` in the main thread; the rest belongs to the loop that called `attend`.

    `entries`, `load_errors` and `brings` are what it has found, as the catalogue and the worker's row want them;
    `checkpoint_version` is the newest migration of LangGraph's tables that it knows.
    """

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.load_errors: list[dict[str, Any]] = []
        self.brings: dict[str, Any] = {}
        self.checkpoint_version = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._births: dict[int, asyncio.Future[tuple[int, asyncio.Future[int]]]] = {}
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._number = 0
        self._listening: asyncio.Task[None] | None = None
        self.died = asyncio.Event()

    def launch(self) -> None:
        """Take over the zygote of a predecessor that was killed, or start one; it loads while this process does. To be
        called in a thread that lives as long as the process."""
        if inherited := inherit():
            self._control = inherited
            return
        self._control, other = socket.socketpair()
        command = [sys.executable, "-P", "-m", "mutirao_workers.preload", str(other.fileno())]
        # In a session of its own: whoever kills this process's group leaves it time to end its children.
        self._process = subprocess.Popen(
            command, pass_fds=[other.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
        other.close()

    async def attend(self) -> None:
        """Wait until it has loaded the project. Raises ProjectBroken, PartFailed."""
        link = await Link.open(self._control)
        messages = link.heard()
        first = await anext(messages, None)
        if first is None:
            raise PartFailed(f"loading the project ended the process that does it ({self._exit_code()})")
        if first["op"] == "failed":
            raise ProjectBroken(first["code"], first["message"])
        self.entries, self.load_errors = first["entries"], first["errors"]
        self.brings = first["brings"]
        self.checkpoint_version = first["checkpoint_version"]
        self._link = link
        self._listening = asyncio.create_task(self._listen(messages), name="nursery")

    async def bear(self, kind: str) -> Born:
        """Fork a child. Raises PartFailed when the zygote is gone."""
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise PartFailed(f"no child can be made: {error}") from None
        self._number += 1
        birth = self._births[self._number] = asyncio.get_running_loop().create_future()
        with theirs:
            try:
                async with asyncio.timeout(_BIRTH_SECONDS):
                    await self._order({"op": "fork", "kind": kind, "number": self._number}, theirs)
                    pid, exited = await asyncio.shield(birth)
            except BaseException as error:
                ours.close()  # a child that comes all the same finds nobody, and ends
                if isinstance(error, TimeoutError):
                    self.died.set()
                if isinstance(error, OSError):
                    raise PartFailed(f"the process that children are forked from does not answer: {error!r}") from None
                raise
        return Born(pid, await Link.open(ours), exited)

    async def _order(self, order: Message, passed: socket.socket) -> None:
        while True:
            try:
                socket.send_fds(self._control, [encode(order)], [passed.fileno()])
            except BlockingIOError:
                await asyncio.sleep(_BUSY_SECONDS)
                continue
            return

    async def errand(self, kind: str) -> int:
        """Have a child do an errand; its exit code."""
        born = await self.bear(kind)
        code = await asyncio.shield(born.exited)
        born.link.close()
        return code

    async def kill(self, born: Born) -> None:
        """End a child and everything it has started; returns when they are gone."""
        self._link.say(op="kill", pid=born.pid)
        try:
            async with asyncio.timeout(_KILL_SECONDS):
                await asyncio.shield(born.exited)
        except TimeoutError:
            _log.error("nursery.slow_kill", pid=born.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(born.pid, signal.SIGKILL)
        born.link.close()

    async def close(self) -> None:
        """Dismiss the zygote: it ends every child that is left, and itself."""
        if self._listening is not None:
            self._link.say(op="dismiss")
            await asyncio.wait([self._listening], timeout=_END_SECONDS)
            self._link.close()
            await asyncio.gather(self._listening, return_exceptions=True)

    def abandon(self) -> None:
        """End the zygote at once, before `attend` has returned."""
        if self._process is not None:
            self._process.kill()
        else:
            with contextlib.suppress(OSError):
                self._control.sendall(encode({"op": "dismiss"}))
        self.reap()

    def reap(self) -> None:
        """Wait for the zygote's end. For the main thread, after `close`, or when the loop never came up."""
        self._control.close()
        if self._process is not None:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    async def _listen(self, messages: AsyncIterator[Message]) -> None:
        try:
            async for message in messages:
                if message["op"] == "forked":
                    exited = self._exits[message["pid"]] = asyncio.get_running_loop().create_future()
                    _tell(self._births.pop(message["number"]), (message["pid"], exited))
                elif message["pid"] in self._exits:
                    _tell(self._exits.pop(message["pid"]), message["code"])
        finally:
            for birth in self._births.values():
                if not birth.done():
                    birth.set_exception(PartFailed("the process that children are forked from is gone"))
            for exited in self._exits.values():
                _tell(exited, -signal.SIGKILL)  # they die with it
            self.died.set()

    def _exit_code(self) -> str:
        assert self._process is not None
        try:
            return f"exit code {self._process.wait(2)}"
        except subprocess.TimeoutExpired:
            return "it hung up"


def _tell(future: "asyncio.Future[Any]", result: Any) -> None:
    if not future.done():
        future.set_result(result)
