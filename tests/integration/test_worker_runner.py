"""The runner and the journal in one process with a real database: ends that cannot be written, events that are refused."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from langgraph.graph import END, START, StateGraph
from mutirao.db import Database
from mutirao.db.engine import connection_lost
from mutirao.ids import new_id
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.records import Claim, NewEvent
from mutirao.jobs.states import JobState
from mutirao_agents import Workflow, workflow
from mutirao_agents.context import JobContext
from mutirao_agents.testing import test_context as job_context_of
from mutirao_workers import endings
from mutirao_workers.checkpoint_tables import prepare_checkpoints
from mutirao_workers.executor import SharedExecutor
from mutirao_workers.journal import Journal
from mutirao_workers.runner import Attempt, Runner, Stop
from mutirao_workers.saver import Pool, open_pool
from sqlalchemy.engine import make_url
from typing_extensions import TypedDict

from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

ROLE = "claims_only"


class State(TypedDict, total=False):
    x: Any


def flow(step: Any) -> dict[str, Workflow]:
    """A workflow of one step, under the name that `Stores` gives its jobs."""

    @workflow(name="flow", version="1")
    def build() -> StateGraph[Any]:
        graph = StateGraph(State)
        graph.add_node("step", step)
        graph.add_edge(START, "step")
        graph.add_edge("step", END)
        return graph

    return {"flow": build}


@dataclass
class World:
    """A runner whose claims go over connections of a role of their own, which can be shut out."""

    store: Stores
    claims: ClaimStore
    journal: Journal
    pool: Pool
    server: str

    def runner(self, step: Any) -> Runner:
        def context(claim: Claim, emit: Any) -> JobContext:
            return job_context_of(emit=emit)

        return Runner(claims=self.claims, journal=self.journal, pool=self.pool, workflows=flow(step), context=context)

    @contextmanager
    def shut_out(self) -> Iterator[None]:
        """Inside the block claims and journal cannot be written; checkpoints can."""
        with psycopg.connect(self.server, autocommit=True) as admin:
            admin.execute(f"ALTER ROLE {ROLE} NOLOGIN".encode())
            try:
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (ROLE,))
                yield
            finally:
                admin.execute(f"ALTER ROLE {ROLE} LOGIN".encode())


@pytest.fixture
async def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(endings, "_PAUSE_SECONDS", 0.02)
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"DROP ROLE IF EXISTS {ROLE}".encode())
        admin.execute(f"CREATE ROLE {ROLE} LOGIN SUPERUSER PASSWORD 'claims'".encode())
    db = Database(make_url(database_url).set(username=ROLE, password="claims").render_as_string(hide_password=False))
    pool = open_pool(database_url, 4)
    await pool.open()
    try:
        await prepare_checkpoints(pool)
        async with stores(database_url) as store:
            claims = ClaimStore(db)
            journal = Journal(claims, 0.01)
            journal.start()
            yield World(store, claims, journal, pool, database_url)
            await journal.stop()
    finally:
        await pool.close()
        await db.close()
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute(f"DROP ROLE {ROLE}".encode())


async def returns(state: State) -> State:
    return {"x": 1}


async def start(world: World, step: Any) -> tuple[Attempt, "asyncio.Task[None]"]:
    attempt = Attempt(await world.store.claimed())
    attempt.task = asyncio.create_task(world.runner(step).run(attempt))
    return attempt, attempt.task


async def test_an_attempt_runs_to_its_end(world: World) -> None:
    attempt, task = await start(world, returns)
    await task
    job = await world.store.get(attempt.claim.job_id)
    assert (job.state, job.output) == (JobState.SUCCEEDED, {"x": 1})


async def test_an_end_is_written_as_soon_as_the_database_answers_again(world: World) -> None:
    """However long that takes, as long as the worker holds the job."""
    gate = asyncio.Event()

    async def step(state: State) -> State:
        await gate.wait()
        return {"x": 2}

    attempt, task = await start(world, step)
    with world.shut_out():
        gate.set()
        await asyncio.sleep(20 * endings._PAUSE_SECONDS)
        done, _ = await asyncio.wait([task], timeout=1)
        assert not done, "it gave up"
    async with asyncio.timeout(20):
        await task
    job = await world.store.get(attempt.claim.job_id)
    assert (job.state, job.output) == (JobState.SUCCEEDED, {"x": 2})
    events = await world.store.events(job.id)
    assert [event.type for event in events][-2:] == ["step.finished", "job.succeeded"]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize("reason", [Stop.HAND_BACK, Stop.LOST])
async def test_a_worker_that_is_leaving_does_not_wait_for_ever(world: World, reason: Stop) -> None:
    gate = asyncio.Event()

    async def step(state: State) -> State:
        await gate.wait()
        return {"x": 2}

    attempt, task = await start(world, step)
    with world.shut_out():
        gate.set()
        done, _ = await asyncio.wait([task], timeout=0.5)
        assert not done
        attempt.stop(reason)
        async with asyncio.timeout(20):
            await task
    assert (await world.store.get(attempt.claim.job_id)).state is JobState.RUNNING


async def test_an_output_that_the_database_refuses_fails_the_job(world: World) -> None:
    await world.store.run("ALTER TABLE jobs ADD CONSTRAINT never CHECK (NOT coalesce(output ? 'x', false))")
    try:
        attempt, task = await start(world, returns)
        async with asyncio.timeout(20):
            await task
    finally:
        await world.store.run("ALTER TABLE jobs DROP CONSTRAINT never")
    job = await world.store.get(attempt.claim.job_id)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "output_refused"
    assert "never" in job.error.message


async def test_an_event_that_the_database_refuses_keeps_no_other_waiting(world: World) -> None:
    await world.store.run("ALTER TABLE events ADD CONSTRAINT never CHECK (type <> 'poison')")
    try:
        claims = [await world.store.claimed() for _ in range(3)]
        for number in range(30):
            for claim in claims:
                kind = "poison" if claim is claims[0] and number in (0, 7, 29) else "note"
                world.journal.emit(claim, NewEvent(type=kind, data={"n": number}))
        async with asyncio.timeout(20):
            while await world.store.run("SELECT count(*) FROM events WHERE type = 'note'") != [(87,)]:
                await asyncio.sleep(0.02)
    finally:
        await world.store.run("ALTER TABLE events DROP CONSTRAINT never")
    for claim in claims:
        events = await world.store.events(claim.job_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        written = [event.data["n"] for event in events[2:]]
        assert written == [n for n in range(30) if claim is not claims[0] or n not in (0, 7, 29)]


async def test_events_of_an_outage_are_written_after_it_in_order_and_once(world: World) -> None:
    claim = await world.store.claimed()
    with world.shut_out():
        for number in range(50):
            world.journal.emit(claim, NewEvent(type="note", data={"n": number}))
        await asyncio.sleep(2)
        reopened = datetime.now(UTC)
    async with asyncio.timeout(20):
        while len(events := await world.store.events(claim.job_id)) < 52:
            await asyncio.sleep(0.02)
    assert [event.data["n"] for event in events[2:]] == list(range(50))
    # They say when they happened, not when they could be written.
    assert events[-1].at < reopened


async def test_the_end_of_the_loop_is_not_the_end_of_the_job(world: World) -> None:
    """A process that dies cancels every task: that is no reason to fail a job."""

    async def step(state: State) -> State:
        await asyncio.sleep(60)
        return {}

    attempt, task = await start(world, step)
    async with asyncio.timeout(20):
        while not attempt.streaming:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (await world.store.get(attempt.claim.job_id)).state is JobState.RUNNING


async def test_a_cancel_before_the_first_step_counts(world: World) -> None:
    ran = []

    async def step(state: State) -> State:
        ran.append(state)
        return {}

    executor = SharedExecutor(world.runner(step), 5, lambda claim, error: None)
    claim = await world.store.claimed()
    executor.start(claim)
    executor.stop(claim.job_id, Stop.CANCEL)
    await executor.stop_all(Stop.HAND_BACK, 10)
    assert (await world.store.get(claim.job_id)).state is JobState.CANCELLED
    assert (ran, executor.running) == ([], 0)


async def test_a_job_of_a_workflow_that_is_not_served_here_fails_with_its_code(world: World) -> None:
    claim = await world.store.claimed(workflow="flow")
    attempt = Attempt(claim.model_copy(update={"workflow": "gone"}))
    await world.runner(returns).run(attempt)
    job = await world.store.get(claim.job_id)
    assert job.error is not None
    assert (job.state, job.error.code) == (JobState.FAILED, "workflow_unavailable")


async def worker_of(world: World, claim: Claim) -> UUID:
    [row] = await world.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=claim.job_id)
    return UUID(str(row.worker_id))


async def test_a_newer_attempt_stops_the_older_ones_writing_but_not_its_own(world: World) -> None:
    began, gate = asyncio.Event(), asyncio.Event()

    async def step(state: State) -> State:
        began.set()
        await gate.wait()
        return {"x": "stale"}

    attempt, task = await start(world, step)
    claim = attempt.claim
    await began.wait()
    async with asyncio.timeout(20):
        # What is being written at this moment keeps its row locked.
        while not await world.store.lose(await worker_of(world, claim)):
            await asyncio.sleep(0.01)
    [newer] = await world.store.take(await world.store.worker("newer"), ids=[claim.job_id])
    gate.set()
    await task
    assert (await world.store.get(claim.job_id)).state is JobState.RUNNING
    await world.runner(returns).run(Attempt(newer))
    job = await world.store.get(claim.job_id)
    assert (job.state, job.output, job.attempts) == (JobState.SUCCEEDED, {"x": 1}, 2)


async def test_what_counts_as_an_outage(world: World) -> None:
    with psycopg.connect(world.server, autocommit=True) as admin:
        with pytest.raises(psycopg.Error) as refused:
            admin.execute("SELECT 1 / 0")
        with pytest.raises(psycopg.Error) as unknown:
            admin.execute(b"SELECT * FROM nowhere")
        assert not connection_lost(refused.value)
        assert not connection_lost(unknown.value)
        with pytest.raises(psycopg.Error) as gone:
            admin.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        assert connection_lost(gone.value)
    with pytest.raises(psycopg.Error) as nobody:
        psycopg.connect("postgresql://x@127.0.0.1:1/x", connect_timeout=2)
    assert connection_lost(nobody.value)
    assert not connection_lost(ValueError(str(new_id())))
