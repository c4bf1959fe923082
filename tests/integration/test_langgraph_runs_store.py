"""Runs in the database, without any process: order of moves in a thread, and what is left of what nobody keeps."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mutirao.errors import NotFound
from mutirao.ids import new_id
from mutirao.jobs.leftovers import Leftovers
from mutirao.jobs.records import RunOptions
from mutirao.jobs.run_order import ThreadBusy, accept_in, clear_ways
from mutirao.jobs.runs import RunStatus, status_of
from mutirao.jobs.states import JobState

from tests.lab import Lab
from tests.stores import stores, submission

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def lab(database_url: str) -> AsyncIterator[Lab]:
    async with stores(database_url) as store:
        yield Lab(store)


async def test_a_new_run_supersedes_a_question(lab: Lab) -> None:
    first = await lab.run()
    await lab.ask(await lab.claim(first), "a", "b")
    assert status_of(await lab.store.get(first.id)) is RunStatus.SUCCESS
    second = await lab.run(first.thread_id)
    assert (await lab.store.get(first.id)).state is JobState.SUCCEEDED
    assert await lab.asked(first) == [("withdrawn", None), ("withdrawn", None)]
    last = (await lab.store.events(first.id))[-1]
    assert (last.type, last.data) == ("job.succeeded", {"superseded_by": str(second.id)})
    assert (await lab.claim(second)).job_id == second.id


@pytest.mark.parametrize(
    ("resume", "expected"),
    [
        ("yes", [("decided", "yes"), ("decided", "yes")]),
        ({"a": 1, "b": 2}, [("decided", 1), ("decided", 2)]),
        ({"b": 2}, [("withdrawn", None), ("decided", 2)]),
        ({"c": 3}, [("decided", {"c": 3}), ("decided", {"c": 3})]),
    ],
)
async def test_a_resume_is_the_decision(lab: Lab, resume: Any, expected: list[Any]) -> None:
    first = await lab.run()
    await lab.ask(await lab.claim(first), "a", "b")
    await lab.run(first.thread_id, command={"resume": resume})
    assert await lab.asked(first) == expected


async def test_a_question_makes_way_for_the_run_behind_it(lab: Lab) -> None:
    first = await lab.run()
    claim = await lab.claim(first)
    second = await lab.run(first.thread_id)
    await lab.ask(claim, "a")
    assert (await lab.store.get(first.id)).state is JobState.SUCCEEDED
    assert await lab.asked(first) == [("withdrawn", None)]
    assert (await lab.claim(second)).job_id == second.id


async def test_a_way_that_was_left_blocked_is_cleared(lab: Lab) -> None:
    first = await lab.run()
    await lab.ask(await lab.claim(first), "a")
    second = await lab.store.accept(thread_id=first.thread_id)
    await clear_ways(lab.store.db)
    assert (await lab.store.get(first.id)).state is JobState.PAUSED  # a native job behind it waits for the decision
    await lab.store.run("UPDATE jobs SET run = '{}' WHERE id = :id", id=second.id)
    await clear_ways(lab.store.db)
    assert (await lab.store.get(first.id)).state is JobState.SUCCEEDED


async def test_reject(lab: Lab) -> None:
    first = await lab.run()
    with pytest.raises(ThreadBusy, match=str(first.id)):
        await lab.run(first.thread_id, multitask_strategy="reject")
    await lab.ask(await lab.claim(first), "a")
    assert (await lab.run(first.thread_id, multitask_strategy="reject")).state is JobState.QUEUED


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_run_that_ends_those_before_it_does_so_in_the_name_of_who_submits_it(lab: Lab, strategy: str) -> None:
    first = await lab.run()
    await lab.claim(first)
    queued = await lab.run(first.thread_id)
    last = lab.submission(first.thread_id, multitask_strategy=strategy).model_copy(update={"created_by": "key:other"})
    await lab.runs.accept(last)
    assert {(await lab.store.get(job.id)).cancel_requested_by for job in (first, queued)} == {"key:other"}


async def test_two_runs_at_once_know_of_each_other(lab: Lab) -> None:
    """The later one waits for the thread with a look at its jobs that is older than the earlier one."""
    first = await lab.run()
    await lab.store.claims.finish(await lab.claim(first), JobState.SUCCEEDED, output={})
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with lab.store.db.begin() as connection:
        fields: dict[str, Any] = {"run": RunOptions(), "thread_id": first.thread_id}
        earlier = await accept_in(connection, submission(lab.store.project, **fields))
        later = asyncio.create_task(lab.run(first.thread_id, multitask_strategy="reject"))
        while not await lab.store.run(waiting):
            await asyncio.sleep(0.01)
    with pytest.raises(ThreadBusy, match=str(earlier.id)):
        await later


async def test_a_thread_remembers_what_its_runs_are(lab: Lab) -> None:
    job = await lab.run(new_id(), config={"tags": ["a"]})
    [row] = await lab.store.run("SELECT * FROM threads WHERE id = :id", id=job.thread_id)
    assert (row.workflow, row.config, row.metadata["graph_id"]) == ("flow", {"tags": ["a"]}, "flow")


async def test_what_nobody_keeps(lab: Lab) -> None:
    soon = Leftovers(lab.store.db, 60)
    fresh, old, kept, paused = [await lab.run(ephemeral=name != "kept") for name in ("fresh", "old", "kept", "paused")]
    for job in (fresh, old, kept):
        await lab.store.claims.finish(await lab.claim(job), JobState.SUCCEEDED, output={})
    await lab.ask(await lab.claim(paused), "a")
    for job in (old, kept):
        await lab.store.run("UPDATE jobs SET finished_at = now() - interval '2 minutes' WHERE id = :id", id=job.id)
    await soon.clear()
    threads = {row.id for row in await lab.store.run("SELECT id FROM threads")}
    assert threads == {fresh.thread_id, kept.thread_id, paused.thread_id}


async def test_a_rolled_back_run_is_hidden_and_then_deleted(lab: Lab) -> None:
    before = await lab.run()
    job = await lab.run(before.thread_id)
    await lab.runs.cancel(lab.store.project, job.id, rollback=True)
    with pytest.raises(NotFound):
        await lab.runs.get(lab.store.project, job.id)
    await Leftovers(lab.store.db, 60).clear()
    assert len(await lab.store.run("SELECT id FROM jobs")) == 2
    await lab.store.run("UPDATE jobs SET finished_at = now() - interval '2 minutes' WHERE id = :id", id=job.id)
    await Leftovers(lab.store.db, 60).clear()
    assert [row.id for row in await lab.store.run("SELECT id FROM jobs")] == [before.id]
    assert len(await lab.store.run("SELECT id FROM threads")) == 1
