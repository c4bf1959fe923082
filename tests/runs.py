"""Runners in the test's own process, on a real database: what tests of attempts begin with."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from langgraph.graph import END, START, StateGraph
from mutirao.ids import new_id
from mutirao.jobs.approvals import Approval, ApprovalStore
from mutirao.jobs.records import Claim, Event, Job
from mutirao_agents import workflow
from mutirao_agents.context import JobContext
from mutirao_agents.testing import test_context as job_context_of
from mutirao_workers.checkpoint_tables import prepare_checkpoints
from mutirao_workers.journal import Journal
from mutirao_workers.runner import Attempt, Runner
from mutirao_workers.saver import Pool, open_pool

from tests.stores import Stores, stores

_prepared: set[str] = set()
Build = Callable[[], "StateGraph[Any]"]


@dataclass
class Runs:
    """Runs attempts of jobs of the workflow `flow`, which each call may define anew."""

    store: Stores
    journal: Journal
    pool: Pool
    approvals: ApprovalStore
    attempts: list[Attempt] = field(default_factory=list)

    def runner(self, build: Build, **more: Any) -> Runner:
        """A runner that serves the workflow."""

        def context(claim: Claim, emit: Any) -> JobContext:
            return job_context_of(emit=emit)

        served = {"flow": workflow(name="flow", version="1")(build)}
        return Runner(
            claims=self.store.claims, journal=self.journal, pool=self.pool, workflows=served, context=context, **more
        )

    def begin(self, build: Build, claim: Claim, **more: Any) -> Attempt:
        """Begin an attempt."""
        attempt = Attempt(claim)
        attempt.task = asyncio.create_task(self.runner(build, **more).run(attempt))
        self.attempts.append(attempt)
        return attempt

    async def end(self, attempt: Attempt) -> Job:
        """Wait for an attempt's end; the job then."""
        assert attempt.task is not None
        async with asyncio.timeout(30):
            await attempt.task
        return await self.store.get(attempt.claim.job_id)

    async def run(self, build: Build, claim: Claim | None = None, **more: Any) -> Job:
        """A whole attempt, of a new job unless `claim` says which; the job after it."""
        return await self.end(self.begin(build, claim or await self.store.claimed(), **more))

    async def again(self, job_id: UUID) -> Claim:
        """The next attempt of a job that is queued."""
        [claim] = await self.store.take(await self.store.worker(f"w-{new_id()}"), ids=[job_id])
        return claim

    async def kill(self, attempt: Attempt) -> Claim:
        """The attempt's worker dies where it is; the next attempt."""
        assert attempt.task is not None
        attempt.task.cancel()
        await asyncio.gather(attempt.task, return_exceptions=True)
        [row] = await self.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=attempt.claim.job_id)
        async with asyncio.timeout(20):
            # What is being written at this moment keeps the job's row locked.
            while not await self.store.lose(row.worker_id):
                await asyncio.sleep(0.01)
        return await self.again(attempt.claim.job_id)

    async def asked(self, job_id: UUID) -> list[Approval]:
        """The approvals of a job."""
        return await self.approvals.of_job(self.store.project, job_id)

    async def decide(self, job_id: UUID, *decisions: Any) -> Claim:
        """Decide the job's pending approvals, in order; the next attempt."""
        pending = [approval for approval in await self.asked(job_id) if approval.state == "pending"]
        for approval, decision in zip(pending, decisions, strict=True):
            await self.approvals.decide(self.store.project, approval.id, decision)
        return await self.again(job_id)

    async def events(self, job_id: UUID, prefix: str = "") -> list[Event]:
        """The journal of a job, or the events of it whose type begins so."""
        return [event for event in await self.store.events(job_id) if event.type.startswith(prefix)]


@asynccontextmanager
async def runs(database_url: str) -> AsyncIterator[Runs]:
    """Runs on an empty database. Attempts that a test leaves behind are ended."""
    pool = open_pool(database_url, 3)
    await pool.open()
    try:
        if database_url not in _prepared:
            await prepare_checkpoints(pool)
            _prepared.add(database_url)
        async with stores(database_url) as store:
            journal = Journal(store.claims, 0.01)
            journal.start()
            these = Runs(store, journal, pool, ApprovalStore(store.db))
            yield these
            left = [attempt.task for attempt in these.attempts if attempt.task is not None]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await journal.stop()
    finally:
        await pool.close()


def chain(state: Any, **steps: Any) -> "StateGraph[Any]":
    """A graph of these steps, one after another."""
    graph = StateGraph(state)
    before = START
    for name, step in steps.items():
        graph.add_node(name, step)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)
