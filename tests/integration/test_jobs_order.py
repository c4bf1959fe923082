"""Which job is next: fair between projects, by priority within one, by kind, by version, within limits, when it is due."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from mutirao.jobs.queue import Queue, claim_statement
from mutirao.jobs.records import Claim
from mutirao.jobs.states import JobState
from sqlalchemy import text

from tests.stores import QUEUE, WORKFLOW, Stores, entry, stores, submission

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

MANY = text("""
WITH n AS (
    SELECT g, gen_random_uuid() AS job, gen_random_uuid() AS thread FROM generate_series(1, CAST(:count AS int)) AS g
), thread AS (
    INSERT INTO threads (id, project_id) SELECT thread, :project FROM n
)
INSERT INTO jobs (id, project_id, thread_id, workflow, version, queue, state, max_attempts, last_seq, available_at, priority)
SELECT job, :project, thread, 'flow', '1', 'default', 'queued', 3, 1, now() - make_interval(secs => g), g % 3 FROM n""")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as found:
        yield found


async def backlog(store: Stores, project: UUID, count: int) -> None:
    """So many queued jobs of the project, of three priorities."""
    async with store.db.autocommit() as connection:
        await connection.execute(MANY, {"project": project, "count": count})
        await connection.execute(text("ANALYZE jobs"))


async def limit(store: Stores, project: UUID, running: int) -> None:
    """Let at most so many jobs of the project run, known to claims at once."""
    await store.run("UPDATE projects SET max_running = :most WHERE id = :id", most=running, id=project)
    store.claims._queue = Queue(store.db)


async def test_a_project_with_ten_thousand_jobs_does_not_keep_another_one_waiting(store: Stores) -> None:
    other = await store.projects.ensure("other")
    await backlog(store, store.project, 10_000)
    worker = await store.worker("w")
    assert len(await store.take(worker, limit=3)) == 3
    late, _ = await store.jobs.accept(submission(other))
    assert [claim.job_id for claim in await store.take(worker)] == [late.id]


async def test_the_claim_reads_a_few_rows_of_ten_thousand(store: Stores) -> None:
    """By the index of what is queued: nowhere does it walk through the table."""
    await backlog(store, store.project, 10_000)
    worker = await store.worker("w")
    values = {"worker": worker, "worker_name": "w", "queue0": QUEUE, "shared": 1, "exclusive": 1}
    explain = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {claim_statement(1).text}")
    async with store.db.autocommit() as connection:
        [plan] = await connection.scalar(explain, values)

    def walk(node: dict[str, Any]) -> list[dict[str, Any]]:
        return [node, *(found for part in node.get("Plans", []) for found in walk(part))]

    nodes = walk(plan["Plan"])
    read = max(node["Actual Rows"] * node["Actual Loops"] for node in nodes if node.get("Relation Name") == "jobs")
    assert "ix_jobs_queued" in {node.get("Index Name") for node in nodes}
    assert read < 100


async def test_slots_are_shared_evenly_between_projects(store: Stores) -> None:
    others = [await store.projects.ensure(name) for name in ("one", "two")]
    await backlog(store, store.project, 50)
    for project in others:
        for _ in range(10):
            await store.jobs.accept(submission(project))
    worker = await store.worker("w")
    counted = Counter(claim.project_id for claim in await store.take(worker, limit=15))
    assert counted == {store.project: 5, others[0]: 5, others[1]: 5}
    counted += Counter(claim.project_id for claim in await store.take(worker, limit=30))
    assert counted == {store.project: 25, others[0]: 10, others[1]: 10}


async def test_many_projects_with_few_jobs_fill_all_slots(store: Stores) -> None:
    for number in range(30):
        project = await store.projects.ensure(f"p{number}")
        for _ in range(1 + number % 3):
            await store.jobs.accept(submission(project))
    await backlog(store, store.project, 200)
    taken = await store.take(await store.worker("w"), limit=150)
    assert len(taken) == 150
    assert len({claim.project_id for claim in taken}) == 31


async def test_within_a_project_higher_priority_goes_first_then_who_is_due_longer(store: Stores) -> None:
    made = {
        (priority, number): (await store.accept(priority=priority)).id for number in range(2) for priority in (0, 5, -3)
    }
    worker = await store.worker("w")
    taken = [claim.job_id for _ in made for claim in await store.take(worker)]
    assert taken == [made[key] for key in [(5, 0), (5, 1), (0, 0), (0, 1), (-3, 0), (-3, 1)]]


async def test_priority_does_not_go_beyond_the_project(store: Stores) -> None:
    other = await store.projects.ensure("other")
    for _ in range(4):
        await store.accept(priority=100)
    await store.jobs.accept(submission(other, priority=-100))
    taken = await store.take(await store.worker("w"), limit=2)
    assert {claim.project_id for claim in taken} == {store.project, other}


async def test_each_kind_has_its_own_slots(store: Stores) -> None:
    for kind in ("shared", "exclusive"):
        for _ in range(5):
            await store.accept(kind=kind)
    worker = await store.worker("w")
    taken = await store.claims.claim(worker, "w", [QUEUE], slots={"shared": 3, "exclusive": 1})
    assert Counter(claim.kind for claim in taken) == {"shared": 3, "exclusive": 1}
    taken = await store.claims.claim(worker, "w", [QUEUE], slots={"exclusive": 10})
    assert Counter(claim.kind for claim in taken) == {"exclusive": 4}
    assert await store.claims.claim(worker, "w", [QUEUE], slots={"shared": 0}) == []
    assert await store.claims.claim(worker, "w", [QUEUE], slots={}) == []


async def test_a_hinted_claim_fits_the_slots_too(store: Stores) -> None:
    ids = [(await store.accept(kind=kind)).id for kind in ("shared", "exclusive", "shared")]
    taken = await store.claims.claim(await store.worker("w"), "w", [QUEUE], slots={"shared": 1}, ids=ids)
    assert [claim.job_id for claim in taken] == ids[:1]


async def test_a_worker_looks_into_its_queues_only(store: Stores) -> None:
    made = {queue: (await store.accept(queue=queue)).id for queue in ("a", "b", "c")}
    worker = await store.worker("w")
    taken = await store.claims.claim(worker, "w", ["a", "c"], slots={"shared": 10})
    assert {claim.job_id for claim in taken} == {made["a"], made["c"]}


@pytest.mark.parametrize("hinted", [False, True])
async def test_a_project_never_runs_more_jobs_than_its_limit(store: Stores, hinted: bool) -> None:
    await limit(store, store.project, 3)
    ids = [(await store.accept(kind=("shared", "exclusive")[number % 2])).id for number in range(40)]
    workers = [await store.worker(f"w{number}") for number in range(6)]
    claims = await asyncio.gather(*(store.take(worker, limit=2, ids=ids if hinted else None) for worker in workers))
    assert sum(map(len, claims)) == 3
    running = next(claim for found in claims for claim in found)
    assert await store.take(workers[0], limit=5) == []
    await store.claims.finish(running, JobState.SUCCEEDED)
    assert len(await store.take(workers[0], limit=5)) == 1


async def test_a_limited_project_leaves_its_slots_to_others(store: Stores) -> None:
    other = await store.projects.ensure("other")
    await limit(store, store.project, 1)
    for _ in range(5):
        await store.accept()
        await store.jobs.accept(submission(other))
    counted = Counter(claim.project_id for claim in await store.take(await store.worker("w"), limit=10))
    assert counted == {store.project: 1, other: 5}


async def test_a_delayed_job_waits_for_its_time(store: Stores) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    delayed = await store.accept(delay_seconds=3600)
    later = await store.accept(start_at=soon)
    past = await store.accept(start_at=soon - timedelta(hours=2))
    worker = await store.worker("w")
    assert [claim.job_id for claim in await store.take(worker, limit=10)] == [past.id]
    assert later.available_at == soon
    assert delayed.available_at is not None
    assert abs((delayed.available_at - soon).total_seconds()) < 60
    await store.run("UPDATE jobs SET available_at = now() WHERE state = 'queued'")
    assert {claim.job_id for claim in await store.take(worker, limit=10)} == {delayed.id, later.id}


async def test_a_job_past_its_deadline_is_not_begun(store: Stores) -> None:
    await store.accept(deadline_at=datetime.now(UTC) - timedelta(seconds=1))
    assert await store.take(await store.worker("w")) == []


@pytest.mark.parametrize("state", ["waiting", "paused", "stranded"])
async def test_a_held_job_keeps_its_thread(store: Stores, state: str) -> None:
    """Its checkpoints are the thread's: a later job must not begin in the middle of it."""
    claim = await store.claimed()
    later = await store.accept(thread_id=claim.thread_id)
    await store.run("UPDATE jobs SET state = 'queued' WHERE id = :id", id=claim.job_id)
    if state == "waiting":
        await store.run("UPDATE jobs SET state = 'running' WHERE id = :id", id=claim.job_id)
    await store.run("UPDATE jobs SET state = :state WHERE id = :id", state=state, id=claim.job_id)
    worker = await store.worker("w")
    assert await store.take(worker, limit=10) == []
    await store.run("UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE id = :id", id=claim.job_id)
    assert [again.job_id for again in await store.take(worker, limit=10)] == [later.id]


