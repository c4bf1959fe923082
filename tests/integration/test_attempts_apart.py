"""Attempts that share a process, a thread or a job do not get into each other's way."""

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base import id as ids
from langgraph.stream import StreamTransformer
from mutirao.errors import LeaseLost
from mutirao.jobs.records import NewEvent
from mutirao_workers.attempt import Stop
from mutirao_workers.jobloop import OWNER, JobLoop
from mutirao_workers.journal import Journal
from mutirao_workers.saver import FencedSaver, MaintenanceSaver, open_pool
from psycopg import AsyncConnection

from tests.runs import Runs, chain, runs
from tests.streams import Said, bye, hello, run_of

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[Runs]:
    async with runs(database_url) as these:
        yield these


async def test_one_that_always_has_something_to_say_keeps_no_other_from_its_end(world: Runs) -> None:
    talks, ends = [await world.store.claimed() for _ in range(2)]
    journal = Journal(world.store.claims, 0.0)
    written = asyncio.Event()
    append = world.store.claims.append

    async def and_again(events: Any) -> Any:
        # While a batch is written, the next one comes.
        journal.emit(talks, NewEvent(type="said", data={}))
        done = await append(events)
        written.set()
        return done

    world.store.claims.append = and_again  # type: ignore[method-assign] # what a step does meanwhile
    journal.start()
    journal.emit(talks, NewEvent(type="said", data={}))
    async with asyncio.timeout(20):
        await written.wait()
        journal.emit(ends, NewEvent(type="said", data={}))
        left = await journal.take(ends)
    world.store.claims.append = append  # type: ignore[method-assign]
    await journal.stop()
    told = [event for event in await world.store.events(ends.job_id) if event.type == "said"]
    assert len(left) + len(told) == 1


async def test_a_stale_attempt_stores_nothing_beside_the_one_that_has_followed_it(world: Runs) -> None:
    old = await world.store.claimed()
    [row] = await world.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=old.job_id)
    await world.store.lose(row.worker_id)
    new = await world.again(old.job_id)
    config: Any = {"configurable": {"thread_id": str(old.thread_id), "checkpoint_ns": ""}}
    stale, fresh = empty_checkpoint(), empty_checkpoint()
    savers = FencedSaver(world.pool, old), FencedSaver(world.pool, new)
    # Both are in one statement.
    answers = await asyncio.gather(
        *(saver.aput(config, made, {"step": 0}, {}) for saver, made in zip(savers, (stale, fresh), strict=True)),
        return_exceptions=True,
    )
    found = await world.store.run("SELECT checkpoint_id FROM checkpoints WHERE thread_id = :t", t=str(old.thread_id))
    assert isinstance(answers[0], LeaseLost)
    assert [row.checkpoint_id for row in found] == [fresh["id"]]


async def test_what_is_stored_for_others_goes_on_when_one_job_is_silenced(world: Runs, database_url: str) -> None:
    cut, stays = [await world.store.claimed() for _ in range(2)]

    async def together() -> list[Any]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JobLoop)
        async with open_pool(database_url, 3) as pool, await AsyncConnection.connect(database_url) as locker:
            await locker.execute("SELECT 1 FROM jobs WHERE id = %s FOR UPDATE", (cut.job_id,))
            tasks = []
            for claim in (cut, stays):
                config: Any = {"configurable": {"thread_id": str(claim.thread_id), "checkpoint_ns": ""}}
                context = contextvars.copy_context()
                context.run(OWNER.set, claim.job_id)
                writing = FencedSaver(pool, claim).aput(config, empty_checkpoint(), {"step": 0}, {})
                tasks.append(loop.create_task(writing, context=context))
            async with asyncio.timeout(20), pool.connection() as connection:
                waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                while await (await connection.execute(waits)).fetchone() is None:
                    await asyncio.sleep(0.01)
            await loop.silence(cut.job_id)
            await locker.rollback()
            return await asyncio.gather(*tasks, return_exceptions=True)

    def apart() -> list[Any]:
        with asyncio.Runner(loop_factory=JobLoop) as runner:
            return runner.run(together())

    silenced, stored = await asyncio.to_thread(apart)
    assert isinstance(silenced, asyncio.CancelledError)
    assert stored["configurable"]["thread_id"] == str(stays.thread_id)


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes this machine's clock, as LangGraph sees it for its ids, an hour slow, as in a process that has just begun."""

    def now() -> None:
        monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: time.time_ns() - 3_600_000_000_000))
        monkeypatch.setattr(ids, "_last_v6_timestamp", None)

    return now


async def test_a_worker_whose_clock_is_behind_goes_on_from_where_the_thread_stands(world: Runs, behind: Any) -> None:
    def graph() -> Any:
        return chain(Said, hello=hello, bye=bye)

    first = await run_of(world, input={"said": ["one"]})
    await world.run(graph, first)
    behind()
    second = await world.run(graph, await run_of(world, first.thread_id, input={"said": ["two"]}))
    third = await world.run(graph, await run_of(world, first.thread_id, input={"said": ["three"]}))
    assert second.output["said"] == ["one", "hello", "bye", "two", "hello", "bye"]
    assert third.output["said"] == [*second.output["said"], "three", "hello", "bye"]


async def test_what_goes_on_from_an_old_checkpoint_becomes_the_newest_whatever_the_clock_says(
    world: Runs, behind: Any
) -> None:
    claim = await run_of(world, input={"said": ["one"]})
    await world.run(lambda: chain(Said, hello=hello, bye=bye), claim)
    kept = await world.store.run(
        "SELECT checkpoint_id FROM checkpoints WHERE thread_id = :t ORDER BY 1", t=str(claim.thread_id)
    )
    behind()
    thread = {"thread_id": str(claim.thread_id), "checkpoint_ns": ""}
    saver = MaintenanceSaver(world.pool)
    await saver.aget_tuple({"configurable": {**thread, "checkpoint_id": kept[0].checkpoint_id}})
    made = empty_checkpoint()
    await saver.aput({"configurable": thread}, made, {"step": 0}, {})
    newest = await saver.aget_tuple({"configurable": thread})
    assert newest is not None
    assert newest.checkpoint["id"] == made["id"] > kept[-1].checkpoint_id


class Hangs(StreamTransformer):
    """Of a graph: waits for what does not come, once the graph has ended."""

    def init(self) -> dict[str, Any]:
        return {}

    def process(self, event: Any) -> bool:
        return True

    async def aprocess(self, event: Any) -> bool:
        return True

    async def afinalize(self) -> None:
        await asyncio.sleep(3600)


@pytest.mark.parametrize("cut", [True, False])
async def test_a_transformer_that_does_not_end_does_not_keep_its_job(world: Runs, cut: bool) -> None:
    began = asyncio.Event()

    async def slow(state: Said) -> Any:
        began.set()
        await asyncio.sleep(3600 if cut else 0)
        return {"said": ["slow"]}

    def graph() -> Any:
        return chain(Said, slow=slow).compile(transformers=[lambda ns=(): Hangs()])

    claim = await run_of(world, input={"said": []}, protocol=True)
    attempt = world.begin(graph, claim)
    await began.wait()
    if cut:
        await world.store.run("UPDATE jobs SET cancel_requested_at = now() WHERE id = :id", id=claim.job_id)
        attempt.stop(Stop.CANCEL)
    job = await world.end(attempt)
    assert job.state == ("cancelled" if cut else "succeeded")
