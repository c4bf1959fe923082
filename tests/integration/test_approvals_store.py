"""Approvals in the database: one decision wins, whatever else happens to the job at the same time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mutirao.errors import AlreadyDecided, Conflict, NotFound
from mutirao.ids import new_id
from mutirao.jobs.approvals import Approval, ApprovalStore, Question
from mutirao.jobs.inbox import Inbox
from mutirao.jobs.records import Claim
from mutirao.jobs.states import JobState

from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as these:
        yield these


async def pause(store: Stores, *requests: Any, **question: Any) -> tuple[Claim, list[Approval]]:
    """A job that waits for a decision on each of these requests."""
    claim, approvals = await store.claimed(), ApprovalStore(store.db)
    questions = [
        Question(id=new_id(), interrupt_id=f"{number:032x}", task_id="t", step="s", request=request, **question)
        for number, request in enumerate(requests)
    ]
    await store.claims.hold(
        claim, JobState.PAUSED, "approval", also=lambda connection: approvals.open(connection, claim, questions)
    )
    return claim, await approvals.of_job(store.project, claim.job_id)


async def test_the_first_decision_wins_and_a_second_says_so(store: Stores) -> None:
    claim, [approval] = await pause(store, {"may": "I"})
    approvals = ApprovalStore(store.db)
    decided = await approvals.decide(store.project, approval.id, {"ok": True}, comment="fine", by="ana")
    assert (decided.state, decided.decision, decided.comment, decided.decided_by) == (
        "decided",
        {"ok": True},
        "fine",
        "ana",
    )
    assert decided.decided_at is not None
    with pytest.raises(AlreadyDecided, match="is decided") as refused:
        await approvals.decide(store.project, approval.id, {"ok": False})
    assert (refused.value.code, refused.value.status, refused.value.details) == (
        "already_decided",
        409,
        {"state": "decided"},
    )
    assert isinstance(refused.value, Conflict)
    assert await approvals.get(store.project, approval.id) == decided
    job = await store.get(claim.job_id)
    assert (job.state, job.waiting_for) == (JobState.QUEUED, None)


async def test_of_many_decisions_at_once_exactly_one_wins(store: Stores) -> None:
    claim, [approval] = await pause(store, "?")
    approvals = ApprovalStore(store.db)
    answers = await asyncio.gather(
        *(approvals.decide(store.project, approval.id, number) for number in range(12)), return_exceptions=True
    )
    [winner] = [answer for answer in answers if isinstance(answer, Approval)]
    assert sum(isinstance(answer, AlreadyDecided) for answer in answers) == 11
    [kept] = await approvals.decided(claim.job_id)
    assert kept.value == winner.decision
    events = await store.events(claim.job_id)
    assert [event.type for event in events].count("approval.decided") == 1
    assert [event.type for event in events][-2:] == ["approval.decided", "job.resumed"]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_the_job_waits_for_the_last_decision(store: Stores) -> None:
    claim, [first, second] = await pause(store, 1, 2)
    approvals = ApprovalStore(store.db)
    assert [approval.id for approval in await Inbox(store.db).page(store.project)] == [second.id, first.id]
    assert await Inbox(store.db).page(store.project, cursor=second.id) == [first]
    assert await Inbox(store.db).page(store.project, limit=1) == [second]
    await approvals.decide(store.project, second.id, None)
    assert (await store.get(claim.job_id)).state is JobState.PAUSED
    await approvals.decide(store.project, first.id, None)
    assert (await store.get(claim.job_id)).state is JobState.QUEUED
    assert [decision.approval_id for decision in await approvals.decided(claim.job_id)] == [first.id, second.id]


async def test_a_decision_and_a_cancel_at_once_end_in_one_of_two_ways(store: Stores) -> None:
    for _ in range(8):
        claim, [approval] = await pause(store, "?")
        approvals = ApprovalStore(store.db)
        decision, _ = await asyncio.gather(
            approvals.decide(store.project, approval.id, "yes"),
            store.jobs.cancel(store.project, claim.job_id),
            return_exceptions=True,
        )
        assert (await store.get(claim.job_id)).state is JobState.CANCELLED
        state = (await approvals.get(store.project, approval.id)).state
        assert state == ("withdrawn" if isinstance(decision, AlreadyDecided) else "decided")


async def test_an_approval_of_another_project_is_unknown(store: Stores) -> None:
    _, [approval] = await pause(store, "?")
    approvals, other = ApprovalStore(store.db), await store.projects.ensure("other")
    with pytest.raises(NotFound, match="no approval"):
        await approvals.decide(other, approval.id, "yes")
    with pytest.raises(NotFound, match="no approval"):
        await approvals.get(other, approval.id)
    assert await Inbox(store.db).page(other) == await approvals.of_job(other, approval.job_id) == []
    assert (await approvals.get(store.project, approval.id)).state == "pending"


async def test_an_approval_that_ran_out_cannot_be_decided_even_before_anybody_looked(store: Stores) -> None:
    claim, [approval] = await pause(store, "?", expires_seconds=0)
    approvals = ApprovalStore(store.db)
    with pytest.raises(AlreadyDecided, match="is expired"):
        await approvals.decide(store.project, approval.id, "late")
    answers = await asyncio.gather(*(approvals.expire() for _ in range(4)))
    assert [job for answer in answers for job in answer] == [(claim.job_id, "default", JobState.QUEUED)]
    with pytest.raises(AlreadyDecided, match="is expired"):
        await approvals.decide(store.project, approval.id, "late")
    [decision] = await approvals.decided(claim.job_id)
    assert (decision.state, decision.value) == ("expired", {"expired": True})


async def test_one_of_two_runs_out_and_the_job_waits_for_the_other(store: Stores) -> None:
    claim, [first, second] = await pause(store, 1, 2, expires_seconds=60)
    approvals = ApprovalStore(store.db)
    await store.run("UPDATE approvals SET expires_at = now() WHERE id = :id", id=first.id)
    assert await approvals.expire() == []
    assert [approval.state for approval in await approvals.of_job(store.project, claim.job_id)] == [
        "expired",
        "pending",
    ]
    await approvals.decide(store.project, second.id, "in time")
    assert (await store.get(claim.job_id)).state is JobState.QUEUED


async def test_the_reconciler_ends_what_has_run_out(store: Stores) -> None:
    claim, _ = await pause(store, "?", expires_seconds=0)
    assert (claim.job_id, "default", JobState.QUEUED) in await store.claims.reconcile()


async def test_a_pause_that_was_asked_for_meanwhile_keeps_the_decided_job(store: Stores) -> None:
    claim, [approval] = await pause(store, "?")
    await store.jobs.pause(store.project, claim.job_id)
    await ApprovalStore(store.db).decide(store.project, approval.id, "yes")
    job = await store.get(claim.job_id)
    assert (job.state, job.waiting_for) == (JobState.PAUSED, "request")
    await store.jobs.resume(store.project, claim.job_id)
    assert (await store.get(claim.job_id)).state is JobState.QUEUED


async def test_the_same_question_is_not_asked_twice_while_it_is_open(store: Stores) -> None:
    claim, [approval] = await pause(store, "?")
    approvals = ApprovalStore(store.db)
    assert await approvals.open_ids(claim.job_id) == {approval.interrupt_id: approval.id}
    again = Question(id=new_id(), interrupt_id=approval.interrupt_id, request="? again")
    async with store.db.begin() as connection:
        await approvals.open(connection, claim, [again])
    [kept] = await approvals.of_job(store.project, claim.job_id)
    assert (kept.id, kept.request) == (approval.id, "? again")
