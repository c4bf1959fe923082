"""How attempts let go of jobs: failures that are tried again, holding for children or people, what was asked meanwhile."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from mutirao.errors import LeaseLost
from mutirao.ids import new_id
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.states import JobState
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.stores import QUEUE, Stores, stores, submission

pytestmark = [pytest.mark.integration, pytest.mark.anyio]
PROBLEM = Problem(code="step_failed", message="no", step="s", kind="ValueError")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as found:
        yield found


async def types(store: Stores, claim: Claim) -> list[str]:
    """Types of the job's events, which are numbered without gaps."""
    events = await store.events(claim.job_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert (await store.get(claim.job_id)).last_seq == len(events)
    return [event.type for event in events]


async def again(store: Stores, claim: Claim) -> Claim:
    """The next attempt at the job, whenever it is due."""
    await store.run("UPDATE jobs SET available_at = now() WHERE id = :id", id=claim.job_id)
    [found] = await store.take(await store.worker(f"w-{new_id()}"), ids=[claim.job_id])
    return found


async def fan_out(store: Stores, parent: Claim, count: int) -> list[Claim]:
    """So many children of a parent that waits for them, each claimed."""
    ids = await store.jobs.accept_many(
        [submission(store.project) for _ in range(count)], parent=parent, group_id=new_id()
    )
    assert await store.claims.hold(parent, JobState.WAITING, "children") is JobState.WAITING
    return await store.take(await store.worker(f"w-{new_id()}"), limit=count, ids=ids)


async def test_without_tries_a_failure_is_the_end(store: Stores) -> None:
    claim = await store.claimed()
    assert await store.claims.fail(claim, PROBLEM, events=[NewEvent(type="note")]) is JobState.FAILED
    job = await store.get(claim.job_id)
    assert (job.state, job.error, job.failures) == (JobState.FAILED, PROBLEM, 1)
    assert job.finished_at is not None
    assert (await types(store, claim))[2:] == ["note", "job.failed"]


async def test_a_failure_is_tried_again_after_a_growing_pause_until_the_job_is_dead(store: Stores) -> None:
    retry = {"failures": 3, "backoff_seconds": 10, "factor": 3, "max_backoff_seconds": 60}
    claim = await store.claimed(retry=retry)
    for pause in (10, 30, 60):
        assert await store.claims.fail(claim, PROBLEM) is JobState.QUEUED
        [row] = await store.run(
            "SELECT extract(epoch FROM available_at - now()) AS left FROM jobs WHERE id = :id", id=claim.job_id
        )
        assert pause - 5 < row.left <= pause
        assert await store.take(await store.worker(f"w-{new_id()}"), limit=10) == []
        last = (await store.events(claim.job_id))[-1]
        assert (last.type, last.data["error"]["code"]) == ("attempt.failed", "step_failed")
        assert "retry_at" in last.data
        claim = await again(store, claim)
    assert await store.claims.fail(claim, PROBLEM) is JobState.DEAD
    job = await store.get(claim.job_id)
    assert (job.state, job.error, job.failures, job.attempts) == (JobState.DEAD, PROBLEM, 4, 4)
    attempts = await store.jobs.attempts(claim.job_id)
    assert [(attempt.outcome, attempt.error) for attempt in attempts] == [("failed", PROBLEM)] * 4
    assert (await types(store, claim)).count("attempt.failed") == 3


async def test_a_failure_of_a_job_that_was_asked_to_end_is_a_cancel(store: Stores) -> None:
    claim = await store.claimed(retry={"failures": 3})
    await store.jobs.cancel(store.project, claim.job_id)
    assert await store.claims.fail(claim, PROBLEM) is JobState.CANCELLED
    assert (await store.get(claim.job_id)).error is None


async def test_a_failure_of_a_job_that_was_asked_to_pause_waits_paused(store: Stores) -> None:
    claim = await store.claimed(retry={"failures": 1, "backoff_seconds": 0})
    await store.jobs.pause(store.project, claim.job_id)
    assert await store.claims.fail(claim, PROBLEM) is JobState.QUEUED
    assert await store.take(await store.worker("w"), limit=10) == []
    assert await store.claims.reconcile() == [(claim.job_id, QUEUE, JobState.PAUSED)]
    await store.jobs.resume(store.project, claim.job_id)
    assert (await again(store, claim)).epoch == 2


async def test_stale_attempts_neither_fail_nor_hold(store: Stores) -> None:
    claim = await store.claimed()
    await store.claims.finish(claim, JobState.SUCCEEDED)
    before = await store.get(claim.job_id), await store.events(claim.job_id)
    for call in (
        store.claims.fail(claim, PROBLEM, events=[NewEvent(type="note")]),
        store.claims.hold(claim, JobState.PAUSED, "approval", events=[NewEvent(type="note")]),
        store.claims.hold(claim, JobState.WAITING, "children"),
    ):
        with pytest.raises(LeaseLost):
            await call
    assert (await store.get(claim.job_id), await store.events(claim.job_id)) == before


async def test_a_hand_back_may_change_the_kind(store: Stores) -> None:
    claim = await store.claimed()
    await store.claims.hand_back(claim, kind="exclusive")
    job = await store.get(claim.job_id)
    assert (job.state, job.kind) == (JobState.QUEUED, "exclusive")
    last = (await store.events(claim.job_id))[-1]
    assert (last.type, last.data) == ("attempt.handed_back", {"kind": "exclusive"})
    assert (await again(store, claim)).kind == "exclusive"


async def test_a_hand_back_of_a_job_that_was_asked_to_pause_pauses_it(store: Stores) -> None:
    claim = await store.claimed()
    await store.jobs.pause(store.project, claim.job_id)
    assert await store.claims.asked([claim.job_id]) == [(claim.job_id, "pause")]
    await store.claims.hand_back(claim)
    job = await store.get(claim.job_id)
    assert (job.state, job.waiting_for, job.pause_requested_at) == (JobState.PAUSED, "request", None)
    assert (await types(store, claim))[-1] == "job.paused"


async def test_a_cancel_goes_before_a_pause(store: Stores) -> None:
    claim = await store.claimed()
    await store.jobs.pause(store.project, claim.job_id)
    await store.jobs.cancel(store.project, claim.job_id)
    assert await store.claims.asked([claim.job_id]) == [(claim.job_id, "cancel")]
    await store.claims.hand_back(claim)
    assert (await store.get(claim.job_id)).state is JobState.CANCELLED


async def test_a_held_job_has_no_worker_and_its_attempt_has_ended(store: Stores) -> None:
    claim = await store.claimed()
    held = await store.claims.hold(claim, JobState.PAUSED, "approval", events=[NewEvent(type="note")])
    job = await store.get(claim.job_id)
    assert (held, job.state, job.waiting_for) == (JobState.PAUSED, JobState.PAUSED, "approval")
    assert [attempt.outcome for attempt in await store.jobs.attempts(claim.job_id)] == ["held"]
    assert (await types(store, claim))[2:] == ["note", "job.paused"]
    assert (await store.events(claim.job_id))[-1].data == {"waiting_for": "approval"}
    assert await store.run("SELECT 1 FROM jobs WHERE worker_id IS NOT NULL") == []


async def test_what_is_written_along_with_a_hold_is_one_transaction_with_it(store: Stores) -> None:
    claim = await store.claimed()

    async def also(connection: AsyncConnection) -> None:
        state = await connection.scalar(text("SELECT state FROM jobs WHERE id = :id"), {"id": claim.job_id})
        assert state == "paused"
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await store.claims.hold(claim, JobState.PAUSED, "approval", also=also)
    assert (await store.get(claim.job_id)).state is JobState.RUNNING
    await store.jobs.cancel(store.project, claim.job_id)
    assert await store.claims.hold(claim, JobState.PAUSED, "approval", also=also) is JobState.CANCELLED


async def test_only_waiting_and_paused_jobs_are_held(store: Stores) -> None:
    with pytest.raises(ValueError, match="queued"):
        await store.claims.hold(await store.claimed(), JobState.QUEUED, "children")


async def test_children_are_jobs_of_their_parent(store: Stores) -> None:
    parent = await store.claimed(priority=7)
    group = new_id()
    wanted = [submission(store.project, input={"n": n}, retry={"failures": n}, budget={"steps": 5}) for n in range(3)]
    ids = await store.jobs.accept_many(wanted, parent=parent, group_id=group)
    children = await store.jobs.children(store.project, parent.job_id)
    assert [child.id for child in children] == ids
    assert [(child.ordinal, child.input, child.retry.failures) for child in children] == [
        (n, {"n": n}, n) for n in range(3)
    ]
    assert {(child.parent_id, child.priority, child.state) for child in children} == {(parent.job_id, 7, "queued")}
    assert len({child.thread_id for child in children} | {parent.thread_id}) == 4
    assert [event.type for event in await store.events(ids[0])] == ["job.queued"]
    assert children[0].budget is not None
    assert await store.jobs.accept_many(wanted, parent=parent, group_id=group) == ids, "a group is made once"
    assert [
        child.id for child in await store.jobs.children(store.project, parent.job_id, after=ids[0], limit=1)
    ] == ids[1:2]
    assert await store.jobs.children(store.project, parent.job_id, states=[JobState.FAILED]) == []
    assert await store.jobs.children(uuid4(), parent.job_id) == []


async def test_children_have_no_later_deadline_than_their_parent(store: Stores) -> None:
    [row] = await store.run("SELECT now() + interval '1 hour' AS soon, now() + interval '2 hours' AS late")
    parent = await store.claimed(deadline_at=row.soon)
    wanted = [submission(store.project, deadline_at=when) for when in (None, row.late)]
    await store.jobs.accept_many(wanted, parent=parent, group_id=new_id())
    children = await store.jobs.children(store.project, parent.job_id)
    assert [child.deadline_at for child in children] == [row.soon, row.soon]


async def test_an_attempt_that_does_not_hold_its_job_has_no_children(store: Stores) -> None:
    stale, asked = await store.claimed(), await store.claimed()
    await store.claims.finish(stale, JobState.SUCCEEDED)
    await store.jobs.cancel(store.project, asked.job_id)
    for claim in (stale, asked):
        with pytest.raises(LeaseLost):
            await store.jobs.accept_many([submission(store.project)], parent=claim, group_id=new_id())
    assert await store.run("SELECT 1 FROM jobs WHERE parent_id IS NOT NULL") == []


async def test_the_last_child_wakes_its_parent(store: Stores) -> None:
    parent = await store.claimed()
    first, second = await fan_out(store, parent, 2)
    await store.claims.finish(first, JobState.SUCCEEDED)
    assert not await store.claims.wake_parent(first.job_id)
    assert (await store.get(parent.job_id)).state is JobState.WAITING
    await store.claims.finish(second, JobState.FAILED, error=PROBLEM)
    assert await store.claims.wake_parent(second.job_id)
    assert not await store.claims.wake_parent(second.job_id)
    assert (await store.get(parent.job_id)).state is JobState.QUEUED
    assert (await types(store, parent))[2:] == ["job.waiting", "job.resumed"]
    assert (await again(store, parent)).epoch == 2


async def test_a_parent_whose_children_have_ended_before_it_waits_does_not_wait(store: Stores) -> None:
    parent = await store.claimed()
    [child] = await store.jobs.accept_many([submission(store.project)], parent=parent, group_id=new_id())
    await store.jobs.cancel(store.project, child)
    await store.claims.hold(parent, JobState.WAITING, "children")
    assert (await store.get(parent.job_id)).state is JobState.QUEUED


async def test_a_parent_that_nobody_woke_is_found(store: Stores) -> None:
    parent = await store.claimed()
    [child] = await fan_out(store, parent, 1)
    assert await store.claims.reconcile() == []
    await store.claims.finish(child, JobState.SUCCEEDED)
    assert await store.claims.reconcile() == [(parent.job_id, QUEUE, JobState.QUEUED)]


async def test_cancelling_the_last_child_wakes_its_parent(store: Stores) -> None:
    parent = await store.claimed()
    [child] = await store.jobs.accept_many([submission(store.project)], parent=parent, group_id=new_id())
    await store.claims.hold(parent, JobState.WAITING, "children")
    await store.jobs.cancel(store.project, child)
    assert (await store.get(parent.job_id)).state is JobState.QUEUED
