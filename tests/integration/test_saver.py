"""The fenced checkpointer: writes while its attempt holds the job, and leaves nothing behind once it does not."""

import asyncio
import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import ormsgpack
import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata, empty_checkpoint
from mutirao.errors import LeaseLost
from mutirao.jobs.records import Claim
from mutirao.jobs.states import JobState
from mutirao_workers.checkpoint_tables import prepare_checkpoints
from mutirao_workers.saver import FencedSaver, Pool, open_pool
from sqlalchemy import text

from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

METADATA: CheckpointMetadata = {"source": "loop", "step": 1}
# A value is stored once for each version of its channel.
VERSIONS = itertools.count(1)


@dataclass
class World:
    """Stores and checkpoints on one database."""

    store: Stores
    pool: Pool

    async def saver(self) -> FencedSaver:
        """The saver of a running attempt."""
        return FencedSaver(self.pool, await self.store.claimed())

    async def rows(self) -> dict[str, int]:
        """How many rows each checkpoint table has."""
        tables = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
        return {table: (await self.store.run(f"SELECT count(*) FROM {table}"))[0][0] for table in tables}


@pytest.fixture(params=[True, False], ids=["pipeline", "no_pipeline"])
async def world(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    pool = open_pool(database_url, 6, pipeline=request.param)
    await pool.open()
    try:
        await prepare_checkpoints(pool)
        async with stores(database_url) as store:
            await store.run("TRUNCATE checkpoints, checkpoint_blobs, checkpoint_writes")
            yield World(store, pool)
    finally:
        await pool.close()


def config_of(claim: Claim, checkpoint_id: str | None = None) -> RunnableConfig:
    configurable: dict[str, Any] = {"thread_id": str(claim.thread_id), "checkpoint_ns": ""}
    return {"configurable": configurable | ({"checkpoint_id": checkpoint_id} if checkpoint_id else {})}


def checkpoint_with(**values: Any) -> Checkpoint:
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = values
    checkpoint["channel_versions"] = {name: f"{next(VERSIONS):08}" for name in values}
    return checkpoint


async def put(saver: FencedSaver, checkpoint: Checkpoint) -> RunnableConfig:
    versions = checkpoint["channel_versions"]
    return await saver.aput(config_of(saver.claim), checkpoint, METADATA, versions)


async def test_what_is_put_while_the_job_is_held_is_read_back(world: World) -> None:
    saver = await world.saver()
    config = await put(saver, checkpoint_with(words=["a", "b"], number=7))
    await saver.aput_writes(config, [("words", ["c"]), ("number", 8)], "task")
    found = await saver.aget_tuple(config_of(saver.claim))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"words": ["a", "b"], "number": 7}
    assert found.pending_writes == [("task", "words", ["c"]), ("task", "number", 8)]
    assert found.metadata["step"] == 1


async def test_a_newer_attempt_and_its_saver_go_on_where_the_old_one_was(world: World) -> None:
    old = await world.saver()
    await put(old, checkpoint_with(words=["a"]))
    await bump(world, old.claim)
    new = FencedSaver(world.pool, old.claim.model_copy(update={"epoch": 2}))
    found = await new.aget_tuple(config_of(new.claim))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"words": ["a"]}
    await put(new, checkpoint_with(words=["b"]))


async def bump(world: World, claim: Claim) -> None:
    """Another attempt of the job begins."""
    [row] = await world.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=claim.job_id)
    await world.store.lose(row.worker_id)
    assert await world.store.take(await world.store.worker("next"), ids=[claim.job_id])


async def finish(world: World, claim: Claim) -> None:
    await world.store.claims.finish(claim, JobState.SUCCEEDED)


async def hand_back(world: World, claim: Claim) -> None:
    await world.store.claims.hand_back(claim)


@pytest.mark.parametrize("end", [bump, finish, hand_back])
async def test_nothing_of_a_refused_write_is_kept(world: World, end: Any) -> None:
    saver = await world.saver()
    config = await put(saver, checkpoint_with(words=["a"]))
    before = await world.rows()
    await end(world, saver.claim)
    with pytest.raises(LeaseLost, match="attempt 1"):
        await put(saver, checkpoint_with(words=["stale"], more={"x": 1}))
    with pytest.raises(LeaseLost, match="attempt 1"):
        await saver.aput_writes(config, [("words", ["stale"]), ("more", 1)], "task")
    with pytest.raises(LeaseLost, match="attempt 1"):
        await saver.adelete_thread(str(saver.claim.thread_id))
    assert await world.rows() == before
    assert await saver.aget_tuple(config_of(saver.claim)) is not None


