"""What a worker process is made of, put together in one place."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mutirao.artifacts import FolderBlobs
from mutirao.db import Database
from mutirao.db.notices import Notices
from mutirao.ids import new_id
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim
from mutirao.jobs.store import CANCELS_CHANNEL
from mutirao.settings import Settings
from mutirao.uploads import Uploads
from mutirao_agents.context import Emit, JobContext
from mutirao_agents.discovery import Found
from mutirao_agents.knowledge.services import KnowledgeServices
from mutirao_agents.models import ChatModels

from mutirao_workers.app import queues
from mutirao_workers.executor import Executor, SharedExecutor
from mutirao_workers.files import JobFiles
from mutirao_workers.intake import Intake
from mutirao_workers.journal import Journal
from mutirao_workers.lease import Lease
from mutirao_workers.reconciler import Reconciler
from mutirao_workers.runner import Runner, Stop
from mutirao_workers.saver import Pool

KIND = "shared"


@dataclass(frozen=True)
class Identity:
    """What a worker process is called: `name` outlives the process, `id` does not."""

    id: UUID
    name: str

    @classmethod
    def of(cls, settings: Settings) -> "Identity":
        return cls(new_id(), settings.worker.worker_name or f"{socket.gethostname()}-{queues(settings)[0]}")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a worker process under one lease. Built, started and stopped inside the loop that runs its jobs."""

    lease: Lease
    lost: asyncio.Event
    journal: Journal
    executor: Executor
    cancels: Notices
    intake: Intake
    reconciler: Reconciler

    @classmethod
    def build(cls, settings: Settings, db: Database, pool: Pool, found: Found, me: Identity) -> "Parts":
        """Wire them by the settings."""
        worker = settings.worker
        loop, lost, slot_free = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

        def on_lost() -> None:
            loop.call_soon_threadsafe(lost.set)

        claims = ClaimStore(db)
        journal = Journal(claims, worker.event_flush_seconds)
        runner = Runner(
            claims=claims,
            journal=journal,
            pool=pool,
            workflows=found.workflows,
            context=contexts(settings, db, claims),
        )
        executor = SharedExecutor(runner, worker.worker_slots, slot_free)
        intake = Intake(claims, executor, slot_free, me, queues(settings), worker.poll_seconds)
        return cls(
            lease=Lease(db.url, me.id, worker.lease_seconds, on_lost),
            lost=lost,
            journal=journal,
            executor=executor,
            cancels=Notices(db.url, CANCELS_CHANNEL),
            intake=intake,
            reconciler=Reconciler(db, claims, on_queued=intake.look),
        )

    async def start(self) -> None:
        """Begin the heartbeat, the journal and listening."""
        self.lease.start()
        self.journal.start()
        await self.cancels.start()

    async def run(self, stopping: asyncio.Event) -> bool:
        """Take jobs until `stopping` is set or the lease is lost; says whether it is lost."""
        tasks = [
            asyncio.create_task(part)
            for part in (
                self.intake.run(),
                self.intake.watch_cancels(self.cancels),
                self.reconciler.run(),
                self.lost.wait(),
                stopping.wait(),
            )
        ]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()  # a bug in a part ends the worker rather than leaving it deaf
        return self.lost.is_set()

    async def stop(self, lost: bool, drain_seconds: float) -> None:
        """End: hand back what still runs after `drain_seconds`; at once, and writing nothing, when the lease is lost."""
        # The drain may take long; a job can be cancelled meanwhile.
        watcher = asyncio.create_task(self.intake.watch_cancels(self.cancels))
        await self.executor.stop_all(Stop.LOST if lost else Stop.HAND_BACK, 0 if lost else drain_seconds)
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        await self.cancels.stop()
        await self.journal.stop()
        self.lease.stop()


def contexts(settings: Settings, db: Database, claims: ClaimStore) -> Callable[[Claim, Emit], JobContext]:
    """What makes the `JobContext` of an attempt; models and knowledge are opened once and shared."""
    blobs = FolderBlobs(settings.stack.artifacts_path)
    uploads = Uploads(db)
    models = ChatModels(settings.model)
    knowledge: Any = KnowledgeServices.open(settings, db, blobs)

    def context(claim: Claim, emit: Emit) -> JobContext:
        return JobContext(
            job_id=claim.job_id,
            project_id=claim.project_id,
            thread_id=claim.thread_id,
            workflow=claim.workflow,
            epoch=claim.epoch,
            settings=settings,
            files=JobFiles(claim, blobs, claims, uploads, emit),
            knowledge=knowledge.of_project(claim.project_id),
            models=models,
            emit=emit,
        )

    return context
