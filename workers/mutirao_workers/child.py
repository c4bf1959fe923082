"""A forked child of a worker: the only kind of process in which users' code runs.

A `shared` child runs many attempts in one asyncio loop; an `exclusive` child one after another, and is killed when
one must end that cannot be stopped otherwise. What it is told and what it tells, line by line:

    start {claim}                  begin an attempt
    stop {job, reason, soft}       end it; `soft`: at its next step boundary
    ping {}                        pong {}
                                   ready {}                               connected, and listening
                                   ended {job}                            its end is written, by this process
                                   crashed {job, why}                     it ended by a bug, and nothing is written
                                   unwound {job}                          its steps are stopped; the end is being written
                                   forced {job, state, error, events}     must end so: kill this process, write that
                                   blocked {job, step, seconds, where}    a step does not give the loop back
"""

import asyncio
import os
import signal
import socket
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

from mutirao.artifacts import FolderBlobs
from mutirao.db import Database
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.states import JobState
from mutirao.logs import logger
from mutirao.settings import Settings
from mutirao_agents.discovery import Found
from mutirao_agents.workflows import Kind

from mutirao_workers.app_server import AppServer
from mutirao_workers.attempt import Attempt
from mutirao_workers.caretaker import care
from mutirao_workers.checkpoint_tables import prepare_checkpoints
from mutirao_workers.contexts import Contexts
from mutirao_workers.executor import SharedExecutor
from mutirao_workers.frames import Link, Message
from mutirao_workers.jobloop import JobLoop
from mutirao_workers.journal import Journal
from mutirao_workers.nursery import APP, CARE, PREPARE, READER
from mutirao_workers.project_store import ProjectStores
from mutirao_workers.reader import Reader
from mutirao_workers.runner import Runner
from mutirao_workers.saver import Pool, open_pool
from mutirao_workers.stops import Stop
from mutirao_workers.watchdog import LoopWatchdog

_log = logger("child")
_LOOK_SECONDS = 0.01
# Connections of a child: for the journal and what else is short, and for checkpoints.
_CONNECTIONS = {Kind.SHARED: (12, 12), Kind.EXCLUSIVE: (3, 3)}


def run_child(sock: socket.socket, kind: str, settings: Settings, found: Found) -> int:
    """Be a child until the other side hangs up; the process's exit code."""
    with asyncio.Runner(loop_factory=JobLoop) as runner:
        if errand := _ERRANDS.get(kind):
            return runner.run(errand(settings))
        if kind == READER:
            return runner.run(Reader(settings, found).run(sock))
        if kind == APP:
            return runner.run(AppServer(settings, found).run(sock))
        return runner.run(Child(Kind(kind), settings, found).run(sock))


async def _prepare(settings: Settings) -> int:
    assert settings.stack.database_url is not None
    async with open_pool(settings.stack.database_url.get_secret_value(), 1) as pool:
        await prepare_checkpoints(pool)
    return 0


async def _care(settings: Settings) -> int:
    assert settings.stack.database_url is not None
    db = Database(settings.stack.database_url.get_secret_value(), pool_size=1)
    try:
        await care(db, FolderBlobs(settings.stack.artifacts_path), settings)
    finally:
        await db.close()
    return 0


_ERRANDS = {PREPARE: _prepare, CARE: _care}


def _job_loop() -> JobLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JobLoop)
    return loop


