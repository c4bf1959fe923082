"""Fan-out: children all or none, a parent without a slot, results in order; on real graphs and the real database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langgraph.types import interrupt
from mutirao.errors import Conflict, InputRejected, LeaseLost, TooLarge
from mutirao.jobs.approvals import ApprovalStore
from mutirao.jobs.children import ChildStore
from mutirao.jobs.records import Job, Problem
from mutirao.jobs.states import JobState
from mutirao.settings import ModelSettings, WorkerSettings
from mutirao_agents import ChildResult, fan_out, fan_out_sync, use_context
from mutirao_agents.testing import test_context as job_context_of

from tests.attempts import Attempts, State, attempts
from tests.stores import entry, submission

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

CHILD = "child"
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.fixture
async def lab(database_url: str, tmp_path: Path) -> AsyncIterator[Attempts]:
    worker = WorkerSettings(max_children=1_000)
    async with attempts(database_url, tmp_path, model=ModelSettings(model="none"), worker=worker) as found:
        found.served.add(CHILD)
        worker_id = await found.store.worker("children", workflows=[])
        await found.store.catalogue.publish(
            worker_id, [entry(CHILD).model_copy(update={"input_schema": SCHEMA, "queue": "default"})]
        )
        yield found


async def children(lab: Attempts, job: Job) -> list[Job]:
    rows = await lab.store.run("SELECT id FROM jobs WHERE parent_id = :id ORDER BY id", id=job.id)
    return [await lab.store.get(id_) for [id_] in rows]


async def end(lab: Attempts, child: UUID, state: JobState = JobState.SUCCEEDED, output: Any = None) -> None:
    """Let a child end as a worker would."""
    claim = await lab.claim(child)
    error = None if state is JobState.SUCCEEDED else Problem(code="step_failed", message="no")
    await lab.store.claims.finish(claim, state, output=output, error=error)
    if state is not JobState.SUCCEEDED:
        await ChildStore(lab.store.db).cut_short(claim.group_id)
    await lab.store.claims.wake_parent(child)


def plain(results: list[ChildResult]) -> list[list[Any]]:
    return [[result.ordinal, result.state.value, result.output, (result.error or {}).get("code")] for result in results]


async def test_a_step_waits_for_its_children_without_a_slot_and_gets_every_end_in_order(lab: Attempts) -> None:
    async def spread(state: State) -> State:
        return {"x": plain(await fan_out(CHILD, [{"n": 1}, {"n": 2}, {"n": 3}]))}

    lab.steps(spread)
    job = await lab.store.accept(priority=7)
    waiting = await lab.run(job.id)
    assert (waiting.state, waiting.waiting_for) == (JobState.WAITING, "children")
    first, second, third = await children(lab, job)
    assert [(child.input, child.priority, child.ordinal) for child in (first, second, third)] == [
        ({"n": 1}, 7, 0),
        ({"n": 2}, 7, 1),
        ({"n": 3}, 7, 2),
    ]
    assert len({job.thread_id, first.thread_id, second.thread_id, third.thread_id}) == 4
    await end(lab, third.id, output={"x": 6})
    await end(lab, second.id, JobState.FAILED)
    assert (await lab.store.get(job.id)).state is JobState.WAITING
    await end(lab, first.id, output={"x": 2})
    assert (await lab.store.get(job.id)).state is JobState.QUEUED
    done = await lab.run(job.id)
    assert done.state is JobState.SUCCEEDED
    assert done.output["x"] == [
        [0, "succeeded", {"x": 2}, None],
        [1, "failed", None, "step_failed"],
        [2, "succeeded", {"x": 6}, None],
    ]
    assert len(await children(lab, job)) == 3


def test_fan_out_of_nothing_is_nothing() -> None:
    with use_context(job_context_of()):
        assert asyncio.run(fan_out(CHILD, [])) == fan_out_sync(CHILD, []) == []


async def test_two_fan_outs_of_a_step_and_one_of_a_synchronous_step_are_told_apart(lab: Attempts) -> None:
    async def twice(state: State) -> State:
        first = await fan_out(CHILD, [{"n": 1}])
        second = await fan_out(CHILD, [{"n": first[0].output}])
        return {"x": second[0].output}

    def plainly(state: State) -> State:
        return {"x": fan_out_sync(CHILD, [{"n": state["x"]}])[0].output}

    lab.steps(twice, plainly)
    job = await lab.store.accept()
    for expected in (1, 10, 100):
        assert (await lab.run(job.id)).state is JobState.WAITING
        child = (await children(lab, job))[-1]
        assert child.input == {"n": expected}
        await end(lab, child.id, output=expected * 10)
    assert (await lab.run(job.id)).output == {"x": 1_000}


async def test_a_crash_between_group_and_end_makes_no_second_group(lab: Attempts) -> None:
    begun, hang = asyncio.Event(), asyncio.Event()

    async def spread(state: State) -> State:
        if begun.is_set():
            return {"x": plain(await fan_out(CHILD, [{"n": 1}]))}
        try:
            await fan_out(CHILD, [{"n": 1}])
        finally:
            begun.set()
            await hang.wait()
        return {}

    lab.steps(spread)
    job = await lab.store.accept()
    await lab.crash(job.id, begun)
    assert (await lab.run(job.id)).state is JobState.WAITING
    [child] = await children(lab, job)
    await end(lab, child.id, output=1)
    assert (await lab.run(job.id)).output == {"x": [[0, "succeeded", 1, None]]}


async def test_children_do_not_take_the_answers_of_people(lab: Attempts) -> None:
    async def step(state: State) -> State:
        results = await fan_out(CHILD, [{"n": 1}])
        answer = interrupt({"question": "go on?"})
        again = await fan_out(CHILD, [{"n": 2}])
        return {"x": [results[0].output, answer, again[0].output]}

    lab.steps(step)
    job = await lab.store.accept()
    assert (await lab.run(job.id)).state is JobState.WAITING
    [child] = await children(lab, job)
    await end(lab, child.id, output="a")
    paused = await lab.run(job.id)
    assert (paused.state, paused.waiting_for) == (JobState.PAUSED, "approval")
    await decide(lab, job, "yes")
    assert (await lab.run(job.id)).state is JobState.WAITING
    await end(lab, (await children(lab, job))[1].id, output="b")
    assert (await lab.run(job.id)).output == {"x": ["a", "yes", "b"]}


async def decide(lab: Attempts, job: Job, decision: Any) -> None:
    approvals = ApprovalStore(lab.store.db)
    [pending] = [found for found in await approvals.of_job(lab.store.project, job.id) if found.state == "pending"]
    await approvals.decide(lab.store.project, pending.id, decision, comment=None, by="test")


async def test_of_a_group_that_fails_fast_the_rest_is_cancelled(lab: Attempts) -> None:
    async def spread(state: State) -> State:
        return {"x": plain(await fan_out(CHILD, [{"n": n} for n in range(4)], fail_fast=True))}

    lab.steps(spread)
    job = await lab.store.accept()
    await lab.run(job.id)
    first, second, *_ = await children(lab, job)
    await end(lab, first.id, output=1)
    await end(lab, second.id, JobState.FAILED)
    done = await lab.run(job.id)
    assert [row[1] for row in done.output["x"]] == ["succeeded", "failed", "cancelled", "cancelled"]


async def test_the_reconciler_cuts_short_what_nobody_else_has(lab: Attempts) -> None:
    async def spread(state: State) -> State:
        await fan_out(CHILD, [{"n": 1}, {"n": 2}], fail_fast=True)
        return {}

    lab.steps(spread)
    job = await lab.store.accept()
    await lab.run(job.id)
    first, second = await children(lab, job)
    await lab.store.claims.finish(await lab.claim(first.id), JobState.DEAD, error=Problem(code="dead", message="no"))
    await lab.store.claims.reconcile()
    assert (await lab.store.get(second.id)).state is JobState.CANCELLED
    await lab.store.claims.reconcile()
    assert (await lab.store.get(job.id)).state is JobState.QUEUED


async def failing(lab: Attempts, inputs: Any) -> Job:
    async def spread(state: State) -> State:
        await fan_out(CHILD, inputs)
        return {}

    lab.steps(spread)
    job = await lab.store.accept()
    ended = await lab.run(job.id)
    assert await children(lab, job) == []
    return ended


async def test_inputs_are_checked_before_anything_is_written(lab: Attempts) -> None:
    ended = await failing(lab, [{"n": 1}, {"n": "two"}, {"m": 3}])
    assert ended.state is JobState.FAILED
    assert ended.error is not None
    assert (ended.error.code, ended.error.message) == (
        InputRejected.code,
        "input 1: input of workflow 'child': /n: 'two' is not of type 'integer'",
    )
    ended = await failing(lab, [{"n": 1}, {"n": 2, "o": object()}])
    assert ended.error is not None
    assert ended.error.message.startswith("input 1: it is no JSON")


async def test_more_children_than_a_group_may_have_are_refused(lab: Attempts) -> None:
    ended = await failing(lab, [{"n": 1}] * 1_001)
    assert ended.error is not None
    assert ended.error.code == TooLarge.code
    assert "MUTIRAO_MAX_CHILDREN=1000" in ended.error.message


async def test_a_step_that_changes_its_mind_is_told_so(lab: Attempts) -> None:
    wanted = [{"n": 1}, {"n": 2}]

    async def spread(state: State) -> State:
        await fan_out(CHILD, wanted)
        return {}

    lab.steps(spread)
    job = await lab.store.accept()
    await lab.run(job.id)
    for child in await children(lab, job):
        await end(lab, child.id)
    wanted.pop()
    ended = await lab.run(job.id)
    assert ended.error is not None
    assert (ended.error.code, "had 2 inputs before and has 1 now" in ended.error.message) == (Conflict.code, True)


async def test_an_attempt_that_lost_its_job_starts_no_children(lab: Attempts) -> None:
    claim = await lab.store.claimed()
    [[worker]] = await lab.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=claim.job_id)
    await lab.store.lose(worker)
    with pytest.raises(LeaseLost):
        await ChildStore(lab.store.db).start(claim, "step:1#0", [submission(lab.store.project)])
    assert (
        await lab.store.run("SELECT 1 FROM job_groups UNION ALL SELECT 1 FROM jobs WHERE parent_id IS NOT NULL") == []
    )


async def test_a_thousand_children_are_one_statement_and_come_back_in_order(lab: Attempts) -> None:
    async def spread(state: State) -> State:
        results = await fan_out(CHILD, [{"n": n} for n in range(1_000)])
        return {"x": [result.output for result in results]}

    lab.steps(spread)
    job = await lab.store.accept()
    assert (await lab.run(job.id)).state is JobState.WAITING
    assert await lab.store.run("SELECT count(*), count(DISTINCT xmin::text) FROM jobs WHERE parent_id IS NOT NULL") == [
        (1_000, 1)
    ]
    await lab.store.run("ALTER TABLE jobs DISABLE TRIGGER jobs_transition")
    await lab.store.run(
        "UPDATE jobs SET state = 'succeeded', finished_at = now(), output = to_jsonb(ordinal) WHERE parent_id = :id",
        id=job.id,
    )
    await lab.store.run("ALTER TABLE jobs ENABLE TRIGGER jobs_transition")
    await lab.store.claims.reconcile()
    assert (await lab.run(job.id)).output == {"x": list(range(1_000))}


async def test_children_that_are_retried_are_waited_for_again(lab: Attempts) -> None:
    async def spread(state: State) -> State:
        [result] = await fan_out(CHILD, [{"n": 1}])
        if not result.ok:
            raise ValueError("no result")
        return {"x": result.output}

    lab.steps(spread)
    job = await lab.store.accept()
    await lab.run(job.id)
    [child] = await children(lab, job)
    await end(lab, child.id, JobState.FAILED)
    assert (await lab.run(job.id)).state is JobState.FAILED
    await lab.store.jobs.retry(lab.store.project, child.id)
    await lab.store.jobs.retry(lab.store.project, job.id)
    assert (await lab.run(job.id)).state is JobState.WAITING
    await end(lab, child.id, output=2)
    assert (await lab.run(job.id)).output == {"x": 2}
