"""A worker process: what it is made of, and the loop its jobs run in.

Celery's consumer has the main thread; jobs have an asyncio loop in a thread of its own; the lease has a third.
"""

import asyncio
import os
import signal
import socket
import threading
from dataclasses import asdict
from uuid import UUID

import uvloop
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from mutirao.catalogue import Catalogue, WorkflowEntry
from mutirao.db import Database
from mutirao.db.revision import HEAD
from mutirao.logs import logger
from mutirao.settings import Settings
from mutirao.workers import WorkerStore
from mutirao_agents.discovery import Found
from mutirao_agents.workflows import Workflow

from mutirao_workers.app import queues
from mutirao_workers.intake import Intake
from mutirao_workers.parts import KIND, Identity, Parts
from mutirao_workers.saver import Pool, open_pool
from mutirao_workers.succession import succeed

_log = logger("worker")
_CHECKPOINT_CONNECTIONS = 12


class WorkerHost:
    """The jobs' side of a worker process; its methods are called from the main thread."""

    def __init__(self, settings: Settings, found: Found) -> None:
        self.settings = settings
        self.found = found
        self.ready = threading.Event()
        self.failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._intake: Intake | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run_thread, name="jobs", daemon=True)

    def start(self) -> None:
        """Start the thread and wait until the worker is registered. Raises what kept it from that."""
        self._thread.start()
        self.ready.wait()
        if self.failure is not None:
            raise self.failure

    def hint(self, job_id: UUID) -> None:
        """A job may be claimed. Returns at once."""
        if self._loop is not None and self._intake is not None:
            self._loop.call_soon_threadsafe(self._intake.hint, job_id)

    def stop(self) -> None:
        """Take no more jobs, let steps end for a while, hand back what still runs; returns when all that is done."""
        if not self.ready.is_set():
            return  # it has not taken a job yet, and its thread ends with the process
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run_thread(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._run())
        except BaseException as error:  # noqa: BLE001 (carried to the main thread, which ends the process with it)
            self.failure = error
            _log.error("worker.failed", exc_info=error)
            if self.ready.is_set():
                # The consumer must not go on without its jobs' side: this process ends, and whoever started it sees it.
                os.kill(os.getpid(), signal.SIGTERM)
        finally:
            self.ready.set()

    async def _run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        stack = self.settings.stack
        assert stack.database_url is not None
        db = Database(stack.database_url.get_secret_value())
        pool = open_pool(db.url, _CHECKPOINT_CONNECTIONS)
        try:
            await db.wait_for_schema(HEAD, stack.part_start_seconds)
            await pool.open()
            await prepare_checkpoints(pool)
            while not self._stopping.is_set():
                await self._serve(db, pool)
        finally:
            await pool.close()
            await db.close()

    async def _serve(self, db: Database, pool: Pool) -> None:
        """Serve under one lease until it is lost or the worker stops."""
        assert self._stopping is not None
        me = Identity.of(self.settings)
        await self._register(db, me)
        parts = Parts.build(self.settings, db, pool, self.found, me)
        self._intake = parts.intake
        await parts.start()
        self.ready.set()
        _log.info("worker.ready", name=me.name, workflows=sorted(self.found.workflows))
        lost = True  # unless it ends well: after a bug nothing more may be written
        try:
            lost = await parts.run(self._stopping)
            _log.info("worker.draining", name=me.name, lost=lost, running=parts.executor.running)
        finally:
            await parts.stop(lost, self.settings.worker.drain_seconds)
        if not lost:
            await WorkerStore(db).stop(me.id)

    async def _register(self, db: Database, me: Identity) -> None:
        worker = self.settings.worker
        await succeed(WorkerStore(db), me.name, seconds=2 * worker.lease_seconds)
        await WorkerStore(db).register(
            me.id,
            name=me.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            kind=KIND,
            queues=queues(self.settings),
            slots=worker.worker_slots,
            lease_seconds=worker.lease_seconds,
            load_errors=[asdict(error) for error in self.found.errors],
        )
        await Catalogue(db).publish(me.id, [entry_of(workflow) for workflow in self.found.workflows.values()])


async def prepare_checkpoints(pool: Pool) -> None:
    """Create or upgrade LangGraph's own tables; one process at a time."""
    async with pool.connection() as connection:
        await connection.execute("SELECT pg_advisory_lock(7203662)")
        try:
            await AsyncPostgresSaver(connection).setup()
        finally:
            await connection.execute("SELECT pg_advisory_unlock(7203662)")


def entry_of(workflow: Workflow) -> WorkflowEntry:
    """A workflow as the catalogue keeps it."""
    return WorkflowEntry(
        name=workflow.name,
        version=workflow.version,
        description=workflow.description,
        queue=workflow.queue,
        kind=workflow.kind.value,
        input_schema=workflow.input_schema,
        output_schema=workflow.output_schema,
        graph=workflow.shape,
    )
