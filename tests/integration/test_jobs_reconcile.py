"""Dead workers: their jobs go on elsewhere, and a job that kills its workers comes to an end."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from mutirao.errors import LeaseLost
from mutirao.ids import new_id
from mutirao.jobs.records import NewEvent
from mutirao.jobs.states import JobState
from mutirao.workers import HEARTBEAT_SQL

from tests.stores import QUEUE, Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as found:
        yield found


async def heartbeat(store: Stores, worker: object, lease: float = 60) -> bool:
    """Whether the worker still holds its lease, by the statement of its heartbeat thread."""
    async with await psycopg.AsyncConnection.connect(store.db.url, autocommit=True) as connection:
        cursor = await connection.execute(HEARTBEAT_SQL, {"id": worker, "lease": lease})
        return await cursor.fetchone() is not None


async def test_the_jobs_of_a_lost_worker_are_queued_again(store: Stores) -> None:
    worker = await store.worker("w")
    job = await store.accept()
    await store.take(worker)
    assert await store.lose(worker) == [(job.id, QUEUE, JobState.QUEUED)]
    queued = await store.get(job.id)
    assert (queued.state, queued.attempts, queued.error) == (JobState.QUEUED, 1, None)
    assert [attempt.outcome for attempt in await store.jobs.attempts(job.id)] == ["lost"]
    assert [event.type for event in await store.events(job.id)] == ["job.queued", "job.started", "attempt.lost"]
    assert await store.claims.reconcile() == []


async def test_the_jobs_of_a_live_worker_are_left_alone(store: Stores) -> None:
    await store.claimed()
    assert await store.claims.reconcile() == []


async def test_a_job_is_dead_after_its_last_lost_attempt(store: Stores) -> None:
    job = await store.accept(max_attempts=3)
    for number in range(3):
        worker = await store.worker(f"w{number}")
        [claim] = await store.take(worker)
        assert claim.epoch == number + 1
        [(_, _, state)] = await store.lose(worker)
        assert state == ("queued" if number < 2 else "dead")
    dead = await store.get(job.id)
    assert dead.error is not None
    assert (dead.error.code, dead.attempts) == ("attempts_exhausted", 3)
    assert "3 attempts" in dead.error.message
    assert dead.finished_at is not None
    last = (await store.events(job.id))[-1]
    assert (last.type, last.data["error"]["code"]) == ("job.dead", "attempts_exhausted")
    assert last.seq == dead.last_seq
    assert await store.take(await store.worker("w")) == []


async def test_only_lost_attempts_count(store: Stores) -> None:
    job = await store.accept(max_attempts=2)
    worker = await store.worker("w")
    for _ in range(3):
        [claim] = await store.take(worker)
        await store.claims.hand_back(claim)
    await store.take(worker)
    await store.lose(worker)
    assert (await store.get(job.id)).state is JobState.QUEUED


async def test_a_lost_job_that_was_asked_to_end_is_cancelled(store: Stores) -> None:
    worker = await store.worker("w")
    job = await store.accept(max_attempts=1)
    await store.take(worker)
    await store.jobs.cancel(store.project, job.id)
    assert await store.lose(worker) == [(job.id, QUEUE, JobState.CANCELLED)]
    cancelled = await store.get(job.id)
    assert (cancelled.state, cancelled.error) == (JobState.CANCELLED, None)
    assert (await store.events(job.id))[-1].type == "job.cancelled"


async def test_a_worker_that_stops_frees_its_jobs_at_once(store: Stores) -> None:
    worker = await store.worker("w")
    job = await store.accept()
    await store.take(worker)
    await store.workers.stop(worker)
    assert [worker.name for worker in await store.workers.live()] == []
    assert [row[0] for row in await store.claims.reconcile()] == [job.id]


async def test_reconcilers_at_once_take_each_job_once(store: Stores) -> None:
    worker = await store.worker("w")
    jobs = {(await store.accept()).id for _ in range(50)}
    await store.take(worker, limit=50)
    await store.expire(worker)
    found = await asyncio.gather(*(store.claims.reconcile() for _ in range(5)))
    taken = [row[0] for rows in found for row in rows]
    assert len(taken) == 50
    assert set(taken) == jobs
    assert {len(await store.events(job)) for job in jobs} == {3}


async def test_what_a_lost_worker_still_does_is_refused(store: Stores) -> None:
    worker = await store.worker("w")
    job = await store.accept()
    [claim] = await store.take(worker)
    await store.lose(worker)
    assert await store.claims.append([(claim, NewEvent(type="note"))]) == set()
    with pytest.raises(LeaseLost):
        await store.claims.finish(claim, JobState.SUCCEEDED)
    assert (await store.get(job.id)).state is JobState.QUEUED


async def test_a_heartbeat_extends_a_lease_but_never_revives_one(store: Stores) -> None:
    worker = await store.worker("w", lease=5)
    assert await heartbeat(store, worker, lease=60)
    [row] = await store.run("SELECT lease_expires_at > now() + interval '50 s' AS long FROM workers")
    assert row.long
    await store.expire(worker)
    assert not await heartbeat(store, worker)
    assert not await heartbeat(store, new_id())
    [row] = await store.run("SELECT lease_expires_at < now() AS gone FROM workers")
    assert row.gone


async def test_a_stopped_worker_does_not_beat_again(store: Stores) -> None:
    worker = await store.worker("w")
    await store.workers.stop(worker)
    assert not await heartbeat(store, worker)


async def test_a_worker_without_a_lease_claims_nothing(store: Stores) -> None:
    worker = await store.worker("w")
    await store.accept()
    await store.expire(worker)
    assert await store.take(worker) == []


async def test_live_workers_say_how_many_jobs_they_run(store: Stores) -> None:
    worker = await store.worker("w")
    await store.worker("idle")
    for _ in range(3):
        await store.accept()
    await store.take(worker, limit=2)
    assert {found.name: found.running for found in await store.workers.live()} == {"w": 2, "idle": 0}
    assert [found.name for found in await store.workers.live("idle")] == ["idle"]
