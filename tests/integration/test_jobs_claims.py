"""Attempts: who may claim a job, and that only the newest attempt may write."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from mutirao.errors import Conflict, LeaseLost
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.states import JobState
from sqlalchemy.exc import IntegrityError

from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as found:
        yield found


async def gapless(store: Stores, job_id: UUID) -> list[str]:
    """Types of a job's events; fails when their numbers have a gap, or the job knows another last one."""
    events = await store.events(job_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert (await store.get(job_id)).last_seq == len(events)
    return [event.type for event in events]


async def test_a_claim_carries_the_job_and_begins_an_attempt(store: Stores) -> None:
    job = await store.accept(input={"a": 1}, metadata={"b": 2})
    worker = await store.worker("w")
    [claim] = await store.take(worker)
    assert (claim.job_id, claim.project_id, claim.thread_id) == (job.id, store.project, job.thread_id)
    assert (claim.input, claim.metadata, claim.epoch) == ({"a": 1}, {"b": 2}, 1)
    running = await store.get(job.id)
    assert (running.state, running.attempts) == (JobState.RUNNING, 1)
    assert running.started_at is not None
    [attempt] = await store.jobs.attempts(job.id)
    assert (attempt.attempt, attempt.worker, attempt.outcome) == (1, "w", None)
    assert await gapless(store, job.id) == ["job.queued", "job.started"]
    assert await store.take(worker) == []


async def test_eight_claimers_take_two_hundred_jobs_each_once(store: Stores) -> None:
    made = {(await store.accept()).id for _ in range(200)}
    workers = [await store.worker(f"w{number}") for number in range(8)]

    async def drain(worker: UUID) -> list[Claim]:
        taken: list[Claim] = []
        while batch := await store.take(worker, limit=3):
            taken += batch
        return taken

    taken = await asyncio.gather(*(drain(worker) for worker in workers))
    # Rows another claimer has locked are passed over, so that a last look may be needed.
    rest = await store.take(workers[0], limit=200)
    counted = Counter(claim.job_id for claims in [*taken, rest] for claim in claims)
    assert set(counted) == made
    assert set(counted.values()) == {1}
    assert len([claims for claims in taken if claims]) > 1, "one claimer got everything: nothing was tested"
    assert await store.run("SELECT count(*) FROM attempts") == [(200,)]


async def test_jobs_are_claimed_in_the_order_they_were_accepted(store: Stores) -> None:
    made = [(await store.accept()).id for _ in range(20)]
    worker = await store.worker("w")
    taken = [claim.job_id for _ in range(20) for claim in await store.take(worker)]
    assert taken == made


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE workers SET lease_expires_at = now()",
        "DELETE FROM worker_workflows",
        "UPDATE jobs SET queue = 'another'",
        "UPDATE jobs SET available_at = now() + interval '1 minute'",
        "UPDATE jobs SET state = 'cancelled'",
    ],
)
async def test_a_worker_gets_no_job_that_is_not_for_it(store: Stores, change: str) -> None:
    await store.accept()
    worker = await store.worker("w")
    await store.run(change)
    assert await store.take(worker) == []


async def test_a_hinted_claim_takes_that_job_only(store: Stores) -> None:
    _, second = await store.accept(), await store.accept()
    worker = await store.worker("w")
    assert [claim.job_id for claim in await store.take(worker, limit=10, ids=[second.id])] == [second.id]
    assert await store.take(worker, limit=10, ids=[]) == []


async def test_jobs_of_a_thread_run_one_after_another(store: Stores) -> None:
    first = await store.accept()
    others = [await store.accept(thread_id=first.thread_id) for _ in range(3)]
    elsewhere = await store.accept()
    worker = await store.worker("w")
    claims = await store.take(worker, limit=10)
    assert [claim.job_id for claim in claims] == [first.id, elsewhere.id]
    [running, _] = claims
    for job in others:
        assert await store.take(worker, limit=10) == []
        await store.claims.finish(running, JobState.SUCCEEDED)
        [running] = await store.take(worker, limit=10)
        assert running.job_id == job.id


