"""Copying, deleting and thinning out checkpoints: what stays is whole, what goes leaves no row behind."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from langgraph.graph import END, START, StateGraph
from mutirao.errors import LeaseLost
from mutirao.jobs.states import JobState
from mutirao_workers.checkpoint_tables import prepare_checkpoints
from mutirao_workers.saver import FencedSaver, MaintenanceSaver, Pool, open_pool
from typing_extensions import TypedDict

from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


class State(TypedDict, total=False):
    words: list[str]


async def inner(state: State) -> State:
    return {"words": [*state["words"], "inner"]}


async def outer(state: State) -> State:
    return {"words": [*state["words"], "outer"]}


def graph(saver: Any) -> Any:
    """A step, and a subgraph with a namespace of its own."""
    sub = StateGraph(State)
    sub.add_node("inner", inner)
    sub.add_edge(START, "inner")
    top = StateGraph(State)
    top.add_node("outer", outer)
    top.add_node("sub", sub.compile())
    top.add_edge(START, "outer")
    top.add_edge("outer", "sub")
    top.add_edge("sub", END)
    return top.compile(checkpointer=saver)


@dataclass
class World:
    store: Stores
    pool: Pool
    saver: MaintenanceSaver

    async def run(self, thread: str, job: str) -> dict[str, Any]:
        config: Any = {"configurable": {"thread_id": thread}, "metadata": {"job_id": job}}
        result: dict[str, Any] = await graph(self.saver).ainvoke({"words": [job]}, config, durability="sync")
        return result

    async def state(self, thread: str) -> Any:
        """The thread's state as LangGraph reads it, and how many checkpoints of the root graph lead to it."""
        config: Any = {"configurable": {"thread_id": thread}}
        found = await graph(self.saver).aget_state(config)
        return found.values, len([item async for item in graph(self.saver).aget_state_history(config)])

    async def rows(self, thread: str) -> list[int]:
        counts = [f"SELECT count(*) FROM {table} WHERE thread_id = :thread" for table in TABLES]
        return [(await self.store.run(count, thread=thread))[0][0] for count in counts]

    async def unused_blobs(self) -> int:
        [row] = await self.store.run("""
            SELECT count(*) FROM checkpoint_blobs b WHERE NOT EXISTS (
                SELECT 1 FROM checkpoints c WHERE c.thread_id = b.thread_id AND c.checkpoint_ns = b.checkpoint_ns
                AND c.checkpoint -> 'channel_versions' ->> b.channel = b.version)""")
        return int(row[0])

    async def lost_parents(self) -> int:
        [row] = await self.store.run("""
            SELECT count(*) FROM checkpoints c WHERE parent_checkpoint_id IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM checkpoints p WHERE p.thread_id = c.thread_id AND p.checkpoint_ns = c.checkpoint_ns
                AND p.checkpoint_id = c.parent_checkpoint_id)""")
        return int(row[0])


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    pool = open_pool(database_url, 4)
    await pool.open()
    try:
        await prepare_checkpoints(pool)
        async with stores(database_url) as store:
            await store.run("TRUNCATE checkpoints, checkpoint_blobs, checkpoint_writes")
            yield World(store, pool, MaintenanceSaver(pool))
    finally:
        await pool.close()


async def test_a_thread_is_thinned_out_to_what_is_wanted(world: World) -> None:
    thread, other = str(uuid4()), str(uuid4())
    for job in ("old", "recent", "last"):
        await world.run(thread, job)
    await world.run(other, "old")
    before = await world.rows(other)
    assert await world.saver.prune_thread(thread, runs=["recent", "last"])
    values, count = await world.state(thread)
    assert values == {"words": ["last", "outer", "inner"]}
    assert count == 8
    left = await world.store.run(
        "SELECT DISTINCT metadata ->> 'job_id' FROM checkpoints WHERE thread_id = :t", t=thread
    )
    assert {row[0] for row in left} == {"recent", "last"}
    assert await world.rows(other) == before
    assert await world.unused_blobs() == await world.lost_parents() == 0


async def test_the_newest_stays_whatever_job_it_is_of_and_can_be_gone_on_from(world: World) -> None:
    thread = str(uuid4())
    await world.run(thread, "old")
    await world.run(thread, "last")
    assert await world.saver.prune_thread(thread)
    assert await world.state(thread) == ({"words": ["last", "outer", "inner"]}, 1)
    # The subgraph's calls went with the checkpoints that had made them.
    assert await world.store.run("SELECT 1 FROM checkpoints WHERE checkpoint_ns <> ''") == []
    assert await world.unused_blobs() == await world.lost_parents() == 0
    assert await world.saver.prune_thread(thread) == 0
    assert (await world.run(thread, "next"))["words"] == ["next", "outer", "inner"]


async def test_a_chosen_checkpoint_stays(world: World) -> None:
    thread = str(uuid4())
    await world.run(thread, "old")
    config: Any = {"configurable": {"thread_id": thread}}
    history = [item async for item in graph(world.saver).aget_state_history(config)]
    chosen = history[1].config["configurable"]["checkpoint_id"]
    await world.saver.prune_thread(thread, ids=[chosen])
    assert (await world.state(thread))[1] == 2
    assert await world.unused_blobs() == await world.lost_parents() == 0


async def test_a_job_s_checkpoints_go_with_all_that_only_they_have(world: World) -> None:
    thread = str(uuid4())
    for job in ("first", "second", "third"):
        await world.run(thread, job)
    await world.saver.adelete_for_runs(["second"])
    values, count = await world.state(thread)
    assert values == {"words": ["third", "outer", "inner"]}
    assert count == 8
    assert await world.unused_blobs() == await world.lost_parents() == 0
    await world.saver.adelete_for_runs(["first", "third"])
    assert await world.rows(thread) == [0, 0, 0]


async def test_a_copy_is_whole_and_lives_by_itself(world: World) -> None:
    thread, copy = str(uuid4()), str(uuid4())
    await world.run(thread, "job")
    before = await world.rows(thread)
    await world.saver.acopy_thread(thread, copy)
    await world.saver.acopy_thread(thread, copy)
    assert await world.rows(copy) == before
    await world.saver.delete_threads([thread])
    assert await world.rows(thread) == [0, 0, 0]
    assert await world.state(copy) == ({"words": ["job", "outer", "inner"]}, 4)


async def test_an_attempt_that_lost_its_job_may_not_care_for_checkpoints_either(world: World) -> None:
    claim = await world.store.claimed()
    thread = str(claim.thread_id)
    await world.run(thread, "job")
    before = await world.rows(thread)
    await world.store.claims.finish(claim, JobState.SUCCEEDED)
    saver = FencedSaver(world.pool, claim)
    for act in (
        saver.aprune([thread]),
        saver.aprune([thread], strategy="delete"),
        saver.adelete_thread(thread),
        saver.adelete_for_runs(["job"]),
        saver.acopy_thread(thread, str(uuid4())),
    ):
        with pytest.raises(LeaseLost):
            await act
    assert await world.rows(thread) == before
    assert await world.store.run("SELECT 1 FROM checkpoints WHERE thread_id <> :t", t=thread) == []


async def test_a_wrong_way_to_prune_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="keep_latest"):
        await world.saver.aprune(["thread"], strategy="all")
    with pytest.raises(ValueError, match="list of ids"):
        await world.saver.aprune("thread")
