"""The order of a thread's runs, whatever happens at once: delays, clocks that differ, questions, ends, deletions."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from mutirao import ids
from mutirao.errors import AlreadyDecided, NotFound
from mutirao.ids import new_id
from mutirao.jobs.leftovers import Leftovers
from mutirao.jobs.run_order import clear_ways
from mutirao.jobs.runs import RunStatus
from mutirao.jobs.states import JobState
from mutirao.threads import ThreadStore
from sqlalchemy import text

from tests.lab import Lab
from tests.stores import stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

_LOCK = text("SELECT 1 FROM threads WHERE id = :id FOR NO KEY UPDATE")
_WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def lab(database_url: str) -> AsyncIterator[Lab]:
    async with stores(database_url) as store:
        yield Lab(store)


async def wait_for_a_lock(lab: Lab, count: int = 1) -> None:
    async with asyncio.timeout(20):
        while len(await lab.store.run(_WAITING)) < count:
            await asyncio.sleep(0.01)


async def test_a_run_that_begins_later_blocks_nobody_until_its_time(lab: Lab) -> None:
    later = await lab.run(delay=3600)
    now = await lab.run(later.thread_id)
    await lab.store.claims.finish(await lab.claim(now), JobState.SUCCEEDED)
    behind = await lab.run(later.thread_id)
    await lab.due(later)
    assert not await lab.claims(behind)
    assert await lab.claims(later)


async def test_a_run_that_is_tried_again_later_keeps_its_place(lab: Lab) -> None:
    first = await lab.run()
    claim = await lab.claim(first)
    await lab.store.claims.hand_back(claim)
    await lab.store.run("UPDATE jobs SET available_at = now() + interval '1 hour' WHERE id = :id", id=first.id)
    assert not await lab.claims(await lab.run(first.thread_id))


async def test_a_question_stays_open_until_the_time_of_a_run_that_begins_later(lab: Lab) -> None:
    asking = await lab.run()
    later = await lab.run(asking.thread_id, delay=3600)
    await lab.ask(await lab.claim(asking), "a")
    latest = await lab.run(asking.thread_id, delay=7200)
    await clear_ways(lab.store.db)
    assert await lab.asked(asking) == [("pending", None)]
    await lab.due(later)
    await clear_ways(lab.store.db)
    assert await lab.asked(asking) == [("withdrawn", None)]
    assert not await lab.claims(latest)
    assert await lab.claims(later)


async def test_ids_follow_one_another_in_a_thread_whatever_the_clocks_say(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await lab.run()
    claim = await lab.claim(first)
    now = ids.time.time_ns
    monkeypatch.setattr(ids.time, "time_ns", lambda: now() - 60_000_000_000)
    second = await lab.run(first.thread_id)
    native = await lab.store.accept(thread_id=first.thread_id)
    assert first.id < second.id < native.id
    assert await lab.runs.following(lab.store.project, first.thread_id, first.id) == (second.id, False)
    await lab.ask(claim, "a")
    await clear_ways(lab.store.db)
    assert await lab.claims(second)


async def test_ids_are_made_when_the_thread_is_locked(lab: Lab) -> None:
    thread = (await lab.run()).thread_id
    async with lab.store.db.begin() as connection:
        await connection.execute(_LOCK, {"id": thread})
        waiting = asyncio.create_task(lab.store.accept(thread_id=thread))
        await wait_for_a_lock(lab)
        before = new_id()
    assert (await waiting).id > before


async def test_runs_follow_one_another_as_they_have_begun(lab: Lab) -> None:
    later = await lab.run(delay=3600)
    thread, project = later.thread_id, lab.store.project
    assert await lab.runs.following(project, thread, None) is None
    assert await lab.runs.last(project, thread) is None
    first = await lab.run(thread)
    assert await lab.runs.following(project, thread, None) == (first.id, False)
    claim = await lab.claim(first)
    assert await lab.runs.following(project, thread, None) == (first.id, True)
    await lab.store.claims.finish(claim, JobState.SUCCEEDED)
    await lab.due(later)
    await lab.store.claims.finish(await lab.claim(later), JobState.FAILED)
    assert await lab.runs.following(project, thread, first.id) == (later.id, True)
    assert await lab.runs.following(project, thread, later.id) is None
    last = await lab.runs.last(project, thread)
    assert last is not None
    assert last.id == later.id
    assert (await ThreadStore(lab.store.db).get(project, thread)).status == "error"


async def test_what_a_run_resumes_with_is_a_decision(lab: Lab) -> None:
    asking = await lab.run()
    await lab.ask(await lab.claim(asking), "a")
    await lab.run(asking.thread_id, command={"resume": "yes"})
    [approval] = await lab.approvals.of_job(lab.store.project, asking.id)
    assert (approval.state, approval.decision, approval.decided_by, approval.revision) == (
        "decided",
        "yes",
        "key:test",
        2,
    )
    [row] = await lab.store.run(
        "SELECT actor, action, data FROM audit_log WHERE resource_id = :id", id=str(approval.id)
    )
    assert (row.actor, row.action, row.data["decision"]) == ("key:test", "approval.decide", "yes")
    assert [event.type for event in await lab.store.events(asking.id)][-2:] == ["approval.decided", "job.succeeded"]


async def test_a_run_answers_no_question_whose_time_has_passed(lab: Lab) -> None:
    asking = await lab.run()
    await lab.ask(await lab.claim(asking), "a", expires_seconds=60)
    await lab.store.run("UPDATE approvals SET expires_at = now() - interval '1 second'")
    with pytest.raises(AlreadyDecided, match="expired"):
        await lab.run(asking.thread_id, command={"resume": "yes"})
    assert await lab.asked(asking) == [("pending", None)]
    assert (await lab.store.get(asking.id)).state is JobState.PAUSED


async def test_a_run_that_comes_to_rest_before_its_cancel_is_not_cancelled(lab: Lab) -> None:
    asking = await lab.run()
    claim, project = await lab.claim(asking), lab.store.project
    async with lab.store.db.begin() as connection:
        await connection.execute(_LOCK, {"id": asking.thread_id})
        cancels = [
            asyncio.create_task(lab.runs.cancel(project, asking.id)),
            asyncio.create_task(lab.runs.cancel_some(project, asking.thread_id, [asking.id])),
            asyncio.create_task(lab.runs.cancel_all(project, [RunStatus.RUNNING])),
        ]
        await wait_for_a_lock(lab, len(cancels))
        await lab.ask(claim, "a")
    one, some, all_of_them = await asyncio.gather(*cancels, return_exceptions=True)
    assert isinstance(one, NotFound)
    assert "not active any more: success" in one.message
    assert (some, all_of_them) == (0, 0)
    assert await lab.asked(asking) == [("pending", None)]


async def test_threads_are_locked_before_their_jobs(lab: Lab) -> None:
    threads = ThreadStore(lab.store.db)
    thread = (await lab.run()).thread_id
    for _ in range(20):
        await lab.run(thread)
    for _ in range(5):
        more = [lab.run(thread, multitask_strategy=strategy) for strategy in ("interrupt", "rollback")]
        ends = [threads.ask_end(lab.store.project, [thread]), threads.delete(lab.store.project, [thread])]
        await asyncio.gather(*more, *ends)


async def test_runs_of_a_batch_are_there_together_or_not_at_all(lab: Lab) -> None:
    good = [lab.submission(None, ephemeral=ephemeral) for ephemeral in (True, False)]
    bad = good[0].model_copy(update={"queue": None})
    with pytest.raises(Exception, match="queue"):
        await lab.runs.accept_all([*good, bad])
    assert await lab.store.page() == []
    jobs = await lab.runs.accept_all(good)
    assert [job.id for job in await lab.store.page()] == [job.id for job in jobs[::-1]]


async def test_a_rolled_back_run_stays_until_its_webhook_was_told(lab: Lab) -> None:
    given = lab.submission(None).model_copy(update={"webhook": "https://example.com/told"})
    job = await lab.runs.accept(given)
    await lab.runs.cancel(lab.store.project, job.id, rollback=True)
    await lab.store.run("UPDATE jobs SET finished_at = now() - interval '2 minutes' WHERE id = :id", id=job.id)
    await Leftovers(lab.store.db, 60).clear()
    assert [row.state for row in await lab.store.run("SELECT state FROM webhook_deliveries")] == ["pending"]
    await lab.store.run("UPDATE webhook_deliveries SET state = 'delivered'")
    await Leftovers(lab.store.db, 60).clear()
    assert await lab.store.run("SELECT 1 FROM jobs") == []
