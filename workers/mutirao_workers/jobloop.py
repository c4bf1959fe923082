"""The asyncio loop of a child: knows which job each task and each started program belongs to."""

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Coroutine, Generator
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import psutil
import uvloop
from mutirao.stack.identity import descendants, kill_each

_LOOK_SECONDS = 0.02
OWNER: contextvars.ContextVar[UUID | None] = contextvars.ContextVar("mutirao_owner", default=None)
"""The job whose code runs; set by whoever starts an attempt, inherited by every task."""


class JobLoop(uvloop.Loop):
    """uvloop that remembers owners. Costs a dictionary entry a task."""

    def __init__(self) -> None:
        super().__init__()
        self._owners: WeakKeyDictionary[asyncio.Task[Any], UUID] = WeakKeyDictionary()
        self._processes: dict[UUID, list[psutil.Process]] = {}
        self._threads: dict[UUID, set[_Call]] = {}
        self.set_task_factory(_owned_task)

    def owner(self, task: "asyncio.Task[Any] | None") -> UUID | None:
        """The job a task belongs to; None for the worker's own. May be called from any thread."""
        return self._owners.get(task) if task is not None else None

    def own(self, task: "asyncio.Task[Any]", job_id: UUID) -> None:
        """Remember whose task it is."""
        self._owners[task] = job_id

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        """As the base class; the program belongs to the running job."""
        return self._kept(await super().subprocess_exec(*args, **kwargs))

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        """As the base class; the program belongs to the running job."""
        return self._kept(await super().subprocess_shell(*args, **kwargs))

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override] # any callable
        """As the base class; the thread's work belongs to the running job until it is over, however its future ends."""
        job = OWNER.get()
        if job is None:
            return super().run_in_executor(executor, func, *args)
        call = _Call(lambda: func(*args), lambda: self.call_soon_threadsafe(self._call_over, job, call))
        self._threads.setdefault(job, set()).add(call)
        future: Any = super().run_in_executor(executor, call.run)
        future.add_done_callback(lambda _: None if call.began else self._call_over(job, call))
        return future

    async def silence(self, job_id: UUID, *, but: "asyncio.Task[Any] | None" = None) -> None:
        """Stop all that a job has going on here: its programs are killed, its tasks but one cancelled, its threads, which
        nobody can stop, waited for."""
        self.end_processes_of(job_id)
        while tasks := [task for task in self._owned(job_id) if task is not but]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_LOOK_SECONDS)
        while self._threads.get(job_id):  # noqa: ASYNC110 (only a cut looks, and its caller has a deadline)
            await asyncio.sleep(_LOOK_SECONDS)
        self.end_processes_of(job_id)

    def end_processes_of(self, job_id: UUID) -> None:
        """Kill the programs that steps of a job have started and left running, with all below them."""
        for process in self._processes.pop(job_id, ()):
            if process.is_running():
                kill_each([process, *descendants(process.pid)])

    def _owned(self, job_id: UUID) -> list["asyncio.Task[Any]"]:
        return [task for task, owner in list(self._owners.items()) if owner == job_id and not task.done()]

    def _call_over(self, job_id: UUID, call: "_Call") -> None:
        calls = self._threads.get(job_id, set())
        calls.discard(call)
        if not calls:
            self._threads.pop(job_id, None)

    def _kept(self, made: Any) -> Any:
        if (job := OWNER.get()) is not None:
            mine = [process for process in self._processes.get(job, ()) if process.is_running()]
            try:
                self._processes[job] = [*mine, psutil.Process(made[0].get_pid())]
            except psutil.Error:
                return made
        return made


class _Call:
    """Work of a thread; `began` once a thread has it."""

    def __init__(self, work: Callable[[], Any], over: Callable[[], Any]) -> None:
        self.began = False
        self._work = work
        self._over = over

    def run(self) -> Any:
        self.began = True
        try:
            return self._work()
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._over()


def _owned_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **options: Any
) -> "asyncio.Task[Any]":
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    context = options.get("context")
    job = context.get(OWNER) if context is not None else OWNER.get()
    if job is not None:
        assert isinstance(loop, JobLoop)
        loop.own(task, job)
    return task
