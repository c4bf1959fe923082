"""Attempts in the test's own process: the real runner, contexts and stores, without Celery and without an API."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy
from mutirao.jobs.records import Claim, Event, Job
from mutirao.settings import ModelSettings, Settings, StackSettings, WorkerSettings
from mutirao_agents import Workflow, workflow
from mutirao_workers.attempt import Attempt, Stop
from mutirao_workers.checkpoint_tables import prepare_checkpoints
from mutirao_workers.contexts import Contexts
from mutirao_workers.journal import Journal
from mutirao_workers.runner import Runner
from mutirao_workers.saver import Pool, open_pool
from typing_extensions import TypedDict

from tests.stores import WORKFLOW, Stores, stores


class State(TypedDict, total=False):
    """The state of the graphs that `Attempts.step` makes."""

    x: Any


class Attempts:
    """Runs attempts of workflows that tests define."""

    def __init__(self, store: Stores, pool: Pool, journal: Journal, contexts: Contexts) -> None:
        self.store = store
        self.journal = journal
        self.contexts = contexts
        self.workflows: dict[str, Workflow] = {}
        self.served = {WORKFLOW}
        self._pool = pool
        self._workers = 0

    def steps(self, *nodes: Callable[..., Any], name: str = WORKFLOW, retry: RetryPolicy | None = None) -> None:
        """Serve a workflow of these steps, one after another, each named as its function."""

        @workflow(name=name, version="1")
        def build() -> StateGraph[Any]:
            graph = StateGraph(State)
            before = START
            for node in nodes:
                graph.add_node(node.__name__, node, retry_policy=retry)
                graph.add_edge(before, node.__name__)
                before = node.__name__
            graph.add_edge(before, END)
            return graph

        self.workflows[name] = build

    async def claim(self, job_id: UUID) -> Claim:
        """The job, claimed by a new worker that serves every workflow of the test."""
        self._workers += 1
        worker = await self.store.worker(f"w{self._workers}", workflows=sorted({*self.workflows, *self.served}))
        claims = await self.store.take(worker, ids=[job_id])
        assert claims, f"nothing to claim: {await self.store.get(job_id)}"
        return claims[0]

    async def run(self, job_id: UUID) -> Job:
        """One attempt at the job, to its end; the job as it is then."""
        await self.runner().run(Attempt(await self.claim(job_id)))
        return await self.store.get(job_id)

    async def crash(self, job_id: UUID, at: asyncio.Event) -> None:
        """An attempt whose worker vanishes as soon as `at` is set; the job is queued again."""
        claim = await self.claim(job_id)
        attempt = Attempt(claim)
        attempt.task = asyncio.create_task(self.runner().run(attempt))
        async with asyncio.timeout(20):
            reached = asyncio.create_task(at.wait())
            await asyncio.wait([reached, attempt.task], return_when=asyncio.FIRST_COMPLETED)
        assert at.is_set(), f"the attempt ended before: {await self.store.get(job_id)}"
        await self.journal._flush()  # what it has told is not lost with it: tests read it
        [[worker]] = await self.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=job_id)
        async with asyncio.timeout(20):  # while its journal is being written it is passed over
            while not await self.store.lose(worker):
                await asyncio.sleep(0.01)
        attempt.stop(Stop.LOST)
        await attempt.task

    async def events(self, job_id: UUID, kind: str) -> list[Event]:
        """The job's events of a type."""
        return [event for event in await self.store.events(job_id) if event.type == kind]

    def runner(self) -> Runner:
        """A runner of the workflows there are now."""
        return Runner(
            claims=self.store.claims,
            journal=self.journal,
            pool=self._pool,
            workflows=self.workflows,
            context=self.contexts,
            prices=self.contexts.prices,
            steps_spent=self.contexts.step,
        )


@asynccontextmanager
async def attempts(
    database_url: str, folder: Path, *, model: ModelSettings, worker: WorkerSettings
) -> AsyncIterator[Attempts]:
    """What runs attempts, on the test module's database."""
    settings = Settings(stack=StackSettings(home=folder), model=model, worker=worker)
    pool = open_pool(database_url, 4)
    await pool.open()
    try:
        await prepare_checkpoints(pool)
        async with stores(database_url) as store:
            journal = Journal(store.claims, 0.01)
            journal.start()
            contexts = Contexts(settings, store.db, store.claims)
            try:
                yield Attempts(store, pool, journal, contexts)
            finally:
                await contexts.close()
                await journal.stop()
    finally:
        await pool.close()