class Child:
    """Runs attempts on the word of the main process."""

    def __init__(self, kind: Kind, settings: Settings, found: Found) -> None:
        self._kind = kind
        self._settings = settings
        self._found = found
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, sock: socket.socket) -> int:
        """Obey until the other side hangs up. Then nothing may go on: a leaving worker has stopped all attempts before,
        and one that is gone cannot be asked."""
        self._link = await Link.open(sock)
        assert self._settings.stack.database_url is not None
        short, checkpoints = _CONNECTIONS[self._kind]
        db = Database(
            self._settings.stack.database_url.get_secret_value(),
            pool_size=short,
            idle_seconds=self._settings.worker.lease_seconds,
            plan_once=True,
        )
        pool = open_pool(
            db.url,
            checkpoints,
            pipeline=self._settings.stack.database_pipeline,
            longest_seconds=self._settings.worker.lease_seconds,
        )
        await pool.open(wait=False)
        watchdog = self._watchdog()
        self._build(db, pool)
        self._journal.start()
        self._link.say(op="ready")
        async for message in self._link.heard():
            self._obey(message)
        if self._executor.running:
            os.killpg(0, signal.SIGKILL)
        watchdog.stop()
        await self._journal.stop()
        await self._contexts.close()
        await pool.close()
        await db.close()
        return 0

    def _build(self, db: Database, pool: Pool) -> None:
        claims = ClaimStore(db)
        self._journal = Journal(claims, self._settings.worker.event_flush_seconds, lambda: self._executor.running)
        self._contexts = Contexts(self._settings, db, claims)
        stores = ProjectStores(self._contexts.home, self._found.extras)
        runner = Runner(
            claims=claims,
            journal=self._journal,
            pool=pool,
            workflows=self._found.workflows,
            context=self._contexts,
            prices=self._contexts.prices,
            steps_spent=self._contexts.step,
            silence=self._silence if self._kind is Kind.SHARED else None,
            forced=self._forced if self._kind is Kind.EXCLUSIVE else None,
            most_stream_bytes=self._settings.worker.max_stream_bytes,
            store=lambda claim: stores.of(claim.project_id, claim),
        )
        self._executor = SharedExecutor(runner, self._settings.worker.worker_slots, self._ended)

    def _watchdog(self) -> LoopWatchdog:
        watchdog = LoopWatchdog(_job_loop(), self._settings.worker.blocked_seconds, self._blocked)
        if self._kind is Kind.SHARED:
            watchdog.start()
        return watchdog

    def _obey(self, message: Message) -> None:
        match message["op"]:
            case "ping":
                self._link.say(op="pong")
            case "start":
                self._executor.start(Claim.model_validate(message["claim"]))
            case "stop":
                job, reason = UUID(message["job"]), Stop[message["reason"]]
                self._executor.stop(job, reason, soft=message.get("soft", False))
                if attempt := self._executor.attempt(job):
                    self._spawn(self._tell_unwound(attempt))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_unwound(self, attempt: Attempt) -> None:
        while attempt.streaming or attempt.silencing:  # noqa: ASYNC110 (a flag of the runner; only a stop looks at it, and not for long)
            await asyncio.sleep(_LOOK_SECONDS)
        self._link.say(op="unwound", job=str(attempt.claim.job_id))

    async def _silence(self, claim: Claim) -> None:
        await _job_loop().silence(claim.job_id, but=asyncio.current_task())

    def _ended(self, claim: Claim, error: BaseException | None) -> None:
        _job_loop().end_processes_of(claim.job_id)
        if error is None:
            self._link.say(op="ended", job=str(claim.job_id))
        elif isinstance(error, Exception):
            _log.error("child.attempt_crashed", job=str(claim.job_id), exc_info=error)
            self._link.say(op="crashed", job=str(claim.job_id), why=f"{type(error).__name__}: {error}")
        # Else a step has raised SystemExit, and this process is on its way out: its end says it all.

    async def _forced(self, attempt: Attempt, state: JobState, error: Problem | None, events: list[NewEvent]) -> None:
        self._link.say(
            op="forced",
            job=str(attempt.claim.job_id),
            state=state.value,
            error=error.model_dump() if error else None,
            events=[event.model_dump() for event in events],
        )
        await asyncio.Event().wait()  # this process is killed now

    def _blocked(self, job: UUID | None, seconds: float, where: str) -> None:
        """Called in the watchdog's thread, while the loop is stuck: writes to the socket itself."""
        attempt = self._executor.attempt(job) if job else None
        step = attempt.steps.current if attempt and attempt.steps else None
        self._link.shout(op="blocked", job=str(job) if job else None, step=step, seconds=seconds, where=where)
