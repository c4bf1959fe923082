"""Threads and assistants as their stores keep them: status, values, merging, versions, what another project sees."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from mutirao.assistants import AssistantStore, system_id
from mutirao.catalogue import Catalogue
from mutirao.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from mutirao.jobs.records import Problem
from mutirao.jobs.states import JobState
from mutirao.projects import Projects
from mutirao.threads import Search, Status, ThreadStore
from sqlalchemy import text

from tests.stores import WORKFLOW, Stores, entry, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as found:
        worker = await found.worker("w")
        await found.catalogue.publish(worker, [entry(), entry("other")])
        yield found


async def test_the_status_of_a_thread_follows_from_its_jobs(store: Stores) -> None:
    threads = ThreadStore(store.db)
    thread, new = await threads.create(store.project, metadata={"topic": "bees"})
    assert (thread.status, thread.values, thread.next, new) == ("idle", None, [], True)
    claim = await store.claimed(thread_id=thread.id)
    assert (await threads.get(store.project, thread.id)).status == "busy"
    await store.claims.finish(claim, JobState.SUCCEEDED, output={"answer": 42})
    done = await threads.get(store.project, thread.id)
    assert (done.status, done.values, done.workflow) == ("idle", {"answer": 42}, WORKFLOW)
    claim = await store.claimed(thread_id=thread.id)
    await store.claims.finish(claim, JobState.FAILED, error=Problem(code="step_failed", message="no good"))
    failed = await threads.get(store.project, thread.id)
    assert (failed.status, failed.error["message"]) == ("error", "no good")
    job = await store.accept(thread_id=thread.id)
    await store.jobs.cancel(store.project, job.id)
    assert (await threads.get(store.project, thread.id)).status == "interrupted"
    for status, count in (("interrupted", 1), ("idle", 0), ("busy", 0), ("error", 0)):
        assert await threads.count(store.project, Search(status=status)) == count  # type: ignore[arg-type]
        assert len(await threads.search(store.project, Search(status=status))) == count  # type: ignore[arg-type]


# Every state of a last job, with what else the status follows from.
_LAST_JOBS = text("""
INSERT INTO jobs (id, project_id, thread_id, workflow, version, queue, state, waiting_for, kind, max_attempts,
    started_at, finished_at)
SELECT gen_random_uuid(), t.project_id, t.id, 'other', '1', 'default', s.state, s.waiting_for, 'shared', 3,
    now() - interval '2 minutes', CASE WHEN s.over THEN now() - interval '1 minute' END
FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM threads WHERE project_id = :project_id) t
JOIN (SELECT *, row_number() OVER () AS n FROM (VALUES
    ('queued', NULL, false), ('running', NULL, false), ('waiting', 'children', false), ('stranded', NULL, false),
    ('paused', 'request', false), ('paused', 'approval', false), ('succeeded', NULL, true), ('failed', NULL, true),
    ('dead', NULL, true), ('budget_exhausted', NULL, true), ('cancelled', NULL, true)
) v (state, waiting_for, over)) s ON s.n = 1 + t.n % 11""")
# Some have been changed by hand since, and some have steps that would run next.
_CHANGES = text("""
UPDATE threads SET next = CASE WHEN n / 11 % 2 = 0 THEN ARRAY['ask'] ELSE next END,
    state_updated_at = CASE WHEN n / 11 % 3 = 0 THEN now() ELSE state_updated_at END
