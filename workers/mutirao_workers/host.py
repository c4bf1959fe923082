"""A worker process: what it is made of, and the loop its jobs run in.

Celery's consumer has the main thread; claims and children have an asyncio loop in a thread of its own; the lease has a
third. No code of users runs here: it cannot take the lease, the cancels or the other jobs with it.
"""

import asyncio
import os
import signal
import socket
import threading
from uuid import UUID

import uvloop
from mutirao.catalogue import Catalogue, WorkflowEntry
from mutirao.db import Database
from mutirao.db.engine import connection_lost
from mutirao.db.revision import HEAD
from mutirao.errors import PartFailed, Unavailable
from mutirao.jobs.checkpoints import checkpoint_version
from mutirao.jobs.claims import ClaimStore
from mutirao.logs import logger
from mutirao.settings import Settings
from mutirao.thread_ttl import give_ttl
from mutirao.workers import WorkerStore
from sqlalchemy.exc import SQLAlchemyError

from mutirao_workers.app import queues
from mutirao_workers.intake import Intake
from mutirao_workers.nursery import CARE, PREPARE, Nursery
from mutirao_workers.parts import KIND, Identity, Parts, worker_name
from mutirao_workers.succession import succeed

_log = logger("worker")
_CARE_SECONDS = 600.0
_PAUSE_SECONDS = 0.5
_LEAVE_SECONDS = 3.0
_CONNECTIONS = 5  # of the main process; children have their own


class WorkerHost:
    """The jobs' side of a worker process; its methods are called from the main thread."""

    def __init__(self, settings: Settings, nursery: Nursery) -> None:
        self.settings = settings
        self.ready = threading.Event()
        self.failure: BaseException | None = None
        self._nursery = nursery
        self._loop: asyncio.AbstractEventLoop | None = None
        self._intake: Intake | None = None
        self._stopping: asyncio.Event | None = None
        self._registering = False
        self._thread = threading.Thread(target=self._run_thread, name="jobs", daemon=True)

    def start(self) -> None:
        """Start the thread, and wait until the worker is registered. Raises what kept it from that."""
        self._thread.start()
        self.ready.wait()
        if self.failure is not None:
            raise self.failure

    def hint(self, job_id: UUID) -> None:
        """A job may be claimed. Returns at once."""
        if self._loop is not None and self._intake is not None:
            self._loop.call_soon_threadsafe(self._intake.hint, job_id)

    def give_up(self) -> None:
        """Celery's consumer is of no more use: hand everything over and end with a failure. May be called from any
        thread."""
        self.failure = self.failure or PartFailed("Celery has stopped consuming while its broker answers")
        os.kill(os.getpid(), signal.SIGTERM)

    def stop(self) -> None:
        """Take no more jobs, let steps end for a while, hand back what still runs; returns when all that is done."""
        if not self.ready.is_set():
            if self._registering and self._loop is not None and self._stopping is not None:
                self._loop.call_soon_threadsafe(self._stopping.set)
                self._thread.join(timeout=_LEAVE_SECONDS)  # so that its row does not outlive it
            self._nursery.abandon()  # it has not taken a job yet, and its thread ends with the process
            return
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._nursery.reap()

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
        lease_seconds = self.settings.worker.lease_seconds
        db = Database(stack.database_url.get_secret_value(), pool_size=_CONNECTIONS, idle_seconds=lease_seconds)
        try:
            await db.wait_for_schema(HEAD, stack.part_start_seconds)
            await asyncio.gather(self._nursery.attend(), self._succeed(db))
            for error in self._nursery.load_errors:
                say = _log.warning if error["level"] == "warning" else _log.error
                say("worker.load_error", source=error["source"], error=error["message"])
            await self._prepare_checkpoints(db)
            care = asyncio.create_task(self._care(db))
            while not self._stopping.is_set():
                await self._serve_again(db)
            care.cancel()
        finally:
            await self._nursery.close()
            await db.close()

    async def _succeed(self, db: Database) -> None:
        """Take the jobs of a dead predecessor from it; the project is loaded meanwhile."""
        await succeed(WorkerStore(db), worker_name(self.settings), seconds=2 * self.settings.worker.lease_seconds)
        await ClaimStore(db, version_grace_seconds=self.settings.worker.version_grace_seconds).reconcile()

    async def _prepare_checkpoints(self, db: Database) -> None:
        if await checkpoint_version(db) >= self._nursery.checkpoint_version:
            return
        if code := await self._nursery.errand(PREPARE):
            raise Unavailable(f"the checkpoint tables could not be created (exit code {code}); the log says why")

    async def _care(self, db: Database) -> None:
        """Delete what is due now and then, until cancelled."""
        while True:
            await self._give_ttl(db)
            if code := await self._nursery.errand(CARE):
                _log.warning("worker.care_failed", exit_code=code)
            await asyncio.sleep(_CARE_SECONDS)

    async def _give_ttl(self, db: Database) -> None:
        """Threads of the project's graphs live as long as its `langgraph.json` says."""
        if not (ttl := self._nursery.brings.get("thread_ttl")):
            return
        workflows = [str(entry["name"]) for entry in self._nursery.entries]
        try:
            await give_ttl(db, workflows, ttl["default_ttl"], ttl["strategy"])
        except (SQLAlchemyError, OSError) as error:
            _log.warning("worker.database_error", error=str(error))

    async def _serve_again(self, db: Database) -> None:
        """Serve; when the database went away, return after a while, to begin anew."""
        try:
            await self._serve(db)
        except (SQLAlchemyError, OSError) as error:
            if not (self.ready.is_set() and connection_lost(error)):
                raise
            _log.warning("worker.database_error", error=str(error), pause_seconds=_PAUSE_SECONDS)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _serve(self, db: Database) -> None:
        """Serve under one lease until it is lost or the worker stops."""
        assert self._stopping is not None
        me = Identity.of(self.settings)
        parts = Parts.build(self.settings, db, self._nursery, me)
        parts.executor.homes.prepare()
        self._registering = True
        try:
            await self._register(db, me)
        except BaseException:
            await parts.executor.kill_all()  # it is tried again, with children of its own
            raise
        self._intake = parts.intake
        await parts.start()
        self.ready.set()
        _log.info("worker.ready", name=me.name, workflows=sorted(entry["name"] for entry in self._nursery.entries))
        lost = True  # unless it ends well: after a bug nothing more may be written
        try:
            lost = await parts.run(self._stopping, self._nursery.died)
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
            slots=worker.worker_slots + worker.exclusive_slots,
            lease_seconds=worker.lease_seconds,
            load_errors=self._nursery.load_errors,
            brings=self._nursery.brings,
        )
        await Catalogue(db).publish(me.id, [WorkflowEntry.model_validate(entry) for entry in self._nursery.entries])