async def test_a_thread_waits_for_the_job_that_was_handed_back(store: Stores) -> None:
    claim = await store.claimed()
    await store.accept(thread_id=claim.thread_id)
    await store.claims.hand_back(claim)
    worker = await store.worker("w")
    assert [again.job_id for again in await store.take(worker, limit=10)] == [claim.job_id]


async def test_a_job_with_an_older_number_does_not_overlap_the_one_that_runs(
    store: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever has numbered it: what has begun goes first."""
    claim = await store.claimed()
    older = UUID(int=1)

    async def numbered(*_: object) -> UUID:
        return older

    monkeypatch.setattr("mutirao.jobs.accept.next_id", numbered)
    await store.accept(thread_id=claim.thread_id)
    worker = await store.worker("w")
    assert await store.take(worker, limit=10) == []
    await store.claims.finish(claim, JobState.SUCCEEDED)
    assert [late.job_id for late in await store.take(worker, limit=10)] == [older]


async def test_the_database_itself_keeps_the_jobs_of_a_thread_apart(store: Stores) -> None:
    """Two claims at once may each not see the other's job: the second must fail, not overlap."""
    claim = await store.claimed()
    second = await store.accept(thread_id=claim.thread_id)
    with pytest.raises(IntegrityError, match="ix_jobs_running_thread_id"):
        await store.run("UPDATE jobs SET state = 'running' WHERE id = :id", id=second.id)


async def test_claimers_at_once_never_overlap_the_jobs_of_a_thread(store: Stores) -> None:
    first = await store.accept()
    for _ in range(11):
        await store.accept(thread_id=first.thread_id)
    workers = [await store.worker(f"w{number}") for number in range(6)]
    running, order = set[UUID](), list[UUID]()

    async def work(worker: UUID) -> None:
        while len(order) < 12:
            for claim in await store.take(worker, limit=5):
                running.add(claim.job_id)
                order.append(claim.job_id)
                assert len(running) == 1
                await store.claims.append([(claim, NewEvent(type="note"))])
                running.discard(claim.job_id)
                await store.claims.finish(claim, JobState.SUCCEEDED)

    async with asyncio.timeout(30):
        await asyncio.gather(*(work(worker) for worker in workers))
    assert order == sorted(order)


async def test_events_are_numbered_without_gaps_under_concurrent_appends(store: Stores) -> None:
    claims = [await store.claimed() for _ in range(4)]

    async def note(number: int) -> None:
        batch = [(claim, NewEvent(type="note", data={"by": number, "n": n})) for n in range(3) for claim in claims]
        assert await store.claims.append(batch) == {(claim.job_id, 1) for claim in claims}

    await asyncio.gather(*(note(number) for number in range(15)))
    for claim in claims:
        types = await gapless(store, claim.job_id)
        assert types == ["job.queued", "job.started"] + ["note"] * 45
        notes = [event.data for event in await store.events(claim.job_id)][2:]
        for number in range(15):
            assert [data["n"] for data in notes if data["by"] == number] == [0, 1, 2]


async def test_one_append_keeps_the_order_of_each_attempt(store: Stores) -> None:
    one, two = await store.claimed(), await store.claimed()
    await store.claims.append([(claim, NewEvent(type=f"t{n}")) for n in range(50) for claim in (one, two)])
    for claim in (one, two):
        assert (await gapless(store, claim.job_id))[2:] == [f"t{n}" for n in range(50)]


async def superseded(store: Stores) -> tuple[Claim, Claim]:
    """A stale claim and the one that came after it."""
    stale = await store.claimed()
    [row] = await store.run("SELECT worker_id FROM jobs WHERE id = :id", id=stale.job_id)
    await store.lose(row.worker_id)
    [current] = await store.take(await store.worker("next"), ids=[stale.job_id])
    return stale, current


async def test_a_stale_attempt_changes_nothing(store: Stores) -> None:
    stale, current = await superseded(store)
    before = await store.get(stale.job_id), await store.events(stale.job_id)
    assert current.epoch == stale.epoch + 1
    assert await store.claims.append([(stale, NewEvent(type="note"))]) == set()
    with pytest.raises(LeaseLost):
        await store.claims.finish(stale, JobState.SUCCEEDED, output={"from": "stale"}, events=[NewEvent(type="note")])
    with pytest.raises(LeaseLost):
        await store.claims.put_artifact(stale, "a.txt", "text/plain", 1, "0" * 64)
    await store.claims.hand_back(stale, [NewEvent(type="note")])
    assert (await store.get(stale.job_id), await store.events(stale.job_id)) == before
    assert await store.jobs.artifacts(store.project, stale.job_id) == []
    await store.claims.finish(current, JobState.SUCCEEDED, output={"from": "current"})
    assert (await store.get(stale.job_id)).output == {"from": "current"}


@pytest.mark.parametrize("state", [state for state in JobState if state.terminal])
async def test_nothing_is_written_after_the_end(store: Stores, state: JobState) -> None:
    claim = await store.claimed()
    await store.claims.finish(claim, state)
    before = await store.get(claim.job_id), await store.events(claim.job_id)
    assert await store.claims.append([(claim, NewEvent(type="note"))]) == set()
    with pytest.raises(LeaseLost):
        await store.claims.finish(claim, JobState.SUCCEEDED)
    with pytest.raises(LeaseLost):
        await store.claims.put_artifact(claim, "a.txt", "text/plain", 1, "0" * 64)
    await store.claims.hand_back(claim)
    assert (await store.get(claim.job_id), await store.events(claim.job_id)) == before


async def test_stale_and_live_events_in_one_batch_are_told_apart(store: Stores) -> None:
    stale, current = await superseded(store)
    call = {"model": "m", "prompt": [], "input_tokens": 1}
    batch = [(claim, NewEvent(type="model.call", data=call)) for claim in (stale, current)]
    assert await store.claims.append(batch) == {(current.job_id, current.epoch)}
    assert (await gapless(store, stale.job_id))[-1] == "model.call"
    assert await store.run("SELECT epoch FROM model_calls") == [(current.epoch,)]


async def test_the_end_is_one_transaction(store: Stores) -> None:
    claim = await store.claimed()
    problem = Problem(code="step_failed", message="no", step="s", kind="ValueError")
    await store.claims.finish(claim, JobState.FAILED, error=problem, events=[NewEvent(type="note")])
    job = await store.get(claim.job_id)
    assert (job.state, job.error, job.output) == (JobState.FAILED, problem, None)
    assert job.finished_at is not None
    [attempt] = await store.jobs.attempts(claim.job_id)
    assert (attempt.outcome, attempt.error) == ("failed", problem)
    assert (await gapless(store, claim.job_id))[2:] == ["note", "job.failed"]
    assert (await store.events(claim.job_id))[-1].data["error"]["code"] == "step_failed"


@pytest.mark.parametrize("output", [None, 0, False, "", [], {"a": [1, "é", None]}])
async def test_any_json_may_be_the_output(store: Stores, output: object) -> None:
    claim = await store.claimed()
    await store.claims.finish(claim, JobState.SUCCEEDED, output=output)
    assert (await store.get(claim.job_id)).output == output


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED])
async def test_a_job_that_was_asked_to_end_ends_as_cancelled(store: Stores, state: JobState) -> None:
    """Whoever was told that the end is asked for never reads `succeeded` later."""
    claim = await store.claimed()
    await store.jobs.cancel(store.project, claim.job_id)
    await store.claims.finish(claim, state, output={"a": 1}, error=Problem(code="x", message="y"))
    job = await store.get(claim.job_id)
    assert (job.state, job.output, job.error) == (JobState.CANCELLED, None, None)
    assert (await gapless(store, claim.job_id))[-1] == "job.cancelled"
    assert [attempt.outcome for attempt in await store.jobs.attempts(claim.job_id)] == ["cancelled"]


