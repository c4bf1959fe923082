"""Runs of threads in the database, without any process."""

from typing import Any
from uuid import UUID

from mutirao.ids import new_id
from mutirao.jobs.approvals import ApprovalStore, Question
from mutirao.jobs.records import Claim, Job, RunOptions, Submission
from mutirao.jobs.runs import RunStore
from mutirao.jobs.states import JobState
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.stores import Stores, submission


class Lab:
    """The stores of a test, and the verbs on runs without any process."""

    def __init__(self, store: Stores) -> None:
        self.store = store
        self.runs = RunStore(store.db)
        self.approvals = ApprovalStore(store.db)

    def submission(
        self, thread: UUID | None, *, delay: float = 0, ephemeral: bool = False, **options: Any
    ) -> Submission:
        fields: dict[str, Any] = {"run": RunOptions(**options), "created_by": "key:test", "delay_seconds": delay}
        return submission(self.store.project, thread_id=thread, ephemeral=ephemeral, **fields)

    async def run(self, thread: UUID | None = None, **options: Any) -> Job:
        """A run, in a thread that is made where it is not there yet."""
        return await self.runs.accept(self.submission(thread, **options), create_thread=True)

    async def due(self, job: Job) -> None:
        """Let the time of a run that is to begin later have come."""
        await self.store.run("UPDATE jobs SET available_at = now() WHERE id = :id", id=job.id)

    async def claim(self, job: Job) -> Claim:
        """The run, begun by a new worker."""
        [claim] = await self.store.take(await self.store.worker(f"w-{job.id}"), ids=[job.id])
        return claim

    async def claims(self, job: Job) -> bool:
        """Whether a worker that may begin the run got it."""
        return bool(await self.store.take(await self.store.worker(f"w-{new_id()}"), ids=[job.id]))

    async def ask(self, claim: Claim, *interrupts: str, **terms: Any) -> None:
        """Pause the run for these questions."""
        fields: dict[str, Any] = {"request": "?", **terms}
        questions = [Question(id=new_id(), interrupt_id=name, task_id=name, **fields) for name in interrupts]

        async def also(connection: AsyncConnection) -> None:
            await self.approvals.open(connection, claim, questions)

        await self.store.claims.hold(claim, JobState.PAUSED, "approval", also=also)

    async def asked(self, job: Job) -> list[tuple[str, Any]]:
        """State and decision of each of its questions."""
        found = await self.approvals.of_job(self.store.project, job.id)
        return [(approval.state.value, approval.decision) for approval in found]
