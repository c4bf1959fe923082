"""What a finished step wrote is stored with the checkpoint that supersedes it, or before: a process that dies meanwhile
does not run the step again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import END, START, StateGraph
from mutirao.errors import LeaseLost
from mutirao_workers.checkpoint_tables import prepare_checkpoints
from mutirao_workers.saver import FencedSaver, Pool, open_pool
from sqlalchemy import text
from typing_extensions import TypedDict

from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

_WRITTEN = "SELECT task_id, xmin::text AS at FROM checkpoint_writes WHERE thread_id = :thread AND channel = 'x'"


class State(TypedDict, total=False):
    x: int
    y: int


@dataclass
class World:
    store: Stores
    pool: Pool
    ran: list[str] = field(default_factory=list)

    async def written(self, saver: FencedSaver) -> dict[str, str]:
        """Tasks whose writes to `x` are stored, with the transaction that stored them."""
        rows = await self.store.run(_WRITTEN, thread=str(saver.claim.thread_id))
        return {row.task_id: row.at for row in rows}

    async def checkpoints(self, saver: FencedSaver) -> dict[str, str]:
        """Checkpoints that are stored, with the transaction that stored them."""
        query = "SELECT checkpoint_id, xmin::text AS at FROM checkpoints WHERE thread_id = :thread"
        rows = await self.store.run(query, thread=str(saver.claim.thread_id))
        return {row.checkpoint_id: row.at for row in rows}

    async def lose(self, saver: FencedSaver) -> None:
        """The lease of the saver's worker runs out, and its jobs go back to the queue."""
        [row] = await self.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=saver.claim.job_id)
        while not await self.store.lose(row.worker_id):  # passes over a job that is locked at that moment
            await asyncio.sleep(0.01)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    pool = open_pool(database_url, 6)
    await pool.open()
    try:
        await prepare_checkpoints(pool)
        async with stores(database_url) as store:
            yield World(store, pool)
    finally:
        await pool.close()


async def test_a_step_that_finished_beside_one_that_died_does_not_run_again(world: World) -> None:
    saver = FencedSaver(world.pool, await world.store.claimed())

    def graph(saver: FencedSaver, *, dies: bool) -> Any:
        async def quick(state: State) -> State:
            world.ran.append("quick")
            return {"x": 1}

        async def slow(state: State) -> State:
            world.ran.append("slow")
            while dies and not await world.written(saver):
                await asyncio.sleep(0.01)
            if dies:
                await world.lose(saver)
            return {"y": 1}

        made = StateGraph(State)
        for node in (quick, slow):
            made.add_node(node)
            made.add_edge(START, node.__name__)
            made.add_edge(node.__name__, END)
        return made.compile(checkpointer=saver)

    config: Any = {"configurable": {"thread_id": str(saver.claim.thread_id)}}
    async with asyncio.timeout(20):
        with pytest.raises(LeaseLost):
            await graph(saver, dies=True).ainvoke({"y": 0}, config, durability="sync")
        [claim] = await world.store.take(await world.store.worker("next"), ids=[saver.claim.job_id])
        state = await graph(FencedSaver(world.pool, claim), dies=False).ainvoke(None, config, durability="sync")
    assert state == {"x": 1, "y": 1}
    assert sorted(world.ran) == ["quick", "slow", "slow"]


async def begun(world: World) -> tuple[FencedSaver, RunnableConfig]:
    """A saver and where its first checkpoint is."""
    saver = FencedSaver(world.pool, await world.store.claimed())
    config: Any = {"configurable": {"thread_id": str(saver.claim.thread_id), "checkpoint_ns": ""}}
    return saver, await saver.aput(config, empty_checkpoint(), {"step": 0}, {})


async def test_writes_and_the_checkpoint_behind_them_are_one_transaction(world: World) -> None:
    saver, config = await begun(world)
    writes = [saver.aput_writes(config, [("x", number)], f"task{number}") for number in range(3)]
    following = empty_checkpoint()
    await saver.aput(config, following, {"step": 1}, {})
    stored = await world.written(saver)
    assert set(stored) == {"task0", "task1", "task2"}, "they count from the call, even before they are awaited"
    assert set(stored.values()) == {(await world.checkpoints(saver))[following["id"]]}
    await asyncio.gather(*writes)


async def test_writes_without_a_checkpoint_are_stored_alone(world: World) -> None:
    saver, config = await begun(world)
    await saver.aput_writes(config, [("x", 1)], "task")
    assert set(await world.written(saver)) == {"task"}


async def test_who_reads_sees_what_was_written_before(world: World) -> None:
    saver, config = await begun(world)
    writing = saver.aput_writes(config, [("x", 1)], "task")
    found = await saver.aget_tuple(config)
    assert found is not None
    assert found.pending_writes == [("task", "x", 1)]
    await writing


