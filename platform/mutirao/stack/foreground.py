"""One run of the stack in this process: from the lock to the last part's end."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from mutirao.settings import Settings
from mutirao.stack.board import Board
from mutirao.stack.home import Home
from mutirao.stack.lock import StackLock
from mutirao.stack.orphans import end_orphans
from mutirao.stack.plan import ALL, Plan, Planner, home_of
from mutirao.stack.reload import reload_workers
from mutirao.stack.status import RunRecord
from mutirao.stack.supervisor import Limits, Supervisor

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `mutirao up` was asked for."""

    workers: int = 1
    reload: bool = False
    names: tuple[str, ...] = ALL
    """Parts to start; others are left out as if they did not exist."""


def run_stack(settings: Settings, options: Options, board: Board, welcome: Callable[[], None] | None = None) -> None:
    """Run the stack until SIGINT, SIGTERM or SIGHUP. When this returns or raises no process of it is left.

    `welcome` is called once, in a thread of its own, when everything is ready.

    Raises:
        AlreadyRunning: another process runs a stack on the same data folder.
        PartFailed: a part did not become ready; the message has the end of its log.
        SettingsInvalid: the data folder cannot be written.
    """
    asyncio.run(_Foreground(settings, options, board, welcome).run())


class _Foreground:
    def __init__(self, settings: Settings, options: Options, board: Board, welcome: Callable[[], None] | None) -> None:
        self._settings = settings
        self._options = options
        self._board = board
        self._welcome = welcome
        self._home = home_of(settings)
        self._asked = asyncio.Event()
        self._supervisor: Supervisor | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        self._home.create()
        lock = StackLock(self._home)
        lock.acquire()
        try:
            await self._supervise(await self._plan())
        finally:
            if self._supervisor is not None:
                await self._supervisor.stop()
                self._board.say("stopped")
            self._home.run_file.unlink(missing_ok=True)
            lock.release()

    def _on_signal(self) -> None:
        """First: stop in order. Again: stop at once."""
        if self._asked.is_set() and self._supervisor is not None:
            self._board.say("stopping at once")
            self._supervisor.hurry.set()
        elif not self._asked.is_set():
            self._board.say("stopping (once more Ctrl-C stops at once)")
        self._asked.set()

    async def _plan(self) -> Plan:
        for name in await end_orphans(self._home):
            self._board.say(f"{name} of an earlier run was still there and has been ended")
        plan = Planner(self._settings, self._home).plan(self._options.names, self._options.workers)
        for note in plan.notes:
            self._board.say(note)
        return plan

    async def _supervise(self, plan: Plan) -> None:
        stack = self._settings.stack
        limits = Limits(start_seconds=stack.part_start_seconds, stop_seconds=stack.part_stop_seconds)
        record = RunRecord(self._home, plan.api_url)
        supervisor = Supervisor(
            plan.parts, home=self._home, audience=self._board, record=record, limits=limits, migration=plan.migration
        )
        self._supervisor = supervisor
        for keeper in supervisor.workers:
            keeper.forgiving = self._options.reload
        if await self._unless_asked(supervisor.start()):
            self._say_ready(self._home, plan)
            await self._unless_asked(self._while_running(supervisor, limits))

    async def _while_running(self, supervisor: Supervisor, limits: Limits) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(supervisor.watch())
            if self._options.reload:
                tasks.create_task(reload_workers(supervisor.workers, self._board, limits.stop_seconds))

    async def _unless_asked(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do the work until it is done or this process is asked to stop; whether it was done."""
        doing = asyncio.create_task(work)
        asking = asyncio.create_task(self._asked.wait())
        await asyncio.wait({doing, asking}, return_when=asyncio.FIRST_COMPLETED)
        asking.cancel()
        if doing.done():
            doing.result()
            return not self._asked.is_set()
        doing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await doing
        return False

    def _say_ready(self, home: Home, plan: Plan) -> None:
        self._board.say(f"ready in {self._board.seconds:.1f} s")
        if plan.api_url is not None:
            own = self._settings.api.api_key is None
            self._board.say(f"API  {plan.api_url}")
            self._board.say(f"key  {home.api_key_file if own else 'the one of MUTIRAO_API_KEY'}")
            if self._welcome is not None:
                threading.Thread(target=self._welcome, name="welcome", daemon=True).start()
