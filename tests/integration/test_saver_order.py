"""What a finished step wrote is stored before the checkpoint that supersedes it: a process that dies between the two
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
from mutirao_workers.order import WriteOrder
from mutirao_workers.saver import FencedSaver, Pool, open_pool
from typing_extensions import TypedDict

from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


class State(TypedDict, total=False):
    x: int


@dataclass
class World:
    store: Stores
    pool: Pool
    ran: list[str] = field(default_factory=list)

    def graph(self, saver: FencedSaver) -> Any:
        """Two steps that say when they run."""

        def step(name: str) -> Any:
            async def run(state: State) -> State:
                self.ran.append(name)
                return {"x": len(self.ran)}

            return run

        graph = StateGraph(State)
        for name in ("first", "second"):
            graph.add_node(name, step(name))
        graph.add_edge(START, "first")
        graph.add_edge("first", "second")
        graph.add_edge("second", END)
        return graph.compile(checkpointer=saver)


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


class Dying(FencedSaver):
    """Dies as it stores the checkpoint after the step `first`: another attempt begins, so that nothing of this one is
    committed any more. Writes of steps are slow: they begin to be stored when `writes_may` says so."""

    world: World
    checkpoint_begun: asyncio.Event
    writes_may: asyncio.Event
    dead: asyncio.Event

    @classmethod
    async def of(cls, world: World, *, ordered: bool) -> "Dying":
        saver = cls(world.pool, await world.store.claimed())
        saver.world, saver.checkpoint_begun, saver.dead = world, asyncio.Event(), asyncio.Event()
        # In the wrong order they come too late; in the right one the checkpoint waits for them, however late they are.
        saver.writes_may = saver.checkpoint_begun if ordered else saver.dead
        if not ordered:
            saver._order = Unordered()
        return saver

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> RunnableConfig:
        if metadata["step"] == 1:
            self.checkpoint_begun.set()
        return await super().aput(config, checkpoint, metadata, new_versions)

    async def _store(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> RunnableConfig:
        if metadata["step"] == 1:
            [row] = await self.world.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=self.claim.job_id)
            await self.world.store.lose(row.worker_id)
            self.dead.set()
        return await super()._store(config, checkpoint, metadata, new_versions)

    async def _store_writes(self, config: Any, writes: Any, task_id: str, task_path: str) -> None:
        if self.world.ran:
            await self.writes_may.wait()
        await super()._store_writes(config, writes, task_id, task_path)


class Unordered(WriteOrder):
    """LangGraph's own way."""

    async def settled(self, place: Any, checkpoint_id: str) -> None:
        return None


@pytest.mark.parametrize(
    ("ordered", "ran"), [(True, ["first", "second"]), (False, ["first", "first", "second"])], ids=["ordered", "not"]
)
async def test_a_finished_step_runs_again_only_without_the_order(world: World, ordered: bool, ran: list[str]) -> None:
    dying = await Dying.of(world, ordered=ordered)
    config: Any = {"configurable": {"thread_id": str(dying.claim.thread_id)}}
    async with asyncio.timeout(20):
        with pytest.raises(LeaseLost):
            await world.graph(dying).ainvoke({"x": 0}, config, durability="sync")
        [claim] = await world.store.take(await world.store.worker("next"), ids=[dying.claim.job_id])
        await world.graph(FencedSaver(world.pool, claim)).ainvoke(None, config, durability="sync")
    assert world.ran == ran


async def begun(world: World) -> tuple[FencedSaver, RunnableConfig]:
    """A saver and where its first checkpoint is."""
    saver = FencedSaver(world.pool, await world.store.claimed())
    config: Any = {"configurable": {"thread_id": str(saver.claim.thread_id), "checkpoint_ns": ""}}
    return saver, await saver.aput(config, empty_checkpoint(), {"step": 0}, {})


async def test_writes_count_from_the_call_even_before_they_run(world: World) -> None:
    saver, config = await begun(world)
    later = saver.aput_writes(config, [("x", 1)], "task")
    checkpoint = asyncio.create_task(saver.aput(config, empty_checkpoint(), {"step": 1}, {}))
    done, _ = await asyncio.wait([checkpoint], timeout=0.2)
    assert not done
    await later
    async with asyncio.timeout(10):
        await checkpoint


async def test_a_checkpoint_does_not_wait_for_its_own_writes_nor_for_those_of_elsewhere(world: World) -> None:
    saver, config = await begun(world)
    following = empty_checkpoint()
    own: Any = {"configurable": config["configurable"] | {"checkpoint_id": following["id"]}}
    other: Any = {"configurable": config["configurable"] | {"checkpoint_ns": "elsewhere:1"}}
    waiting = [saver.aput_writes(own, [("x", 1)], "task"), saver.aput_writes(other, [("x", 1)], "task")]
    async with asyncio.timeout(10):
        await saver.aput(config, following, {"step": 1}, {})
        await asyncio.gather(*waiting)


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