FROM (SELECT id AS of, row_number() OVER (ORDER BY id) AS n FROM threads) t WHERE of = id""")


async def test_threads_are_found_by_the_status_that_they_have(store: Stores) -> None:
    threads = ThreadStore(store.db)
    for _ in range(66):
        await threads.create(store.project)
    async with store.db.begin() as connection:
        await connection.execute(_LAST_JOBS, {"project_id": store.project})
        await connection.execute(_CHANGES)
    everything = await threads.search(store.project, Search(limit=100))
    assert len(everything) == 66
    statuses: tuple[Status, ...] = ("idle", "busy", "interrupted", "error")
    for status in statuses:
        having = {thread.id for thread in everything if thread.status == status}
        assert having
        found = await threads.search(store.project, Search(status=status, limit=100))
        assert {thread.id for thread in found} == having
        assert await threads.count(store.project, Search(status=status)) == len(having)
        some = [thread.id for thread in everything[:20]]
        assert await threads.count(store.project, Search(status=status, ids=some)) == len(having & set(some))


async def test_threads_are_found_by_metadata_values_workflow_and_ids(store: Stores) -> None:
    threads = ThreadStore(store.db)
    first, _ = await threads.create(store.project, metadata={"user": {"name": "ana"}, "graph_id": "other"})
    second, _ = await threads.create(store.project, metadata={"user": {"name": "rui"}})
    claim = await store.claimed(thread_id=second.id)
    await store.claims.finish(claim, JobState.SUCCEEDED, output={"answer": 42})

    async def found(**search: object) -> list[object]:
        return [thread.id for thread in await threads.search(store.project, Search(**search))]  # type: ignore[arg-type]

    assert await found() == [second.id, first.id]
    assert await found(descending=False, limit=1) == [first.id]
    assert await found(offset=1) == [first.id]
    assert await found(metadata={"user": {"name": "ana"}}) == [first.id]
    assert await found(metadata={"graph_id": "other"}) == [first.id]
    assert await found(values={"answer": 42}) == [second.id]
    assert await found(ids=[first.id, uuid4()]) == [first.id]
    assert await found(before=(second.created_at, second.id)) == [first.id]
    for sort_by in ("id", "status", "created_at", "updated_at", "state_updated_at"):
        assert len(await found(sort_by=sort_by)) == 2
    await store.accept(ephemeral=True)
    assert await threads.count(store.project, Search()) == 2


async def test_a_thread_is_merged_copied_measured_and_deleted(store: Stores) -> None:
    threads = ThreadStore(store.db)
    thread, _ = await threads.create(store.project, metadata={"a": 1}, ttl_minutes=5)
    assert thread.expires_at is not None
    changed = await threads.update(store.project, thread.id, metadata={"b": 2}, expected=1)
    assert (changed.metadata, changed.revision, changed.ttl_minutes) == ({"a": 1, "b": 2}, 2, 5)
    with pytest.raises(PreconditionFailed):
        await threads.update(store.project, thread.id, metadata={}, expected=1)
    job = await store.accept(thread_id=thread.id)
    copy = await threads.copy(store.project, thread.id)
    assert (copy.metadata, copy.status) == (changed.metadata, "idle")
    used = await threads.storage(store.project, thread.id)
    assert (used.jobs, used.events.count, used.bytes) == (1, 1, used.events.bytes)
    assert await threads.ask_end(store.project, [thread.id]) == []
    assert (await store.get(job.id)).state is JobState.CANCELLED
    assert await threads.delete(store.project, [thread.id, uuid4()]) == 1
    with pytest.raises(NotFound):
        await threads.get(store.project, thread.id)
    with pytest.raises(NotFound):
        await store.get(job.id)


async def test_a_thread_of_another_project_is_unknown(store: Stores) -> None:
    threads = ThreadStore(store.db)
    theirs = await Projects(store.db).ensure("theirs")
    thread, _ = await threads.create(theirs)
    for call in (threads.get, threads.update, threads.copy, threads.storage):
        with pytest.raises(NotFound, match="no thread"):
            await call(store.project, thread.id)
    assert await threads.delete(store.project, [thread.id]) == 0
    with pytest.raises(Conflict):
        await threads.create(store.project, thread_id=thread.id, if_exists="do_nothing")
    assert (await threads.create(theirs, thread_id=thread.id, if_exists="do_nothing"))[1] is False


async def test_each_workflow_is_an_assistant_of_the_id_that_clients_expect(store: Stores) -> None:
    assistants = AssistantStore(store.db, Catalogue(store.db))
    assert str(system_id("agent")) == "fe096781-5601-53d2-b2f6-0d3403f7e9ca"
    by_name = await assistants.resolve(store.project, WORKFLOW)
    assert by_name == await assistants.resolve(store.project, str(system_id(WORKFLOW)))
    assert (by_name.system, by_name.metadata, by_name.version) == (True, {"created_by": "system"}, 1)
    assert await assistants.resolve(store.project, system_id("other")) in await assistants.search(store.project)
    with pytest.raises(InvalidInput, match="'nothing'"):
        await assistants.resolve(store.project, "nothing")
    with pytest.raises(NotFound):
        await assistants.resolve(store.project, uuid4())
    with pytest.raises(Conflict, match="itself"):
        await assistants.delete(store.project, WORKFLOW)


async def test_every_change_of_an_assistant_is_a_version(store: Stores) -> None:
    assistants = AssistantStore(store.db, Catalogue(store.db))
    made = await assistants.create(store.project, WORKFLOW, context={"model": "a"}, metadata={"x": 1}, name="Mine")
    assert made.config == {"configurable": {"model": "a"}}
    changed = await assistants.update(store.project, made.id, {"metadata": {"y": 2}, "name": "Ours"}, expected=1)
    assert (changed.version, changed.metadata, changed.context) == (2, {"x": 1, "y": 2}, {"model": "a"})
    with pytest.raises(PreconditionFailed):
        await assistants.update(store.project, made.id, {"name": "Theirs"}, expected=1)
    assert (await assistants.set_latest(store.project, made.id, 1)).name == "Mine"
    assert (await assistants.update(store.project, made.id, {"name": "Third"})).version == 3
    assert [version.version for version in await assistants.versions(store.project, made.id)] == [3, 2, 1]
    with pytest.raises(NotFound, match="no version 9"):
        await assistants.set_latest(store.project, made.id, 9)
    config, context = changed.merged({"tags": ["t"], "configurable": {"k": 1}}, {"model": "b"})
    assert config == {"tags": ["t"], "configurable": {"model": "a", "k": 1}}
    assert context == {"model": "b"}