async def test_cancels_and_ends_at_once_agree_with_what_was_answered(store: Stores) -> None:
    claims = [await store.claimed() for _ in range(30)]

    async def cancel(claim: Claim) -> bool:
        try:
            await store.jobs.cancel(store.project, claim.job_id)
        except Conflict:
            return False
        return True

    answers = await asyncio.gather(
        *(cancel(claim) for claim in claims),
        *(store.claims.finish(claim, JobState.SUCCEEDED) for claim in claims),
    )
    for claim, asked in zip(claims, answers, strict=False):
        assert (await store.get(claim.job_id)).state == ("cancelled" if asked else "succeeded")
        await gapless(store, claim.job_id)


async def test_a_hand_back_keeps_the_job_and_counts_as_no_loss(store: Stores) -> None:
    claim = await store.claimed(max_attempts=1)
    for _ in range(4):
        await store.claims.hand_back(claim, [NewEvent(type="note")])
        job = await store.get(claim.job_id)
        assert (job.state, job.finished_at) == (JobState.QUEUED, None)
        [claim] = await store.take(await store.worker("w"), ids=[claim.job_id])
    await store.claims.finish(claim, JobState.SUCCEEDED)
    outcomes = [attempt.outcome for attempt in await store.jobs.attempts(claim.job_id)]
    assert outcomes == ["handed_back"] * 4 + ["succeeded"]
    await gapless(store, claim.job_id)


