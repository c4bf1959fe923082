"""Converter processes: started when there is work, reused for file after file, ended when idle.

Rewriting a file is pure Python that can take seconds, hang, or overflow the stack: it never runs in the loop, and not
in a thread either, which could not be stopped. A process that is late or whose caller was cancelled is killed and
replaced.
"""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mutirao_agents.modernize.rules.frames import Frame, FrameBroken, read_frame, write_frame

PROCESSES = 2
MEMORY_BYTES = 1 << 30
START_SECONDS = 30.0
LINGER_SECONDS = 2.0
# The rules are loaded as a package of their own, so that a process starts in 0.3 s with 20 MB: the packages above
# them import LangGraph.
_BOOT = """
import importlib.util, sys
folder, libraries, memory = sys.argv[1:]
sys.path.append(libraries)
spec = importlib.util.spec_from_file_location(
    "mutirao_rules", folder + "/__init__.py", submodule_search_locations=[folder]
)
package = sys.modules["mutirao_rules"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from mutirao_rules.process import main
main(int(memory))
"""


class ConverterFailed(Exception):
    """Raised when a file was too much for a converter process: time, memory, or a crash. The message says which."""


class ProcessEnded(ConverterFailed):
    """Raised when a converter process ended before it answered."""


class ConverterProcess:
    """One child process. Not for two threads at once, but `kill` may come from any.

    Raises:
        ConverterFailed: it did not start.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        rules = Path(__file__).with_name("rules")
        command = [sys.executable, "-I", "-c", _BOOT, str(rules), _libraries(), str(memory_bytes)]
        # Nothing of the platform's environment reaches it: keys live there.
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=kept
        )
        self.pid = self._process.pid
        self.used = False
        self.idle_since = 0.0
        try:
            self._within(START_SECONDS, self._read)
        except BaseException:
            self.close()
            raise

    def ask(self, request: Frame, seconds: float) -> Frame:
        """Send a request and wait for its answer, at most `seconds`.

        Raises:
            ConverterFailed: it was late, was killed, or ended; the process is of no more use.
        """
        timed = Frame(header={**request.header, "seconds": seconds}, body=request.body)
        answer = self._within(seconds, lambda: self._exchange(timed))
        self.used = True
        return answer

    def kill(self) -> None:
        """End it now; a waiting `ask` raises."""
        self._process.kill()

    def close(self) -> None:
        """End it and release its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            # What was still to be written has no reader any more.
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _within(self, seconds: float, work: Callable[[], Frame]) -> Frame:
        late = threading.Event()

        def end() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            return work()
        except (OSError, FrameBroken):
            if late.is_set():
                raise ConverterFailed(f"it took more than {seconds:g} s") from None
            raise ProcessEnded(f"the converter process ended ({self._ending()})") from None
        finally:
            timer.cancel()

    def _exchange(self, request: Frame) -> Frame:
        assert self._process.stdin is not None
        write_frame(self._process.stdin, request)
        return self._read()

    def _read(self) -> Frame:
        assert self._process.stdout is not None
        answer = read_frame(self._process.stdout)
        if answer is None:
            raise FrameBroken("the process closed its output")
        return answer

    def _ending(self) -> str:
        self._process.kill()
        code = self._process.wait()
        return f"signal {-code}" if code < 0 else f"exit status {code}"


class Ticket:
    """Lets the caller of a conversion end it while a thread waits for a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: ConverterProcess | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Kill the process that works for this ticket, now or as soon as there is one."""
        with self._lock:
            self.cancelled = True
            if self._process is not None:
                self._process.kill()

    @contextmanager
    def holding(self, process: ConverterProcess) -> Iterator[None]:
        """Let `cancel` reach `process` in this block."""
        with self._lock:
            self._process = process
            if self.cancelled:
                process.kill()
        try:
            yield
        finally:
            with self._lock:
                self._process = None


class ConverterPool:
    """A few converter processes that several jobs share. Bound to no event loop; safe from any thread.

    A process that had nothing to do for `linger_seconds` is ended: an idle pool has none. `close` ends them at once;
    the pool may be used again afterwards.
    """

    def __init__(
        self,
        *,
        processes: int = PROCESSES,
        memory_bytes: int = MEMORY_BYTES,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._memory_bytes = memory_bytes
        self._linger_seconds = linger_seconds
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="mutirao-converter")
        self._lock = threading.Lock()
        self._idle: list[ConverterProcess] = []
        self._reaper: threading.Timer | None = None

    async def ask(self, header: dict[str, Any], body: Callable[[], bytes], *, seconds: float) -> Frame:
        """The answer of a converter process.

        Args:
            header: the request, see `rules.process`.
            body: called in a thread when a process is free, so that waiting requests hold no content.
            seconds: time limit, counted from the moment a process has the request.

        Raises:
            ConverterFailed: the file took too long or too much memory, or ended the process.
        """
        ticket = Ticket()
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._serve, ticket, header, body, seconds)
        try:
            answer = await work
        except asyncio.CancelledError:
            ticket.cancel()
            raise
        if "failed" in answer.header:
            raise ConverterFailed(answer.header["failed"])
        return answer

    @property
    def idle_pids(self) -> list[int]:
        """Ids of the processes that wait for work."""
        with self._lock:
            return [process.pid for process in self._idle]

    def close(self) -> None:
        """End the idle processes now."""
        with self._lock:
            ended, self._idle = self._idle, []
            if self._reaper is not None:
                self._reaper.cancel()
                self._reaper = None
        for process in ended:
            process.close()

    def _serve(self, ticket: Ticket, header: dict[str, Any], body: Callable[[], bytes], seconds: float) -> Frame:
        request = Frame(header=header, body=body())
        while True:
            process = self._take()
            try:
                with ticket.holding(process):
                    answer = process.ask(request, seconds)
            except ProcessEnded:
                process.close()
                if process.used and not ticket.cancelled:
                    continue  # it may have died while it was idle, which says nothing about this file: ask another
                raise
            except BaseException:
                process.close()
                raise
            self._give_back(process)
            return answer

    def _take(self) -> ConverterProcess:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return ConverterProcess(self._memory_bytes)

    def _give_back(self, process: ConverterProcess) -> None:
        process.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(process)
            self._watch(self._linger_seconds)

    def _watch(self, seconds: float) -> None:
        if self._reaper is None:
            self._reaper = threading.Timer(seconds, self._reap)
            self._reaper.daemon = True
            self._reaper.start()

    def _reap(self) -> None:
        with self._lock:
            now = time.monotonic()
            ended = [process for process in self._idle if now - process.idle_since >= self._linger_seconds]
            self._idle = [process for process in self._idle if process not in ended]
            self._reaper = None
            if self._idle:
                oldest = min(process.idle_since for process in self._idle)
                self._watch(max(0.01, oldest + self._linger_seconds - now))
        for process in ended:
            process.close()


def _libraries() -> str:
    """The folder fissix is installed in, wherever this process found it."""
    spec = find_spec("fissix")
    if spec is None or spec.origin is None:
        raise ConverterFailed("fissix is not installed; install mutirao with its dependencies")
    return str(Path(spec.origin).parent.parent)