async def test_a_job_that_has_begun_goes_before_an_earlier_one_that_is_retried(store: Stores) -> None:
    """It goes on from the thread's newest checkpoint, which must not be the other's by then."""
    first = await store.claimed()
    await store.claims.finish(first, JobState.FAILED)
    later = await store.accept(thread_id=first.thread_id)
    worker = await store.worker("w")
    [begun] = await store.take(worker)
    await store.claims.hold(begun, JobState.PAUSED, "approval")
    await store.jobs.retry(store.project, first.job_id)
    assert await store.take(worker, limit=10) == []
    await store.run("UPDATE jobs SET state = 'queued', waiting_for = NULL WHERE id = :id", id=later.id)
    [again] = await store.take(worker, limit=10)
    assert (again.job_id, again.epoch) == (later.id, 2)
    await store.claims.finish(again, JobState.SUCCEEDED)
    assert [claim.job_id for claim in await store.take(worker, limit=10)] == [first.job_id]


async def serving(store: Stores, name: str, version: str) -> UUID:
    """A worker that serves the workflow in this version."""
    worker = await store.worker(name, workflows=())
    await store.catalogue.publish(worker, [entry(WORKFLOW, version)])
    return worker


async def test_a_job_begins_in_the_version_of_its_worker_and_keeps_it(store: Stores) -> None:
    job = await store.accept(version="1")
    new, old = await serving(store, "new", "2"), await serving(store, "old", "1")
    [claim] = await store.take(new)
    assert (claim.version, (await store.get(job.id)).version) == ("2", "2")
    await store.claims.hand_back(claim)
    assert await store.take(old) == []
    assert [again.version for again in await store.take(new)] == ["2"]


