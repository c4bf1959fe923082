"""What a worker process is made of, put together in one place."""

import asyncio
import socket
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from mutirao.db import Database
from mutirao.db.notices import Notices
from mutirao.errors import PartFailed
from mutirao.ids import new_id
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.leftovers import Leftovers
from mutirao.jobs.store import CANCELS_CHANNEL, WORK_CHANNEL
from mutirao.logs import logger
from mutirao.queries import sweep
from mutirao.schedules import ScheduleStore
from mutirao.settings import Settings

from mutirao_workers.app import queues
from mutirao_workers.apps import Apps
from mutirao_workers.intake import Intake
from mutirao_workers.lease import Lease
from mutirao_workers.nursery import Nursery
from mutirao_workers.processes import ProcessExecutor
from mutirao_workers.readers import Readers
from mutirao_workers.reconciler import Reconciler
from mutirao_workers.sending import Sender
from mutirao_workers.strays import Strays

_log = logger("lease")
_CLAIM_SECONDS = 3.0
_LOOK_SECONDS = 0.25
KIND = "shared"  # and exclusive: every worker has both kinds of slots


@dataclass(frozen=True)
class Identity:
    """What a worker process is called: `name` outlives the process, `id` does not."""

    id: UUID
    name: str

    @classmethod
    def of(cls, settings: Settings) -> "Identity":
        return cls(new_id(), worker_name(settings))


def worker_name(settings: Settings) -> str:
    """The name a worker keeps from process to process."""
    return settings.worker.worker_name or f"{socket.gethostname()}-{queues(settings)[0]}"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a worker process under one lease. Built, started and stopped inside the loop that runs its jobs."""

    lease: Lease
    lost: asyncio.Event
    executor: ProcessExecutor
    requests: Notices
    work: Notices
    intake: Intake
    reconciler: Reconciler
    sender: Sender
    strays: Strays
    readers: Readers
    apps: Apps

    @classmethod
    def build(cls, settings: Settings, db: Database, nursery: Nursery, me: Identity) -> "Parts":
        """Wire them by the settings."""
        worker = settings.worker
        loop, lost = asyncio.get_running_loop(), asyncio.Event()

        def on_lost() -> None:
            loop.call_soon_threadsafe(lost.set)

        claims = ClaimStore(db, version_grace_seconds=worker.version_grace_seconds)
        executor = ProcessExecutor(nursery, claims, worker, lambda: intake.slot_free())  # noqa: PLW0108 (made below)
        intake = Intake(claims, executor, me, queues(settings), worker.poll_seconds)
        schedules = ScheduleStore(db, attempts=worker.attempts)
        requests = Notices(db.url, CANCELS_CHANNEL)
        leftovers = Leftovers(db, settings.retention.keep_ephemeral_seconds)
        return cls(
            lease=Lease(db.url, me.id, worker.lease_seconds, on_lost),
            lost=lost,
            executor=executor,
            requests=requests,
            work=Notices(db.url, WORK_CHANNEL, beside=requests),
            intake=intake,
            reconciler=Reconciler(
                db, claims, on_queued=intake.look, also=[schedules.fire, leftovers.clear, partial(sweep, db)]
            ),
            sender=Sender(db, settings, beside=requests),
            strays=Strays(claims, executor, me.id),
            readers=Readers(db, nursery, me.id, beside=requests),
            apps=Apps(db, nursery, me.id, worker.app_host),
        )

    async def start(self) -> None:
        """Begin the heartbeat and listening."""
        self.lease.start()
        await self.requests.start()
        await self.work.start()

    async def run(self, stopping: asyncio.Event, broken: asyncio.Event) -> bool:
        """Take jobs until `stopping` is set or the lease is lost; says whether it is lost. `broken`: nothing can run here
        any more, which ends it as a bug does."""
        intake = asyncio.create_task(self.intake.run())
        tasks = [
            asyncio.create_task(part)
            for part in (
                self.intake.watch_requests(self.requests),
                self.intake.watch_work(self.work),
                self.executor.homes.watch(),
                self.reconciler.run(),
                self.sender.run(),
                self.strays.run(),
                self.readers.run(),
                self.apps.run(),
                self._watch_lease(),
                self.lost.wait(),
                stopping.wait(),
                _raise_when(broken),
            )
        ]
        tasks.append(intake)
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self.intake.leave()
        if not self.lost.is_set():
            # What a claim on its way brings is begun, and handed over with the rest.
            await asyncio.wait([intake], timeout=_CLAIM_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()  # a bug in a part ends the worker rather than leaving it deaf
        return self.lost.is_set()

    async def stop(self, lost: bool, drain_seconds: float) -> None:
        """End: hand every job over, at its next step boundary within `drain_seconds`, else at once; when the lease is
        lost, end them all and write nothing."""
        # The drain may take long; a job can be cancelled meanwhile.
        watcher = asyncio.create_task(self.intake.watch_requests(self.requests))
        if not lost:
            await self._hand_over(drain_seconds)
        if lost or self.lost.is_set():
            await self.executor.kill_all()
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        await self.requests.stop()
        await self.work.stop()
        self.lease.stop()

    async def _hand_over(self, drain_seconds: float) -> None:
        """Stop all attempts; return also when the lease is lost meanwhile, with some of them still there."""
        leaving = asyncio.create_task(self.executor.stop_all(drain_seconds))
        gone = [asyncio.create_task(self.lost.wait()), asyncio.create_task(self._watch_lease())]
        await asyncio.wait([leaving, *gone], return_when=asyncio.FIRST_COMPLETED)
        for task in (leaving, *gone):
            task.cancel()
        await asyncio.gather(leaving, *gone, return_exceptions=True)

    async def _watch_lease(self) -> None:
        """Return when the lease has run out without the heartbeat's saying so: it hangs."""
        while not self.lease.overdue:  # noqa: ASYNC110 (time passing is what it waits for)
            await asyncio.sleep(_LOOK_SECONDS)
        if not self.lost.is_set():
            _log.error("lease.lost", why="no heartbeat came through for a whole lease")
            self.lost.set()


async def _raise_when(broken: asyncio.Event) -> None:
    await broken.wait()
    raise PartFailed("the process that children are forked from is gone")