async def test_what_attempts_write_at_once_is_fewer_transactions(world: World) -> None:
    savers = [await begun(world) for _ in range(12)]
    await asyncio.gather(*(saver.aput(config, empty_checkpoint(), {"step": 1}, {}) for saver, config in savers))
    last = [max((await world.checkpoints(saver)).items())[1] for saver, _ in savers]
    assert len(set(last)) < len(last)


async def test_a_job_that_somebody_has_locked_holds_up_no_other(world: World) -> None:
    [locked, free, more] = [await begun(world) for _ in range(3)]
    following = empty_checkpoint()
    async with world.store.db.begin() as connection:
        lock = text("SELECT id FROM jobs WHERE id = :id FOR NO KEY UPDATE")
        await connection.execute(lock, {"id": locked[0].claim.job_id})
        writing = locked[0].aput_writes(locked[1], [("x", 1)], "task")
        behind = asyncio.create_task(locked[0].aput(locked[1], following, {"step": 1}, {}))
        async with asyncio.timeout(10):
            for saver, config in [free, more] * 5:
                await saver.aput_writes(config, [("x", 1)], "task")
        assert not behind.done()
        assert not await world.written(locked[0])
    async with asyncio.timeout(10):
        await behind
        await writing
    assert following["id"] in await world.checkpoints(locked[0])
    assert set(await world.written(locked[0])) == {"task"}


async def test_the_same_writes_again_replace_what_is_special_and_nothing_else(world: World) -> None:
    saver, config = await begun(world)
    twice = [
        saver.aput_writes(config, [(channel, number)], "task") for number in (1, 2) for channel in ("x", "__resume__")
    ]
    await asyncio.gather(*twice)
    found = await saver.aget_tuple(config)
    assert found is not None
    assert sorted(found.pending_writes or ()) == [("task", "__resume__", 2), ("task", "x", 1)]


async def test_one_refused_write_leaves_those_of_others_alone(world: World) -> None:
    [bad, good] = [await begun(world) for _ in range(2)]
    nul = empty_checkpoint()
    nul["channel_values"] = {"text": "not for jsonb: \x00"}
    answers = await asyncio.gather(
        bad[0].aput(bad[1], nul, {"step": 1}, {}),
        good[0].aput(good[1], empty_checkpoint(), {"step": 1}, {}),
        return_exceptions=True,
    )
    assert [isinstance(answer, Exception) for answer in answers] == [True, False]
    assert len(await world.checkpoints(good[0])) == 2


async def test_writes_that_were_cancelled_before_they_ran_hold_nothing_up(world: World) -> None:
    saver, config = await begun(world)
    task = asyncio.create_task(saver.aput_writes(config, [("x", 1)], "task"))
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    del task
    async with asyncio.timeout(10):
        await saver.aput(config, empty_checkpoint(), {"step": 1}, {})


async def test_a_checkpoint_does_not_supersede_writes_that_were_refused(world: World) -> None:
    saver, config = await begun(world)
    unwritable: Any = [("x", lambda: None)]
    with pytest.raises(TypeError):
        await saver.aput_writes(config, unwritable, "task")
    with pytest.raises(TypeError):
        await saver.aput(config, empty_checkpoint(), {"step": 1}, {})


async def test_a_runs_input_is_stored_with_its_first_step(world: World) -> None:
    saver = FencedSaver(world.pool, await world.store.claimed())
    config: Any = {"configurable": {"thread_id": str(saver.claim.thread_id), "checkpoint_ns": ""}}
    given, following = empty_checkpoint(), empty_checkpoint()
    config = await saver.aput(config, given, {"source": "input", "step": -1}, {})
    await asyncio.gather(
        saver.aput_writes(config, [("x", 1)], "task"), saver.aput(config, following, {"source": "loop", "step": 0}, {})
    )
    stored = await world.checkpoints(saver)
    assert set(stored) == {given["id"], following["id"]}
    assert {*stored.values(), *(await world.written(saver)).values()} == {stored[given["id"]]}


async def test_a_runs_input_is_stored_without_a_step_behind_it(world: World) -> None:
    saver = FencedSaver(world.pool, await world.store.claimed())
    config: Any = {"configurable": {"thread_id": str(saver.claim.thread_id), "checkpoint_ns": ""}}
    given = empty_checkpoint()
    await saver.aput(config, given, {"source": "input", "step": -1}, {})
    async with asyncio.timeout(10):
        while not await world.checkpoints(saver):
            await asyncio.sleep(0.01)
    assert set(await world.checkpoints(saver)) == {given["id"]}


async def test_who_stores_the_first_step_hears_what_became_of_the_input(world: World) -> None:
    saver = FencedSaver(world.pool, await world.store.claimed())
    config: Any = {"configurable": {"thread_id": str(saver.claim.thread_id), "checkpoint_ns": ""}}
    await world.lose(saver)
    config = await saver.aput(config, empty_checkpoint(), {"source": "input", "step": -1}, {})
    with pytest.raises(LeaseLost):
        await saver.aput(config, empty_checkpoint(), {"source": "loop", "step": 0}, {})
    assert await world.checkpoints(saver) == {}