async def test_a_job_that_was_asked_to_end_is_not_handed_back_but_cancelled(store: Stores) -> None:
    claim = await store.claimed()
    await store.jobs.cancel(store.project, claim.job_id)
    await store.claims.hand_back(claim)
    job = await store.get(claim.job_id)
    assert job.state is JobState.CANCELLED
    assert job.finished_at is not None
    assert (await gapless(store, claim.job_id))[-1] == "job.cancelled"


async def test_an_artifact_of_the_same_name_replaces_the_earlier_one(store: Stores) -> None:
    claim = await store.claimed()
    first = await store.claims.put_artifact(claim, "a.txt", "text/plain", 1, "0" * 64)
    second = await store.claims.put_artifact(claim, "a.txt", "text/markdown", 2, "1" * 64)
    assert second.id == first.id
    assert await store.jobs.artifacts(store.project, claim.job_id) == [second]
    assert (second.media_type, second.size, second.sha256) == ("text/markdown", 2, "1" * 64)


async def test_text_that_postgresql_cannot_keep_is_replaced_and_the_rest_is_kept(store: Stores) -> None:
    claim = await store.claimed()
    hard = {"nul": "a\x00b", "written": "a\\u0000b", "backslash": "\\\x00", "half": "\ud83d!", "big": 2**200}
    await store.claims.append([(claim, NewEvent(type="note", data=hard))])
    await store.claims.finish(claim, JobState.SUCCEEDED, output=hard)
    kept = (await store.get(claim.job_id)).output
    assert kept == (await store.events(claim.job_id))[-2].data
    assert kept["nul"] == "a\ufffdb"
    assert kept["written"] == "a\\u0000b"
    assert kept["backslash"] == "\\\ufffd"
    assert kept["half"].endswith("!")
    assert str(kept["big"]) == str(2**200)


async def test_a_thread_is_fresh_for_the_first_attempt_of_the_job_it_was_made_with(store: Stores) -> None:
    first = await store.claimed()
    assert first.fresh
    await store.claims.hand_back(first)
    [again] = await store.take(await store.worker("again"), ids=[first.job_id])
    assert not again.fresh
    await store.claims.finish(again, JobState.SUCCEEDED, output={})
    assert not (await store.claimed(thread_id=first.thread_id)).fresh
