"""What ended long ago is deleted, what has not stays: with rows dated back in the database."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from langgraph.checkpoint.base import CheckpointMetadata, empty_checkpoint
from mutirao import retention
from mutirao.artifacts import FolderBlobs
from mutirao.db.tables import metadata
from mutirao.ids import new_id
from mutirao.jobs.queue import _ONE_AT_A_TIME
from mutirao.jobs.records import Claim, Job, NewEvent
from mutirao.jobs.states import JobState
from mutirao.retention import Pruned, Retention
from mutirao.settings import RetentionSettings, load_settings
from mutirao.store import StoreItems
from mutirao_workers.caretaker import care
from mutirao_workers.checkpoint_tables import prepare_checkpoints
from mutirao_workers.saver import MaintenanceSaver, open_pool
from sqlalchemy import text

from tests.stores import Stores, stores, submission

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@dataclass
class World:
    store: Stores
    saver: MaintenanceSaver
    blobs: FolderBlobs

    async def prune(self, **keep: float) -> Pruned:
        """A round in batches of two; what is not named is kept for ever."""
        none = dict.fromkeys(RetentionSettings.model_fields, 0.0)
        settings = RetentionSettings(**(none | keep))
        return await Retention(self.store.db, self.blobs, settings, self.saver, batch=2).prune_once()

    async def ended(self, days: float, *, events: int = 0, **fields: Any) -> Claim:
        """A job that ended so many days ago, with that many events of its own and one checkpoint."""
        claim = await self.store.claimed(**fields)
        await self.checkpoint(claim)
        if events:
            await self.store.claims.append([(claim, NewEvent(type="x.y", data={"n": n})) for n in range(events)])
        await self.store.claims.finish(claim, JobState.SUCCEEDED, output={"n": 1})
        await self.age("jobs", "finished_at", claim.job_id, days)
        return claim

    async def checkpoint(self, claim: Claim) -> str:
        config: Any = {"configurable": {"thread_id": str(claim.thread_id), "checkpoint_ns": ""}}
        noted: Any = {"source": "loop", "step": 1, "job_id": str(claim.job_id)}
        stored: CheckpointMetadata = noted
        return (await self.saver.aput(config, empty_checkpoint(), stored, {}))["configurable"]["checkpoint_id"]

    async def age(self, table: str, column: str, row: UUID, days: float) -> None:
        statement = f"UPDATE {table} SET {column} = now() - CAST(:age AS interval) WHERE id = :id"
        await self.store.run(statement, age=timedelta(days=days), id=row)

    async def count(self, table: str, where: str = "true", **values: Any) -> int:
        [row] = await self.store.run(f"SELECT count(*) FROM {table} WHERE {where}", **values)
        return int(row[0])

    async def jobs(self) -> set[UUID]:
        return {row.id for row in await self.store.run("SELECT id FROM jobs")}

    async def checkpoints(self, thread: UUID) -> list[str]:
        rows = await self.store.run(
            "SELECT checkpoint_id FROM checkpoints WHERE thread_id = :t ORDER BY checkpoint_id", t=str(thread)
        )
        return [row.checkpoint_id for row in rows]


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    pool = open_pool(database_url, 2)
    await pool.open()
    try:
        await prepare_checkpoints(pool)
        async with stores(database_url) as store:
            await store.run("TRUNCATE checkpoints, checkpoint_blobs, checkpoint_writes, retention_marks")
            yield World(store, MaintenanceSaver(pool), FolderBlobs(tmp_path / "artifacts"))
    finally:
        await pool.close()


async def test_nothing_goes_when_everything_is_kept_for_ever(world: World) -> None:
    await world.ended(10_000, events=3)
    await world.blobs.put(b"unreferenced")
    assert await world.prune() == Pruned()


async def test_nothing_young_goes_by_the_defaults(world: World) -> None:
    claims = [await world.ended(1, events=3), await world.store.claimed()]
    retention = Retention(world.store.db, world.blobs, RetentionSettings(), world.saver)
    assert await retention.prune_once() == Pruned()
    assert await world.jobs() == {claim.job_id for claim in claims}


# Events.


async def test_a_reader_of_a_pruned_journal_gets_its_end(world: World) -> None:
    old = [await world.ended(91, events=4) for _ in range(5)]
    young = await world.ended(89, events=4)
    going = await world.store.claimed()
    assert await world.prune(keep_events_days=90) == Pruned(events=5 * 6)
    for claim in old:
        job = await world.store.get(claim.job_id)
        for after in (0, 3):
            [event] = await world.store.jobs.events(claim.job_id, after=after)
            assert (event.seq, event.type) == (job.last_seq, "job.succeeded")
        assert await world.store.jobs.events(claim.job_id, after=job.last_seq) == []
    assert [event.seq for event in await world.store.events(young.job_id)] == list(range(1, 8))
    assert len(await world.store.events(going.job_id)) == 2
    assert await world.prune(keep_events_days=90) == Pruned()


async def test_a_shorter_time_takes_what_the_longer_one_left(world: World) -> None:
    await world.ended(91, events=1)
    await world.ended(50, events=1)
    assert (await world.prune(keep_events_days=90)).events == 3
    assert (await world.prune(keep_events_days=30)).events == 3


async def test_a_job_that_was_retried_since_loses_its_events_when_it_has_ended_again(world: World) -> None:
    claim = await world.ended(91)
    await world.prune(keep_events_days=90)
    # As if it had been tried once more and ended later.
    await world.store.run("UPDATE jobs SET last_seq = last_seq + 1 WHERE id = :id", id=claim.job_id)
    await world.store.run(
        "INSERT INTO events (job_id, seq, epoch, type) SELECT id, last_seq, 2, 'job.failed' FROM jobs WHERE id = :id",
        id=claim.job_id,
    )
    await world.age("jobs", "finished_at", claim.job_id, 90.5)
    assert (await world.prune(keep_events_days=90)).events == 1


async def test_model_calls_go_with_the_events(world: World) -> None:
    old, young = await world.ended(91), await world.ended(1)
    for claim in (old, young):
        await world.store.run(
            "INSERT INTO model_calls (id, job_id, epoch, model) VALUES (:id, :job, 1, 'm')",
            id=new_id(),
            job=claim.job_id,
        )
    assert (await world.prune(keep_events_days=90)).model_calls == 1
    assert await world.count("model_calls", "job_id = :id", id=young.job_id) == 1


async def test_a_worker_s_row_goes_when_it_is_long_gone_and_no_job_names_it(world: World) -> None:
    await world.ended(91)
    await world.ended(1)
    idle, live = await world.store.worker("idle"), await world.store.worker("live")
    for row in await world.store.run("SELECT id FROM workers WHERE id <> :live", live=live):
        await world.age("workers", "lease_expires_at", row.id, 91)
    assert (await world.prune(keep_events_days=90)).workers == 2
    assert await world.count("workers", "id = :id", id=idle) == 0
    assert await world.count("workers", "id = :id", id=live) == 1
    assert await world.count("workers") == 2


# Checkpoints.


async def test_old_checkpoints_go_but_the_newest_of_the_thread(world: World) -> None:
    first = await world.ended(40)
    for days in (35, 31):
        await world.ended(days, thread_id=first.thread_id)
    kept = (await world.checkpoints(first.thread_id))[-1]
    alone = await world.ended(40)
    pruned = await world.prune(keep_checkpoints_days=30)
    assert pruned == Pruned(checkpoints=2)
    assert await world.checkpoints(first.thread_id) == [kept]
    assert len(await world.checkpoints(alone.thread_id)) == 1
    assert await world.prune(keep_checkpoints_days=30) == Pruned()


async def test_checkpoints_of_jobs_that_have_not_ended_long_ago_stay(world: World) -> None:
    old = await world.ended(40)
    young = await world.ended(10, thread_id=old.thread_id)
    going = await world.store.claimed(thread_id=old.thread_id)
    for _ in range(3):
        await world.checkpoint(going)
    before = await world.checkpoints(old.thread_id)
    assert (await world.prune(keep_checkpoints_days=30)).checkpoints == 1
    assert await world.checkpoints(old.thread_id) == before[1:]
    # The young one grows old; the one that goes on keeps all of its own.
    await world.age("jobs", "finished_at", young.job_id, 31)
    assert (await world.prune(keep_checkpoints_days=30)).checkpoints == 1
    assert await world.checkpoints(old.thread_id) == before[2:]


async def test_a_checkpoint_that_a_job_is_to_begin_at_stays(world: World) -> None:
    old = await world.ended(40)
    await world.ended(35, thread_id=old.thread_id)
    chosen = (await world.checkpoints(old.thread_id))[0]
    fork = await world.store.accept()
    await world.store.run(
        "UPDATE jobs SET start = jsonb_build_object('thread_id', CAST(:t AS text), 'checkpoint_id', CAST(:c AS text))"
        " WHERE id = :id",
        t=str(old.thread_id),
        c=chosen,
        id=fork.id,
    )
    assert (await world.prune(keep_checkpoints_days=30)).checkpoints == 0
    assert chosen in await world.checkpoints(old.thread_id)


# Jobs.


async def child(world: World, parent: Claim, state: str, days: float | None) -> Job:
    job = await world.store.accept()
    await world.store.run(
        "UPDATE jobs SET parent_id = :parent, state = :state, finished_at = now() - CAST(:age AS interval) WHERE id = :id",
        parent=parent.job_id,
        state=state,
        age=None if days is None else timedelta(days=days),
        id=job.id,
    )
    return job


async def test_an_old_job_goes_with_all_that_is_its_own(world: World) -> None:
    old, young = await world.ended(366, events=2), await world.ended(364, events=2)
    grown = await child(world, old, "failed", 1)
    names = {name for name, table in metadata.tables.items() if "job_id" in table.c} - {"retention_marks"}
    for claim in (old, young):
        values = {"job": claim.job_id, "project": world.store.project, "id": uuid4()}
        for statement in (
            "INSERT INTO model_calls (id, job_id, epoch, model) VALUES (:id, :job, 1, 'm')",
            "INSERT INTO artifacts (id, project_id, job_id, name, media_type, size, sha256)"
            " VALUES (:id, :project, :job, 'a', 'text/plain', 1, 'x')",
            "INSERT INTO idempotency_keys (project_id, key, request_sha256, job_id)"
            " VALUES (:project, CAST(:id AS text), 'x', :job)",
            "INSERT INTO job_usage (job_id) VALUES (:job)",
            "INSERT INTO displaced_writes (job_id, thread_id, checkpoint_ns, checkpoint_id, task_id, idx)"
            " VALUES (:job, 't', '', 'c', 't', 0)",
            "INSERT INTO effects (job_id, key, kind, epoch, state) VALUES (:job, 'k', 'http', 1, 'done')",
            "INSERT INTO approvals (id, project_id, job_id, interrupt_id, epoch, state)"
            " VALUES (:id, :project, :job, 'i', 1, 'decided')",
            "INSERT INTO webhook_deliveries (id, project_id, job_id, url, event, payload)"
            " VALUES (:id, :project, :job, 'https://example.com', 'job.succeeded', '{}')",
            "INSERT INTO job_groups (id, job_id, key, total) VALUES (:id, :job, 'k', 1)",
            "INSERT INTO collections (id, project_id, name) VALUES (:id, :project, CAST(:id AS text))",
            "INSERT INTO documents (id, project_id, collection_id, name, version, media_type, size, sha256, state, job_id)"
            " VALUES (:id, :project, :id, 'd', 1, 'text/plain', 1, 'x', 'ready', :job)",
        ):
            await world.store.run(statement, **values)
    pruned = await world.prune(keep_jobs_days=365)
    assert pruned == Pruned(jobs=2, threads=2)
    assert await world.jobs() == {young.job_id}
    for name in names:
        assert await world.count(name, "job_id = :id", id=old.job_id) == 0, name
        assert await world.count(name, "job_id = :id", id=young.job_id) >= 1, name
    assert await world.count("documents", "job_id IS NULL") == 1
    assert await world.count("threads") == 1
    assert await world.count("jobs", "id = :id", id=grown.id) == 0
    assert await world.checkpoints(old.thread_id) == []
    assert len(await world.checkpoints(young.thread_id)) == 1


async def test_a_job_with_a_child_that_goes_on_stays_and_no_child_goes_before_its_parent(world: World) -> None:
    busy, young = await world.ended(400), await world.ended(10)
    kept = {busy.job_id, young.job_id, (await child(world, busy, "queued", None)).id}
    kept |= {(await child(world, busy, "failed", 400)).id, (await child(world, young, "failed", 400)).id}
    gone = [await world.ended(400) for _ in range(5)]
    assert (await world.prune(keep_jobs_days=365)).jobs == len(gone)
    assert await world.jobs() == kept


async def test_a_thread_stays_as_long_as_it_has_jobs(world: World) -> None:
    old = await world.ended(400)
    young = await world.ended(10, thread_id=old.thread_id)
    before = await world.checkpoints(old.thread_id)
    assert await world.prune(keep_jobs_days=365) == Pruned(jobs=1, checkpoints=1)
    assert await world.checkpoints(old.thread_id) == before[1:]
    await world.age("jobs", "finished_at", young.job_id, 400)
    assert await world.prune(keep_jobs_days=365) == Pruned(jobs=1, threads=1)
    assert await world.checkpoints(old.thread_id) == []


# Keys and blobs.


async def test_idempotency_keys_go_once_their_job_has_ended(world: World) -> None:
    accepted = [await world.store.accept(idempotency_key=f"k{n}", request_sha256="x") for n in range(3)]
    await world.store.run("UPDATE idempotency_keys SET created_at = now() - interval '3 days' WHERE key <> 'k2'")
    claims = await world.store.take(await world.store.worker("w"), limit=3, ids=[accepted[0].id, accepted[2].id])
    for claim in claims:
        await world.store.claims.finish(claim, JobState.SUCCEEDED)
    assert await world.prune(keep_keys_hours=48) == Pruned(keys=1)
    left = await world.store.run("SELECT key FROM idempotency_keys ORDER BY key")
    assert [row.key for row in left] == ["k1", "k2"]


def make_old(blobs: FolderBlobs, sha256: str) -> None:
    then = blobs.path(sha256).stat().st_mtime - 25 * 3600
    os.utime(blobs.path(sha256), (then, then))


async def test_stored_files_that_nothing_refers_to_go(world: World) -> None:
    claim = await world.store.claimed()
    contents = ("artifact", "upload", "document", "text", "nothing", "young")
    sha = {name: await world.blobs.put(name.encode()) for name in contents}
    for name in contents[:-1]:
        make_old(world.blobs, sha[name])
    await world.store.claims.put_artifact(claim, "a", "text/plain", 1, sha["artifact"])
    values = {"id": new_id(), "project": world.store.project} | sha
    for statement in (
        "INSERT INTO uploads (id, project_id, name, media_type, size, sha256)"
        " VALUES (:id, :project, 'u', 'text/plain', 1, :upload)",
        "INSERT INTO collections (id, project_id, name) VALUES (:id, :project, 'c')",
        "INSERT INTO documents (id, project_id, collection_id, name, version, media_type, size, sha256, text_sha256,"
        " state) VALUES (:id, :project, :id, 'd', 1, 'text/plain', 1, :document, :text, 'ready')",
    ):
        await world.store.run(statement, **values)
    assert await world.prune(keep_blob_hours=24) == Pruned(blobs=1)
    for name in contents:
        assert world.blobs.path(sha[name]).exists() == (name != "nothing")


async def test_what_a_fork_has_yet_to_begin_at_stays(world: World) -> None:
    source, other = await world.ended(400), await world.ended(400)
    fork = await world.store.jobs.fork(world.store.project, source.job_id)
    assert (await world.prune(keep_jobs_days=365)).jobs == 1
    assert await world.jobs() == {source.job_id, fork.id}
    assert len(await world.checkpoints(source.thread_id)) == 1
    assert await world.checkpoints(other.thread_id) == []
    await world.store.run("UPDATE jobs SET start = NULL WHERE id = :id", id=fork.id)
    assert (await world.prune(keep_jobs_days=365)).jobs == 1
    assert await world.jobs() == {fork.id}


async def test_a_child_that_a_fork_has_yet_to_begin_at_keeps_its_whole_tree(world: World) -> None:
    parent = await world.store.claimed()
    [child] = await world.store.jobs.accept_many([submission(world.store.project)], parent=parent, group_id=new_id())
    [below] = await world.store.take(await world.store.worker("below"), ids=[child])
    for claim in (below, parent):
        await world.store.claims.finish(claim, JobState.SUCCEEDED)
        await world.age("jobs", "finished_at", claim.job_id, 400)
    fork = await world.store.jobs.fork(world.store.project, child)
    assert await world.prune(keep_jobs_days=365) == Pruned()
    await world.store.jobs.cancel(world.store.project, fork.id)
    assert (await world.prune(keep_jobs_days=365)).jobs == 2


async def test_two_rounds_at_once_are_one(world: World) -> None:
    await world.ended(400)
    async with world.store.db.begin() as connection:
        await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7203665)")
        assert await world.prune(keep_jobs_days=365, keep_events_days=90, keep_blob_hours=1) == Pruned()
    assert (await world.prune(keep_jobs_days=365)).jobs == 1


async def test_claims_that_go_one_after_another_keep_no_round_from_its_work(world: World) -> None:
    await world.ended(400)
    async with world.store.db.begin() as connection:
        await connection.execute(_ONE_AT_A_TIME)
        assert (await world.prune(keep_jobs_days=365)).jobs == 1


async def test_the_caretaker_does_a_round_by_the_settings(world: World) -> None:
    old, young = await world.ended(400), await world.ended(1)
    pruned = await care(world.store.db, world.blobs, load_settings())
    assert (pruned.jobs, pruned.threads) == (1, 1)
    assert await world.jobs() == {young.job_id}
    assert await world.checkpoints(old.thread_id) == []


async def test_threads_and_items_go_when_their_time_has_passed_since_their_last_use(world: World) -> None:
    expired, used, thinned = [await world.ended(1) for _ in range(3)]
    await world.checkpoint(thinned)
    await world.store.run("UPDATE threads SET ttl_minutes = 5, ttl_strategy = 'delete', expires_at = now()")
    await world.store.run("UPDATE threads SET ttl_strategy = 'keep_latest' WHERE id = :id", id=thinned.thread_id)
    await world.store.run("UPDATE jobs SET finished_at = now() WHERE id = :id", id=used.job_id)
    items = StoreItems(world.store.db)
    for key in ("old", "new"):
        await items.put(world.store.project, ["notes"], key, {"n": 1}, ttl_minutes=5)
    await items.put(world.store.project, ["notes"], "for ever", {"n": 1})
    await world.store.run("UPDATE store_items SET expires_at = now() WHERE key = 'old'")
    pruned = await world.prune()
    assert (pruned.threads, pruned.checkpoints, pruned.items) == (1, 1, 1)
    left = {row.id: row.later for row in await world.store.run("SELECT id, expires_at > now() AS later FROM threads")}
    assert left == {used.thread_id: False, thinned.thread_id: True}
    assert expired.thread_id not in left


async def test_a_thread_in_use_stays_whatever_its_time(world: World) -> None:
    """Be it that its job waits for a person; it goes when that has ended."""
    claim = await world.store.claimed()
    await world.store.claims.hold(claim, JobState.PAUSED, "approval")
    await world.store.run("UPDATE threads SET ttl_minutes = 5, ttl_strategy = 'delete', expires_at = now()")
    assert (await world.prune()).threads == 0
    await world.store.jobs.cancel(world.store.project, claim.job_id)
    assert (await world.prune()).threads == 0, "it has just been used"
    await world.age("jobs", "finished_at", claim.job_id, 1)
    assert (await world.prune()).threads == 1


@pytest.mark.parametrize("retried", [False, True])
async def test_what_is_accepted_while_a_thread_expires_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch, retried: bool
) -> None:
    """Committed after the look at the thread has begun, and before it is locked."""
    claim = await world.store.claimed()
    await world.store.claims.finish(claim, JobState.FAILED)
    await world.age("jobs", "finished_at", claim.job_id, 1)
    await world.store.run("UPDATE threads SET ttl_minutes = 5, ttl_strategy = 'delete', expires_at = now()")
    held = "t.expires_at < now() AND (SELECT pg_advisory_xact_lock_shared(77)) IS NOT NULL"
    slow = retention._EXPIRED.text.replace("t.expires_at < now()", held)
    monkeypatch.setattr(retention, "_EXPIRED", text(slow))
    async with world.store.db.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(77)"))
        pruning = asyncio.create_task(world.prune())
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted"
        async with asyncio.timeout(20):
            while not await world.store.run(waiting):
                await asyncio.sleep(0.01)
        if retried:
            job = await world.store.jobs.retry(world.store.project, claim.job_id)
        else:
            job = await world.store.accept(thread_id=claim.thread_id)
    assert (await pruning).threads == 0
    assert (await world.store.get(job.id)).state is JobState.QUEUED


async def test_sessions_and_links_that_are_over_are_deleted(world: World) -> None:
    await world.store.run(
        "INSERT INTO api_keys (id, project_id, name, prefix, secret_sha256)"
        " VALUES (gen_random_uuid(), :project, 'k', 'mk_sessions', 'x')",
        project=world.store.project,
    )
    for table in ("sessions", "sign_in_links"):
        await world.store.run(
            f"INSERT INTO {table} (id, project_id, key_id, token_sha256, expires_at)"
            " SELECT gen_random_uuid(), project_id, id, n::text, now() + make_interval(secs => n)"
            " FROM api_keys, unnest(ARRAY[-3, -2, -1, 600]) AS n WHERE prefix = 'mk_sessions'"
        )
    assert (await world.prune()).sessions == 6
    assert (await world.prune()).sessions == 0
    [row] = await world.store.run(
        "SELECT (SELECT count(*) FROM sessions) AS a, (SELECT count(*) FROM sign_in_links) AS b"
    )
    assert (row.a, row.b) == (1, 1)
    await world.store.run("DELETE FROM api_keys WHERE prefix = 'mk_sessions'")