async def test_a_write_that_fails_half_way_leaves_nothing_and_the_connection_well(world: World) -> None:
    saver = await world.saver()
    before = await world.rows()
    checkpoint = checkpoint_with(words=["a"])
    checkpoint["channel_values"]["text"] = "not for jsonb: \x00"
    with pytest.raises(Exception, match=r"\\u0000|NUL|Unicode"):
        await put(saver, checkpoint)
    assert await world.rows() == before
    await put(saver, checkpoint_with(words=["b"]))


async def test_an_attempt_that_begins_meanwhile_waits_for_the_write_it_fences_off(world: World) -> None:
    """The check and the write are one transaction: between the two no other attempt can begin."""
    saver = await world.saver()
    [row] = await world.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=saver.claim.job_id)
    await world.store.expire(row.worker_id)
    async with world.pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT mutirao_fence(%s, %s)", (saver.claim.job_id, saver.claim.epoch))
        assert await world.store.claims.reconcile() == [], "the job was taken while its attempt was writing"
    assert len(await world.store.claims.reconcile()) == 1


async def test_a_hook_writes_in_the_transaction_of_the_writes(world: World) -> None:
    await world.store.run("CREATE TABLE IF NOT EXISTS seen (task text)")
    await world.store.run("TRUNCATE seen")
    saver = await world.saver()
    config = await put(saver, checkpoint_with(words=["a"]))

    async def note(cursor: Any, task_id: str, writes: Any) -> None:
        await cursor.execute("INSERT INTO seen VALUES (%s)", (f"{task_id}: {writes}",))

    saver.on_writes = note
    await saver.aput_writes(config, [("words", ["b"])], "task")
    assert await world.store.run("SELECT task FROM seen") == [("task: [('words', ['b'])]",)]
    await finish(world, saver.claim)
    with pytest.raises(LeaseLost):
        await saver.aput_writes(config, [("words", ["c"])], "late")
    assert len(await world.store.run("SELECT task FROM seen")) == 1


async def test_writes_are_not_kept_when_the_hook_fails(world: World) -> None:
    saver = await world.saver()
    config = await put(saver, checkpoint_with(words=["a"]))
    before = await world.rows()

    async def refuse(cursor: Any, task_id: str, writes: Any) -> None:
        raise ValueError(task_id)

    saver.on_writes = refuse
    with pytest.raises(ValueError, match="task"):
        await saver.aput_writes(config, [("words", ["b"])], "task")
    assert await world.rows() == before
    saver.on_writes = None
    await saver.aput_writes(config, [("words", ["b"])], "task")


async def test_many_attempts_write_at_once_over_a_small_pool(world: World) -> None:
    savers = [await world.saver() for _ in range(20)]

    async def write(saver: FencedSaver) -> None:
        for number in range(5):
            config = await put(saver, checkpoint_with(words=[number]))
            await saver.aput_writes(config, [("words", [number])], f"task{number}")

    async with asyncio.timeout(30):
        await asyncio.gather(*(write(saver) for saver in savers))
    assert (await world.rows())["checkpoints"] == 100
    for saver in savers:
        found = await saver.aget_tuple(config_of(saver.claim))
        assert found is not None
        assert found.checkpoint["channel_values"] == {"words": [4]}


async def test_one_stale_writer_among_many_stops_only_itself(world: World) -> None:
    savers = [await world.saver() for _ in range(12)]
    for saver in savers[::3]:
        await bump(world, saver.claim)
    answers = await asyncio.gather(
        *(put(saver, checkpoint_with(words=["a"])) for saver in savers), return_exceptions=True
    )
    assert [isinstance(answer, LeaseLost) for answer in answers] == [number % 3 == 0 for number in range(12)]
    assert (await world.rows())["checkpoints"] == 8


async def test_without_a_pipeline_nothing_stays_on_the_server_s_connection(world: World) -> None:
    """What a transaction pooler needs: the next statement may reach another connection."""
    claim = await world.store.claimed()
    async with open_pool(world.store.db.url, 1, pipeline=world.pool.pipelined) as pool:
        saver = FencedSaver(pool, claim)
        config = await put(saver, checkpoint_with(words=["a"]))
        await saver.aput_writes(config, [("words", ["b"])], "task")
        await saver.aget_tuple(config)
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT count(*) AS n FROM pg_prepared_statements", prepare=False)
            [row] = await cursor.fetchall()
    assert (row["n"] > 0) == world.pool.pipelined