async def test_a_claim_carries_everything_that_an_attempt_needs(store: Stores) -> None:
    job = await store.accept(
        priority=4,
        kind="exclusive",
        retry={"failures": 2, "backoff_seconds": 0.5},
        limits={"step_seconds": 7},
        budget={"tokens": 100},
        start={"checkpoint_id": "c", "values": {"a": 1}},
    )
    [claim] = await store.take(await store.worker("w"))
    assert (claim.priority, claim.kind, claim.queue) == (4, "exclusive", QUEUE)
    assert (claim.retry, claim.limits, claim.budget) == (job.retry, job.limits, job.budget)
    assert (claim.retry.failures, claim.limits.step_seconds) == (2, 7)
    assert claim.budget is not None
    assert claim.budget.tokens == 100
    assert claim.start is not None
    assert (claim.start.checkpoint_id, claim.start.values, claim.start.as_node) == ("c", {"a": 1}, None)
    assert claim.started_at == (await store.get(job.id)).started_at


async def test_what_a_worker_holds_can_be_asked_for(store: Stores) -> None:
    """The answer to a claim may be lost with its connection."""
    worker = await store.worker("w")
    for _ in range(3):
        await store.accept()
    taken = await store.take(worker, limit=2)

    def by_id(claims: list[Claim]) -> list[Claim]:
        return sorted(claims, key=lambda claim: claim.job_id)

    def plainly(claims: list[Claim]) -> list[tuple[UUID, int, UUID]]:
        return [(claim.job_id, claim.epoch, claim.thread_id) for claim in claims]

    assert plainly(await store.claims.held(worker)) == plainly(by_id(taken))
    # What cannot be read of one job hides none.
    await store.run("UPDATE jobs SET started_at = '20000-01-01' WHERE id = :id", id=taken[1].job_id)
    await store.claims.finish(taken[0], JobState.SUCCEEDED)
    assert plainly(await store.claims.held(worker)) == plainly([taken[1]])
    assert await store.claims.held(await store.worker("idle")) == []
