"""An accepted job is kept, once: acceptance, idempotency keys, threads, cancel, and projects that are apart."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from mutirao.errors import Conflict, InvalidInput, NotFound, Unauthorized
from mutirao.jobs.accept import RequestInFlight
from mutirao.jobs.records import Problem
from mutirao.jobs.states import JobState
from mutirao.projects import Projects, new_key_text

from tests.stores import Stores, stores, submission

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as found:
        yield found


async def test_a_new_job_is_queued_and_its_first_event_is_there(store: Stores) -> None:
    job = await store.accept(input={"topic": "bees"}, metadata={"mine": 1}, max_attempts=5)
    assert (job.state, job.attempts, job.max_attempts, job.last_seq) == (JobState.QUEUED, 0, 5, 1)
    assert await store.get(job.id) == job
    assert (job.input, job.metadata) == ({"topic": "bees"}, {"mine": 1})
    assert [(event.seq, event.type) for event in await store.events(job.id)] == [(1, "job.queued")]


async def test_the_same_key_and_request_give_the_same_job(store: Stores) -> None:
    first, new = await store.jobs.accept(submission(store.project, idempotency_key="k", request_sha256="a"))
    again, new_again = await store.jobs.accept(submission(store.project, idempotency_key="k", request_sha256="a"))
    assert (new, new_again) == (True, False)
    assert again == first


async def test_the_same_key_with_another_request_is_refused_and_makes_nothing(store: Stores) -> None:
    first, _ = await store.jobs.accept(submission(store.project, idempotency_key="k", request_sha256="a"))
    with pytest.raises(InvalidInput, match="'k' was used for another request"):
        await store.jobs.accept(submission(store.project, idempotency_key="k", request_sha256="b"))
    assert [job.id for job in await store.page()] == [first.id]


async def test_a_key_belongs_to_its_project(store: Stores) -> None:
    other = await store.projects.ensure("other")
    mine, _ = await store.jobs.accept(submission(store.project, idempotency_key="k", request_sha256="a"))
    theirs, new = await store.jobs.accept(submission(other, idempotency_key="k", request_sha256="b"))
    assert new
    assert theirs.id != mine.id


async def test_twenty_submissions_at_once_with_one_key_are_one_job(store: Stores) -> None:
    one = submission(store.project, idempotency_key="k", request_sha256="a")
    found = await asyncio.gather(*(store.jobs.accept(one) for _ in range(20)), return_exceptions=True)
    answers = [answer for answer in found if isinstance(answer, tuple)]
    refused = [answer for answer in found if isinstance(answer, RequestInFlight)]
    assert len(answers) + len(refused) == 20
    assert len({job.id for job, _ in answers}) == 1
    assert [new for _, new in answers].count(True) == 1
    assert len(await store.page()) == 1
    assert await store.run("SELECT count(*) FROM threads") == [(1,)], "a thread was left behind"


async def test_a_refused_submission_leaves_its_key_free(store: Stores) -> None:
    with pytest.raises(NotFound):
        await store.jobs.accept(submission(store.project, idempotency_key="k", request_sha256="a", thread_id=uuid4()))
    _, new = await store.jobs.accept(submission(store.project, idempotency_key="k", request_sha256="a"))
    assert new


async def test_a_thread_is_named_by_the_job_that_began_it(store: Stores) -> None:
    first = await store.accept()
    second = await store.accept(thread_id=first.thread_id)
    assert second.thread_id == first.thread_id


async def test_a_thread_of_another_project_is_as_unknown_as_one_that_does_not_exist(store: Stores) -> None:
    other = await store.projects.ensure("other")
    theirs = await store.accept()
    messages = []
    for thread in (theirs.thread_id, uuid4()):
        with pytest.raises(NotFound) as refused:
            await store.jobs.accept(submission(other, thread_id=thread))
        messages.append(refused.value.message.replace(str(thread), "…"))
    assert messages[0] == messages[1]
    assert await store.page(other) == []


async def test_another_projects_job_is_as_unknown_as_one_that_does_not_exist(store: Stores) -> None:
    other = await store.projects.ensure("other")
    claim = await store.claimed()
    await store.claims.put_artifact(claim, "a.txt", "text/plain", 1, "0" * 64)
    for job in (claim.job_id, uuid4()):
        with pytest.raises(NotFound, match="no job"):
            await store.jobs.get(other, job)
        with pytest.raises(NotFound, match="no job"):
            await store.jobs.cancel(other, job)
        with pytest.raises(NotFound, match="no artifact"):
            await store.jobs.artifact(other, job, "a.txt")
        assert await store.jobs.artifacts(other, job) == []
    assert await store.page(other) == []
    assert (await store.get(claim.job_id)).cancel_requested_at is None


async def test_pages_are_newest_first_and_complete(store: Stores) -> None:
    made = [(await store.accept()).id for _ in range(25)]
    seen = []
    page = await store.page(limit=10)
    while page:
        seen += [job.id for job in page]
        page = await store.page(after=seen[-1], limit=10)
    assert seen == made[::-1]


async def test_a_page_can_be_of_some_states_and_one_workflow(store: Stores) -> None:
    claim = await store.claimed()
    await store.claims.finish(claim, JobState.SUCCEEDED)
    waiting = await store.accept(workflow="another")
    ended = await store.page(states=[JobState.SUCCEEDED, JobState.FAILED])
    assert [job.id for job in ended] == [claim.job_id]
    assert [job.id for job in await store.page(workflow="another")] == [waiting.id]


async def test_a_queued_job_is_cancelled_at_once(store: Stores) -> None:
    job = await store.accept()
    cancelled = await store.jobs.cancel(store.project, job.id)
    assert cancelled.state is JobState.CANCELLED
    assert cancelled.finished_at is not None
    assert [event.type for event in await store.events(job.id)] == ["job.queued", "job.cancelled"]
    assert await store.take(await store.worker("w"), ids=[job.id]) == []


async def test_a_running_job_is_asked_to_end_and_asking_twice_is_the_same(store: Stores) -> None:
    claim = await store.claimed()
    asked = await store.jobs.cancel(store.project, claim.job_id)
    again = await store.jobs.cancel(store.project, claim.job_id)
    assert asked.state is again.state is JobState.RUNNING
    assert asked.cancel_requested_at == again.cancel_requested_at
    assert asked.cancel_requested_at is not None
    assert await store.claims.asked([claim.job_id]) == [(claim.job_id, "cancel")]


@pytest.mark.parametrize("state", [state for state in JobState if state.terminal])
async def test_a_job_that_has_ended_cannot_be_cancelled(store: Stores, state: JobState) -> None:
    claim = await store.claimed()
    await store.claims.finish(claim, state, error=Problem(code="x", message="y"))
    before = await store.get(claim.job_id)
    with pytest.raises(Conflict, match=state.value):
        await store.jobs.cancel(store.project, claim.job_id)
    assert await store.get(claim.job_id) == before


async def test_a_key_lets_in_until_it_is_revoked_or_expires(store: Stores) -> None:
    key = new_key_text()
    await store.projects.add_key(store.project, key, "test")
    assert (await store.projects.identify(key)).project_id == store.project
    for change in ("revoked_at = now()", "revoked_at = NULL, expires_at = now() - interval '1 s'"):
        await store.run(f"UPDATE api_keys SET {change}")
        with pytest.raises(Unauthorized, match="unknown, expired or revoked"):
            await store.projects.identify(key)


@pytest.mark.parametrize(
    "key", ["", "mk_", "mk_abc", "mk_abc.", ".secret", "abc.secret", "mk_a.b.c", "mk_\x00.x", "ключ"]
)
async def test_a_key_of_a_wrong_form_is_refused(store: Stores, key: str) -> None:
    with pytest.raises(Unauthorized):
        await store.projects.identify(key)


async def test_a_key_with_the_prefix_of_another_project_takes_nothing_over(store: Stores) -> None:
    other = await store.projects.ensure("other")
    await store.projects.add_key(store.project, "mk_same.mine", "test")
    with pytest.raises(Conflict, match="mk_same"):
        await store.projects.add_key(other, "mk_same.theirs", "test")
    assert (await store.projects.identify("mk_same.mine")).project_id == store.project
    with pytest.raises(Unauthorized):
        await store.projects.identify("mk_same.theirs")


async def test_the_secret_of_a_projects_own_key_can_be_replaced(store: Stores) -> None:
    await store.projects.add_key(store.project, "mk_same.old", "test")
    await store.projects.add_key(store.project, "mk_same.new", "test")
    assert (await store.projects.identify("mk_same.new")).project_id == store.project
    with pytest.raises(Unauthorized):
        await Projects(store.db).identify("mk_same.old")


async def test_the_secret_itself_is_not_kept(store: Stores) -> None:
    key = new_key_text()
    await store.projects.add_key(store.project, key, "test")
    [row] = await store.run("SELECT row_to_json(k)::text AS kept FROM api_keys k")
    assert key.partition(".")[2] not in row.kept