async def test_cancelling_a_write_leaves_the_pool_usable(world: World) -> None:
    saver = await world.saver()
    for delay in (0, 0.001, 0.002, 0.004):
        task = asyncio.create_task(put(saver, checkpoint_with(words=["x"] * 10_000)))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(10):
        await put(saver, checkpoint_with(words=["after"]))
    found = await saver.aget_tuple(config_of(saver.claim))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"words": ["after"]}


async def test_a_refused_write_spoils_no_connection(world: World) -> None:
    """What was sent behind the refusal is not prepared, and nobody may count on it."""
    stale, fresh = (await world.saver()).claim, (await world.saver()).claim
    await world.store.claims.finish(stale, JobState.SUCCEEDED)
    async with open_pool(world.store.db.url, 1, pipeline=world.pool.pipelined) as pool:
        with pytest.raises(LeaseLost):
            await put(FencedSaver(pool, stale), checkpoint_with(words=["refused"]))
        saver = FencedSaver(pool, fresh)
        config = await put(saver, checkpoint_with(words=["after"]))
        await saver.aput_writes(config, [("words", ["b"])], "task")
        found = await saver.aget_tuple(config_of(fresh))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"words": ["after"]}


READ = """
import asyncio, sys
from uuid import UUID
from mutirao.jobs.records import Claim
from mutirao_workers.saver import FencedSaver, open_pool

async def main():
    pool = open_pool(sys.argv[1], 4)
    await pool.open()
    claim = Claim(job_id=UUID(int=1), project_id=UUID(int=1), thread_id=UUID(sys.argv[2]), workflow="", version="",
                  input={}, metadata={}, epoch=1)
    config = {"configurable": {"thread_id": sys.argv[2], "checkpoint_ns": ""}}
    print(await FencedSaver(pool, claim).aget_tuple(config))
    await pool.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("world", [True], ids=["pipeline"], indirect=True)
async def test_a_forged_row_runs_no_code_in_a_worker(world: World, tmp_path: Path) -> None:
    saver = await world.saver()
    config = await put(saver, checkpoint_with(words=["a"]))
    await saver.aput_writes(config, [("words", ["b"])], "task")
    witness = tmp_path / f"ran-{uuid4().hex}"
    # Extension 0 of the serializer: import a module, call one of its names with one argument.
    call = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(("os", "system", f"touch {witness}"))))
    changed = []
    for table in ("checkpoint_blobs", "checkpoint_writes"):
        async with world.pool.connection() as connection:
            cursor = await connection.execute(
                f"UPDATE {table} SET blob = %s, type = 'msgpack' WHERE thread_id = %s",
                (call, str(saver.claim.thread_id)),
            )
            changed.append(cursor.rowcount)
    assert changed == [1, 1]
    program = [sys.executable, "-c", READ, world.store.db.url, str(saver.claim.thread_id)]
    quiet = {name: value for name, value in os.environ.items() if name != "LANGGRAPH_STRICT_MSGPACK"}
    done = await asyncio.to_thread(subprocess.run, program, capture_output=True, text=True, env=quiet, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "CheckpointTuple" in done.stdout
    assert not witness.exists()
    # The forgery is a good one: without the allow-list it runs.
    loose = quiet | {"LANGGRAPH_STRICT_MSGPACK": "false"}
    await asyncio.to_thread(subprocess.run, program, capture_output=True, text=True, env=loose, timeout=60)
    assert witness.exists()


@pytest.mark.parametrize("world", [True], ids=["pipeline"], indirect=True)
async def test_a_pipeline_that_stands_still_lets_go_of_its_job(world: World) -> None:
    """As when its process is stopped: the row's lock would keep the job from everybody else."""
    claim = (await world.saver()).claim
    free = text("SELECT id FROM jobs WHERE id = :id FOR NO KEY UPDATE SKIP LOCKED")

    async def lockable() -> bool:
        async with world.store.db.begin() as connection:
            return await connection.scalar(free, {"id": claim.job_id}) is not None

    async def stand_still(pool: Pool) -> None:
        async with FencedSaver(pool, claim)._cursor(pipeline=True) as cursor, asyncio.timeout(20):
            while await lockable():  # what the pipeline sends is on its way
                await cursor.execute("SELECT 1")
                await asyncio.sleep(0)
            while not await lockable():
                await asyncio.sleep(0.05)

    async with open_pool(world.store.db.url, 1, longest_seconds=2) as pool:
        with pytest.raises(psycopg.Error):
            await stand_still(pool)
