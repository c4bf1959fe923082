"""What clients do to jobs that are there: cancel a whole tree, pause, resume, retry, fork."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from mutirao.catalogue import WorkflowUnknown
from mutirao.errors import Conflict, LeaseLost, NotFound
from mutirao.ids import new_id
from mutirao.jobs.records import Budget, Claim, Job, NewEvent, Problem
from mutirao.jobs.states import JobState

from tests.stores import QUEUE, WORKFLOW, Stores, entry, stores, submission

pytestmark = [pytest.mark.integration, pytest.mark.anyio]
PROBLEM = Problem(code="step_failed", message="no")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as found:
        yield found


async def again(store: Stores, job_id: UUID) -> Claim:
    """The next attempt at the job."""
    [claim] = await store.take(await store.worker(f"w-{new_id()}"), ids=[job_id])
    return claim


async def children(store: Stores, parent: Claim, count: int = 1) -> list[UUID]:
    """New children of a job."""
    wanted = [submission(store.project) for _ in range(count)]
    return await store.jobs.accept_many(wanted, parent=parent, group_id=new_id())


async def held(store: Stores, state: JobState) -> Job:
    """A job that is in one of the states in which it has no worker but has not ended."""
    claim = await store.claimed()
    if state is JobState.QUEUED:
        await store.claims.hand_back(claim)
    elif state is JobState.WAITING:
        await children(store, claim)
        await store.claims.hold(claim, JobState.WAITING, "children")
    elif state is JobState.PAUSED:
        await store.claims.hold(claim, JobState.PAUSED, "approval")
    else:
        await store.claims.hand_back(claim)
        await store.run("UPDATE jobs SET state = 'stranded' WHERE id = :id", id=claim.job_id)
    return await store.get(claim.job_id)


async def ended(store: Stores, state: JobState, **fields: object) -> Job:
    """A job that has ended so."""
    claim = await store.claimed(**fields)
    if state is JobState.CANCELLED:
        await store.jobs.cancel(store.project, claim.job_id)
    await store.claims.finish(claim, state, error=PROBLEM)
    return await store.get(claim.job_id)


HELD = [JobState.QUEUED, JobState.WAITING, JobState.PAUSED, JobState.STRANDED]
RETRIED = [JobState.FAILED, JobState.DEAD, JobState.BUDGET_EXHAUSTED]


@pytest.mark.parametrize("state", HELD)
async def test_a_job_without_a_worker_is_cancelled_at_once(store: Stores, state: JobState) -> None:
    job = await held(store, state)
    cancelled = await store.jobs.cancel(store.project, job.id)
    assert (cancelled.state, cancelled.waiting_for) == (JobState.CANCELLED, None)
    assert cancelled.finished_at is not None
    assert (await store.events(job.id))[-1].type == "job.cancelled"


async def test_a_cancel_ends_the_whole_tree(store: Stores) -> None:
    root = await store.claimed()
    queued, running, done = await children(store, root, 3)
    below = await again(store, running)
    await store.claims.finish(await again(store, done), JobState.SUCCEEDED)
    [deep] = await children(store, below)
    stranger = await store.accept()
    await store.claims.hold(root, JobState.WAITING, "children")
    await store.jobs.cancel(store.project, root.job_id)
    states = {
        job_id: (await store.get(job_id)).state for job_id in (root.job_id, queued, running, done, deep, stranger.id)
    }
    assert list(states.values()) == ["cancelled", "cancelled", "running", "succeeded", "cancelled", "queued"]
    assert await store.claims.asked([running]) == [(running, "cancel")]
    with pytest.raises(LeaseLost):
        await children(store, below)


async def test_who_has_first_asked_for_the_end_is_kept_with_all_that_ends_by_it(store: Stores) -> None:
    root = await store.claimed(created_by="key:owner")
    queued, running, done = await children(store, root, 3)
    below = await again(store, running)
    await store.claims.finish(await again(store, done), JobState.SUCCEEDED)
    await store.jobs.cancel(store.project, queued, by="key:early")
    for who in ("key:first", "key:second"):
        await store.jobs.cancel(store.project, root.job_id, by=who)
    await store.claims.finish(below, JobState.SUCCEEDED)
    whose = [(await store.get(job)).cancel_requested_by for job in (root.job_id, queued, running, done)]
    assert whose == ["key:first", "key:early", "key:first", None]
    assert (await store.jobs.fork(store.project, root.job_id)).cancel_requested_by is None


async def test_what_the_platform_has_ended_by_itself_has_nobodys_name(store: Stores) -> None:
    claim = await store.claimed()
    await store.jobs.cancel(store.project, claim.job_id)
    assert (await store.jobs.cancel(store.project, claim.job_id, by="key:late")).cancel_requested_by is None


@pytest.mark.parametrize("state", RETRIED)
async def test_a_cancel_of_a_job_that_has_ended_ends_what_it_has_left_behind(store: Stores, state: JobState) -> None:
    root = await store.claimed()
    queued, running = await children(store, root, 2)
    below = await again(store, running)
    await store.claims.finish(root, state, error=PROBLEM)
    assert (await store.jobs.cancel(store.project, root.job_id)).state is state
    assert (await store.get(queued)).state is JobState.CANCELLED
    await store.claims.finish(below, JobState.SUCCEEDED)
    assert (await store.get(running)).state is JobState.CANCELLED
    with pytest.raises(Conflict, match=state.value):
        await store.jobs.cancel(store.project, root.job_id)


async def test_a_cancelled_jobs_open_approvals_are_withdrawn(store: Stores) -> None:
    job = await held(store, JobState.PAUSED)
    await store.run(
        "INSERT INTO approvals (id, project_id, job_id, interrupt_id, epoch, state) VALUES (:id, :p, :job, 'i', 1, 'pending')",
        id=new_id(),
        p=store.project,
        job=job.id,
    )
    await store.jobs.cancel(store.project, job.id)
    assert await store.run("SELECT state FROM approvals") == [("withdrawn",)]


async def test_a_fan_out_at_the_moment_of_a_cancel_leaves_no_child_behind(store: Stores) -> None:
    roots = [await store.claimed() for _ in range(15)]

    async def fan_out(root: Claim) -> None:
        try:
            await children(store, root, 3)
        except LeaseLost:
            return

    await asyncio.gather(
        *(fan_out(root) for root in roots), *(store.jobs.cancel(store.project, root.job_id) for root in roots)
    )
    assert await store.run("SELECT 1 FROM jobs WHERE parent_id IS NOT NULL AND state <> 'cancelled'") == []


async def test_appends_ends_and_cancels_of_trees_at_once_never_lock_each_other_out(store: Stores) -> None:
    """Each locks many rows; in one order they cannot deadlock."""
    root = await store.claimed()
    ids = await children(store, root, 30)
    claims = [*await store.take(await store.worker("w"), limit=30, ids=ids), root]

    async def append(turn: int) -> None:
        batch = claims[::-1] if turn % 2 else claims
        await store.claims.append([(claim, NewEvent(type="note")) for claim in batch])

    await asyncio.gather(
        *(append(turn) for turn in range(20)),
        *(store.jobs.cancel(store.project, root.job_id) for _ in range(10)),
        *(store.claims.finish(claim, JobState.SUCCEEDED) for claim in claims[:10]),
        *(store.claims.reconcile() for _ in range(5)),
    )
    assert len(await store.claims.asked(ids)) == 20
    for claim in claims:
        events = await store.events(claim.job_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_a_queued_job_is_paused_at_once_and_goes_on_when_it_is_resumed(store: Stores) -> None:
    job = await store.accept()
    paused = await store.jobs.pause(store.project, job.id)
    assert (paused.state, paused.waiting_for) == (JobState.PAUSED, "request")
    assert await store.jobs.pause(store.project, job.id) == paused, "twice is the same as once"
    assert await store.take(await store.worker("w"), limit=10) == []
    resumed = await store.jobs.resume(store.project, job.id)
    assert (resumed.state, resumed.waiting_for) == (JobState.QUEUED, None)
    assert [event.type for event in await store.events(job.id)] == ["job.queued", "job.paused", "job.resumed"]
    assert (await again(store, job.id)).epoch == 1


async def test_a_pause_does_not_shorten_a_delay(store: Stores) -> None:
    job = await store.accept(delay_seconds=3600)
    await store.jobs.pause(store.project, job.id)
    assert (await store.jobs.resume(store.project, job.id)).available_at == job.available_at


async def test_a_pause_of_a_running_job_can_be_taken_back(store: Stores) -> None:
    claim = await store.claimed()
    asked = await store.jobs.pause(store.project, claim.job_id)
    assert asked.state is JobState.RUNNING
    assert asked.pause_requested_at is not None
    assert (await store.jobs.resume(store.project, claim.job_id)).pause_requested_at is None
    await store.claims.hand_back(claim)
    assert (await store.get(claim.job_id)).state is JobState.QUEUED


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.STRANDED, JobState.PAUSED])
async def test_a_pause_of_a_held_job_holds_when_it_would_go_on(store: Stores, state: JobState) -> None:
    job = await held(store, state)
    assert (await store.jobs.pause(store.project, job.id)).state is state
    await store.run("UPDATE jobs SET state = 'queued', waiting_for = NULL WHERE id = :id", id=job.id)
    assert await store.take(await store.worker("w"), ids=[job.id]) == []
    assert await store.claims.reconcile() == [(job.id, QUEUE, JobState.PAUSED)]
    assert (await store.jobs.resume(store.project, job.id)).state is JobState.QUEUED


@pytest.mark.parametrize("state", [state for state in JobState if state.terminal])
async def test_a_job_that_has_ended_is_neither_paused_nor_resumed(store: Stores, state: JobState) -> None:
    job = await ended(store, state)
    for call in (store.jobs.pause, store.jobs.resume):
        with pytest.raises(Conflict, match=state.value):
            await call(store.project, job.id)
    assert await store.get(job.id) == job


async def test_only_what_was_paused_on_request_is_resumed(store: Stores) -> None:
    with pytest.raises(Conflict, match="not paused"):
        await store.jobs.resume(store.project, (await store.accept()).id)
    with pytest.raises(Conflict, match="approval"):
        await store.jobs.resume(store.project, (await held(store, JobState.PAUSED)).id)


@pytest.mark.parametrize("state", RETRIED)
async def test_a_retried_job_begins_anew(store: Stores, state: JobState) -> None:
    job = await ended(store, state, retry={"failures": 1}, budget={"tokens": 5})
    retried = await store.jobs.retry(store.project, job.id, budget=Budget(tokens=50))
    assert (retried.state, retried.error, retried.output, retried.failures) == (JobState.QUEUED, None, None, 0)
    assert (retried.started_at, retried.finished_at, retried.attempts) == (None, None, 1)
    assert retried.budget == Budget(tokens=50)
    claim = await again(store, job.id)
    assert (claim.epoch, claim.start) == (2, None)
    await store.claims.finish(claim, JobState.SUCCEEDED)
    events = [event.type for event in await store.events(job.id)]
    assert events == ["job.queued", "job.started", f"job.{state}", "job.retried", "job.started", "job.succeeded"]


async def test_a_retry_may_go_on_from_a_chosen_checkpoint(store: Stores) -> None:
    job = await ended(store, JobState.FAILED)
    await store.jobs.retry(store.project, job.id, checkpoint_id="abc")
    claim = await again(store, job.id)
    assert claim.start is not None
    assert (claim.start.checkpoint_id, claim.start.thread_id) == ("abc", None)
    assert (await store.events(job.id))[-2].data["checkpoint_id"] == "abc"


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.CANCELLED])
async def test_neither_a_success_nor_a_cancel_is_retried(store: Stores, state: JobState) -> None:
    job = await ended(store, state)
    with pytest.raises(Conflict, match=f"cannot be retried: it is {state}"):
        await store.jobs.retry(store.project, job.id)
    assert await store.get(job.id) == job


async def test_a_running_job_is_not_retried(store: Stores) -> None:
    with pytest.raises(Conflict, match="running"):
        await store.jobs.retry(store.project, (await store.claimed()).job_id)


async def test_a_retry_grants_all_attempts_again(store: Stores) -> None:
    job = await store.accept(max_attempts=2)
    for last in (JobState.DEAD, JobState.DEAD):
        for state in (JobState.QUEUED, last):
            worker = await store.worker(f"w-{new_id()}")
            await store.take(worker, ids=[job.id])
            assert await store.lose(worker) == [(job.id, QUEUE, state)]
        assert (await store.jobs.retry(store.project, job.id)).max_attempts == 2


async def test_a_retry_after_the_deadline_has_none(store: Stores) -> None:
    job = await ended(store, JobState.FAILED)
    await store.run("UPDATE jobs SET deadline_at = now() - interval '1 s'")
    assert (await store.jobs.retry(store.project, job.id)).deadline_at is None


async def test_a_stranded_job_can_adopt_the_version_that_is_served(store: Stores) -> None:
    job = await held(store, JobState.STRANDED)
    worker = await store.worker("new", workflows=())
    await store.catalogue.publish(
        worker, [entry(WORKFLOW, "2").model_copy(update={"queue": "q2", "kind": "exclusive"})]
    )
    await store.run("UPDATE workers SET lease_expires_at = now() - interval '1 s' WHERE id <> :id", id=worker)
    with pytest.raises(WorkflowUnknown, match="'9'"):
        await store.jobs.retry(store.project, job.id, version="9")
    retried = await store.jobs.retry(store.project, job.id, version="current")
    assert (retried.state, retried.version, retried.queue, retried.kind) == (JobState.QUEUED, "2", "q2", "exclusive")
    [claim] = await store.claims.claim(worker, "new", ["q2"], slots={"exclusive": 1})
    assert (claim.job_id, claim.version) == (job.id, "2")


async def test_a_fork_is_a_new_job_in_a_new_thread(store: Stores) -> None:
    source = await store.accept(
        input={"a": 1}, metadata={"m": 1}, priority=3, retry={"failures": 2}, budget={"steps": 9}
    )
    fork = await store.jobs.fork(store.project, source.id, checkpoint_id="c", values={"x": 2}, as_node="writer")
    same = {
        "workflow",
        "queue",
        "state",
        "input",
        "metadata",
        "priority",
        "retry",
        "budget",
        "limits",
        "kind",
        "max_attempts",
    }
    assert fork.model_dump(include=same) == source.model_dump(include=same)
    assert fork.id != source.id
    assert fork.thread_id != source.thread_id
    claim = await again(store, fork.id)
    assert claim.start is not None
    assert claim.start.model_dump() == {
        "thread_id": source.thread_id,
        "checkpoint_id": "c",
        "values": {"x": 2},
        "as_node": "writer",
    }
    assert (await store.events(fork.id))[0].data == {"forked_from": str(source.id)}


async def test_a_fork_may_have_another_input_and_comes_from_a_job_in_any_state(store: Stores) -> None:
    for state in JobState:
        if state.terminal:
            source = await ended(store, state, input={"a": 1})
            fork = await store.jobs.fork(store.project, source.id, input={"b": state.value})
            assert (fork.state, fork.input, fork.error) == (JobState.QUEUED, {"b": state.value}, None)


async def test_changes_to_another_projects_job_answer_like_those_to_an_unknown_one(store: Stores) -> None:
    other = await store.projects.ensure("other")
    failed = await ended(store, JobState.FAILED)
    for job in (failed.id, uuid4()):
        for call in (store.jobs.cancel, store.jobs.pause, store.jobs.resume, store.jobs.retry, store.jobs.fork):
            with pytest.raises(NotFound, match="no job"):
                await call(other, job)
    assert await store.get(failed.id) == failed
    assert await store.page(other) == []
    assert await store.run("SELECT count(*) FROM threads") == [(1,)]
