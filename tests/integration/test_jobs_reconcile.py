"""Dead workers: their jobs go on elsewhere, and a job that kills its workers comes to an end."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
from mutirao.errors import LeaseLost
from mutirao.ids import new_id
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.reconcile import _JOB_SECONDS, _PAUSE
from mutirao.jobs.records import NewEvent
from mutirao.jobs.states import JobState
from mutirao.jobs.store import WORK_CHANNEL
from mutirao.workers import HEARTBEAT_SQL
from mutirao_workers.reconciler import Reconciler
from sqlalchemy import TextClause

from tests.stores import QUEUE, WORKFLOW, Stores, entry, stores, submission

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


@pytest.mark.parametrize(
    ("statement", "index"), [(_JOB_SECONDS, "ix_jobs_job_seconds"), (_PAUSE, "ix_jobs_pause_requested")]
)
async def test_a_look_at_ten_thousand_jobs_reads_those_that_it_is_about(
    store: Stores, statement: TextClause, index: str
) -> None:
    thread = await store.accept()
    await store.run(
        """INSERT INTO jobs (id, project_id, thread_id, workflow, version, queue, state, max_attempts, started_at, finished_at)
        SELECT gen_random_uuid(), :project, :thread, 'flow', '1', 'default',
            CASE WHEN g % 10 = 0 THEN 'queued' ELSE 'succeeded' END, 3, now(), CASE WHEN g % 10 > 0 THEN now() END
        FROM generate_series(1, 10000) AS g""",
        project=store.project,
        thread=thread.thread_id,
    )
    await store.run("ANALYZE jobs")
    found = await store.run(f"EXPLAIN {statement.text}")
    plan = "\n".join(line for [line] in found)
    assert index in plan
    assert "Seq Scan on jobs" not in plan


async def test_leases_come_before_the_children_that_are_cut_short_and_those_in_parts(store: Stores) -> None:
    parent, group, count = await store.claimed(), new_id(), 210
    await store.run(
        "INSERT INTO job_groups (id, job_id, key, total, fail_fast) VALUES (:id, :job, 'k', :total, true)",
        id=group,
        job=parent.job_id,
        total=count,
    )
    wanted = [submission(store.project) for _ in range(count)]
    made = await store.jobs.accept_many(wanted, parent=parent, group_id=group)
    await store.claims.hold(parent, JobState.WAITING, "children")
    workers = [await store.worker(name) for name in ("w", "v")]
    [failed], [lost] = [await store.take(worker, ids=[child]) for worker, child in zip(workers, made[:2], strict=True)]
    await store.claims.finish(failed, JobState.FAILED)
    assert await store.lose(workers[1]) == [(lost.job_id, QUEUE, JobState.QUEUED)]
    assert (await store.get(lost.job_id)).state is JobState.CANCELLED
    states = "SELECT state, count(*) FROM jobs WHERE parent_id IS NOT NULL GROUP BY state ORDER BY state"
    assert await store.run(states) == [("cancelled", 200), ("failed", 1), ("queued", 9)]
    assert await store.claims.reconcile() == []
    assert (await store.get(parent.job_id)).state is JobState.QUEUED
    assert await store.run(states) == [("cancelled", 209), ("failed", 1)]


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


async def in_the_past(store: Stores, job_id: UUID, **columns: str) -> None:
    """Move times of a job by an interval into the past."""
    for column, interval in columns.items():
        await store.run(
            f"UPDATE jobs SET {column} = now() - CAST(:by AS interval) WHERE id = :id", id=job_id, by=interval
        )


@pytest.mark.parametrize("state", ["queued", "waiting", "paused", "stranded"])
@pytest.mark.parametrize("limit", ["deadline", "job_seconds"])
async def test_a_job_without_a_worker_fails_when_its_time_has_passed(store: Stores, state: str, limit: str) -> None:
    claim = await store.claimed(limits={"job_seconds": 60})
    if state == "waiting":
        await store.jobs.accept_many([submission(store.project)], parent=claim, group_id=new_id())
    await store.claims.hold(claim, JobState.WAITING if state == "waiting" else JobState.PAUSED, "children")
    if state in ("queued", "stranded"):
        await store.run("UPDATE jobs SET state = 'queued' WHERE id = :id", id=claim.job_id)
        await store.run("UPDATE jobs SET state = :state WHERE id = :id", id=claim.job_id, state=state)
    assert (await store.get(claim.job_id)).state == state
    column, code = {
        "deadline": ("deadline_at", "deadline_exceeded"),
        "job_seconds": ("started_at", "time_limit_exceeded"),
    }[limit]
    await in_the_past(store, claim.job_id, **{column: "61 seconds"})
    assert await store.claims.reconcile() == [(claim.job_id, QUEUE, JobState.FAILED)]
    job = await store.get(claim.job_id)
    assert job.error is not None
    assert (job.error.code, job.waiting_for) == (code, None)
    assert job.finished_at is not None
    last = (await store.events(claim.job_id))[-1]
    assert (last.type, last.data["error"]["code"]) == ("job.failed", code)


async def test_a_running_job_past_its_time_is_left_to_its_worker(store: Stores) -> None:
    worker = await store.worker("w")
    job = await store.accept(limits={"job_seconds": 60})
    await store.take(worker)
    await in_the_past(store, job.id, deadline_at="1 second", started_at="2 minutes")
    assert await store.claims.reconcile() == []
    lost = await store.lose(worker)
    assert lost == [(job.id, QUEUE, JobState.QUEUED), (job.id, QUEUE, JobState.FAILED)]


async def test_a_job_is_stranded_while_only_other_versions_are_served_and_goes_on_when_its_own_is(
    store: Stores,
) -> None:
    claims = ClaimStore(store.db, version_grace_seconds=30)
    claim = await store.claimed()
    await store.claims.hand_back(claim)
    await in_the_past(store, claim.job_id, available_at="1 minute")
    assert await claims.reconcile() == [], "its version is served"
    await store.run("UPDATE workers SET lease_expires_at = now() - interval '10 s'")
    new = await store.worker("new", workflows=())
    await store.catalogue.publish(new, [entry(WORKFLOW, "2")])
    assert await claims.reconcile() == [], "its version was served until 10 seconds ago"
    await store.run("UPDATE workers SET lease_expires_at = now() - interval '40 s' WHERE id <> :id", id=new)
    assert await claims.reconcile() == [(claim.job_id, QUEUE, JobState.STRANDED)]
    assert (await store.events(claim.job_id))[-1].data == {"version": "1"}
    assert await claims.reconcile() == []
    await store.worker("back")
    assert await claims.reconcile() == [(claim.job_id, QUEUE, JobState.QUEUED)]
    assert (await store.events(claim.job_id))[-1].type == "job.resumed"


async def test_a_job_is_not_stranded_while_its_workflow_is_not_served_at_all(store: Stores) -> None:
    """All workers are down: it will go on when they are back."""
    claim = await store.claimed()
    await store.claims.hand_back(claim)
    await in_the_past(store, claim.job_id, available_at="1 hour")
    await store.run("UPDATE workers SET lease_expires_at = now() - interval '1 hour'")
    assert await store.claims.reconcile() == []


async def test_a_job_that_has_not_begun_is_never_stranded(store: Stores) -> None:
    job = await store.accept(version="0")
    await store.worker("w")
    await in_the_past(store, job.id, available_at="1 hour")
    assert await store.claims.reconcile() == []


async def test_a_lost_job_that_was_asked_to_pause_is_paused(store: Stores) -> None:
    worker = await store.worker("w")
    job = await store.accept()
    await store.take(worker)
    await store.jobs.pause(store.project, job.id)
    assert await store.lose(worker) == [(job.id, QUEUE, JobState.QUEUED), (job.id, QUEUE, JobState.PAUSED)]


async def test_the_reconciler_tells_workers_where_jobs_are_and_looks_after_the_rest(store: Stores) -> None:
    worker = await store.worker("w")
    await store.accept()
    await store.take(worker)
    await store.expire(worker)
    looked, woken = list[str](), list[str]()

    async def failing() -> list[str]:
        looked.append("failing")
        raise RuntimeError("no")

    async def schedules() -> list[str]:
        looked.append("schedules")
        return ["nightly"]

    async def approvals() -> None:
        looked.append("approvals")

    reconciler = Reconciler(
        store.db, store.claims, on_queued=lambda: woken.append("x"), also=[failing, schedules, approvals]
    )
    async with await psycopg.AsyncConnection.connect(store.db.url, autocommit=True) as listener:
        await listener.execute(f"LISTEN {WORK_CHANNEL}")
        await reconciler.once()
        told = {notice.payload async for notice in listener.notifies(timeout=10, stop_after=3)}
    assert told == {QUEUE, "nightly"}
    assert (looked, woken) == (["failing", "schedules", "approvals"], ["x"])


async def test_one_reconciler_works_at_a_time(store: Stores) -> None:
    began, go, looks = asyncio.Event(), asyncio.Event(), list[int]()

    async def slow() -> None:
        looks.append(1)
        began.set()
        await go.wait()

    first, second = (Reconciler(store.db, store.claims, on_queued=lambda: None, also=[slow]) for _ in range(2))
    running = asyncio.create_task(first.once())
    await began.wait()
    await second.once()
    assert looks == [1]
    go.set()
    await running
    await second.once()
    assert looks == [1, 1]
