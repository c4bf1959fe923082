"""The feed of a project: what has changed since `hello` is told, once, to everybody who watches and to nobody else."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from mutirao.api import accepted
from mutirao.api import changes as module
from mutirao.api.changes import Changes
from mutirao.db.notices import Notices
from mutirao.db.tenancy import bound_to
from mutirao.jobs.channels import ACCEPTED, EVENTS_CHANNEL
from mutirao.jobs.records import NewEvent, RunOptions
from mutirao.jobs.states import JobState
from sqlalchemy import event

from tests.driven import Driven
from tests.integration.test_keys import CLOSED_WITHIN_SECONDS, Reader, client_of, make
from tests.servers import Servers
from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

IDLE_SECONDS = 1.0
UNTOLD = {"input", "output"}


@dataclass
class Frame:
    event: str
    data: dict[str, Any]


class Watcher:
    """A reader of a feed: asked for frames, it gives those that come."""

    def __init__(self, stream: AsyncGenerator[bytes, None]) -> None:
        self.stream = stream
        self.seen: list[Frame] = []

    async def until(self, found: Callable[[Frame], bool]) -> Frame:
        """The first frame that is looked for; those before it are in `seen`."""
        async with asyncio.timeout(20):
            while True:
                for part in (await anext(self.stream)).split(b"\n\n"):
                    if part and not part.startswith(b":"):
                        name, _, data = part.decode().partition("\n")
                        self.seen.append(Frame(name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))))
                for frame in self.seen:
                    if found(frame):
                        self.seen.clear()
                        return frame

    async def job(self, job_id: UUID, state: JobState) -> dict[str, Any]:
        """The job, once it is told in this state."""
        found: list[dict[str, Any]] = []

        def is_told(frame: Frame) -> bool:
            rows = frame.data.get("jobs", []) if frame.event == "jobs" else []
            found[:] = [row for row in rows if row["id"] == str(job_id) and row["state"] == state]
            return bool(found)

        await self.until(is_told)
        return found[0]

    async def pending(self, count: int) -> None:
        await self.until(lambda frame: frame.event == "approvals" and frame.data == {"pending": count})

    async def many(self) -> None:
        await self.until(lambda frame: frame.event == "many" and frame.data == {})


@dataclass
class World:
    store: Stores
    notices: Notices
    changes: Changes

    @asynccontextmanager
    async def watcher(self, project: UUID | None = None) -> AsyncIterator[Watcher]:
        """A reader that has heard `hello` and how many approvals wait."""
        follow = self.changes.follow(project or self.store.project, idle_seconds=IDLE_SECONDS)
        async with aclosing(follow) as stream:
            watcher = Watcher(stream)
            hello = await watcher.until(lambda frame: True)
            assert (hello.event, list(hello.data)) == ("hello", ["at"])
            await watcher.until(lambda frame: frame.event == "approvals")
            yield watcher


@asynccontextmanager
async def listening(database_url: str) -> AsyncIterator[Notices]:
    """What a process hears from the database."""
    notices = Notices(database_url, EVENTS_CHANNEL)
    connected = notices.flag("")
    await notices.start()
    await connected.wait()  # until then everything may have been missed, and is told as `many`
    try:
        yield notices
    finally:
        await notices.stop()


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with stores(database_url) as store, listening(database_url) as notices:
        changes = Changes(store.db, notices)
        yield World(store, notices, changes)
        await changes.stop()


async def test_a_job_is_told_as_lists_show_it_without_what_may_be_large(world: World) -> None:
    async with world.watcher() as watcher:
        run = RunOptions(kwargs={"input": "a" * 1000}, config={"tags": ["x"]})
        job = await world.store.accept(metadata={"customer": "ana"}, run=run)
        world.changes.told(job.id)
        told = await watcher.job(job.id, JobState.QUEUED)
        shown = job.model_dump(mode="json", exclude=UNTOLD)
        assert told == {**shown, "run": {**shown["run"], "kwargs": {}}}
        [claim] = await world.store.take(await world.store.worker("teller"), ids=[job.id])
        assert (await watcher.job(job.id, JobState.RUNNING))["last_seq"] > job.last_seq
        await world.store.claims.finish(claim, JobState.SUCCEEDED, output={"n": 1})
        ended = await watcher.job(job.id, JobState.SUCCEEDED)
        assert ended["finished_at"] is not None
        assert UNTOLD.isdisjoint(ended)


async def test_all_that_has_changed_in_a_moment_is_one_frame_for_all_readers(world: World) -> None:
    read: list[str] = []

    def count(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if "row_number() OVER (PARTITION BY project_id" in statement:
            read.append(statement)

    async with world.watcher() as one, world.watcher() as two:
        claim = await world.store.claimed()
        await one.job(claim.job_id, JobState.RUNNING)
        event.listen(world.store.db.engine.sync_engine, "before_cursor_execute", count)
        for n in range(30):
            await world.store.claims.append([(claim, NewEvent(type="said", data={"n": n}))])
        last = (await world.store.get(claim.job_id)).last_seq
        for watcher in (one, two):
            await watcher.until(
                lambda frame: frame.event == "jobs" and any(row["last_seq"] == last for row in frame.data["jobs"])
            )
        event.remove(world.store.db.engine.sync_engine, "before_cursor_execute", count)
        assert 0 < len(read) < 30


@pytest.fixture
async def beside(world: World, database_url: str) -> AsyncIterator[World]:
    """Another API process of the same database."""
    async with listening(database_url) as notices:
        changes = Changes(world.store.db, notices)
        yield World(world.store, notices, changes)
        await changes.stop()


async def test_what_another_process_has_accepted_is_told_before_a_worker_takes_it(world: World, beside: World) -> None:
    told: list[str] = []
    beside.notices.hear(told.append)
    jobs = {(await world.store.accept()).id for _ in range(3)}
    async with world.watcher() as watcher:
        for job in jobs:
            beside.changes.told(job)
        seen: set[str] = set()

        def all_are_told(frame: Frame) -> bool:
            seen.update(row["id"] for row in frame.data.get("jobs", ()))
            return seen == {str(job) for job in jobs}

        await watcher.until(all_are_told)
    [key] = told
    assert key.startswith(ACCEPTED)
    assert beside.changes._accepted.ids_of(key) == [], "nobody tells itself"


async def test_of_what_a_worker_has_taken_no_other_process_is_told(
    beside: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepted, "WAIT_SECONDS", 60)
    job = await beside.store.accept()
    beside.changes.told(job.id)
    async with beside.notices.waiting(str(job.id)) as heard:
        await beside.store.take(await beside.store.worker("quick"), ids=[job.id])
        await heard.wait()
    assert not beside.changes._accepted._ids


async def another(world: World) -> Stores:
    """Another project of the same database."""
    return Stores(world.store.db, await world.store.projects.ensure("another"))


async def test_nobody_is_told_of_another_project(world: World) -> None:
    other = await another(world)
    async with world.watcher() as mine, world.watcher(other.project) as theirs:
        job, foreign = await world.store.claimed(), await other.claimed()
        await mine.job(job.job_id, JobState.RUNNING)
        await theirs.job(foreign.job_id, JobState.RUNNING)
        await world.store.claims.finish(job, JobState.SUCCEEDED)
        await other.claims.finish(foreign, JobState.FAILED)
        told: list[dict[str, Any]] = []
        await mine.until(lambda frame: told.extend(frame.data.get("jobs", [])) or _has(told, job.job_id, "succeeded"))
        assert {row["id"] for row in told} == {str(job.job_id)}
        await theirs.job(foreign.job_id, JobState.FAILED)


def _has(told: list[dict[str, Any]], job_id: UUID, state: str) -> bool:
    return any(row["id"] == str(job_id) and row["state"] == state for row in told)


async def test_the_collector_is_not_bound_to_the_project_of_who_came_first(world: World) -> None:
    other = await another(world)
    assert await world.store.db.raise_wall()
    with bound_to(other.project):
        first = world.changes.follow(other.project, idle_seconds=IDLE_SECONDS)
        assert (await anext(first)).startswith(b"event: hello")
    async with world.watcher() as mine:
        claim = await world.store.claimed()
        await mine.job(claim.job_id, JobState.RUNNING)
    await first.aclose()


async def test_too_much_to_tell_is_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_JOBS", 3)
    async with world.watcher() as watcher:
        for job in [await world.store.accept() for _ in range(4)]:
            world.changes.told(job.id)
        await watcher.many()
        monkeypatch.setattr(module, "_MOST_IDS", 1)
        for job in [await world.store.accept() for _ in range(2)]:
            world.changes.told(job.id)
        await watcher.many()


async def test_who_does_not_read_is_told_many_later_and_keeps_nothing_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 4_000)
    async with world.watcher() as slow, world.watcher() as quick:
        for _ in range(5):
            claim = await world.store.claimed()
            await quick.job(claim.job_id, JobState.RUNNING)
            await world.store.claims.finish(claim, JobState.SUCCEEDED)
            await quick.job(claim.job_id, JobState.SUCCEEDED)
        await slow.many()
        assert [frame.event for frame in slow.seen] == []
        claim = await world.store.claimed()
        await slow.job(claim.job_id, JobState.RUNNING)


async def test_after_a_lost_connection_everybody_reads_anew(world: World) -> None:
    async with world.watcher() as watcher:
        await world.store.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        )
        await watcher.many()


async def test_a_job_that_is_deleted_is_told_as_gone(world: World) -> None:
    async with world.watcher() as watcher:
        job = await world.store.accept()
        world.changes.told(job.id)
        await watcher.job(job.id, JobState.QUEUED)
        world.changes.deleted(world.store.project, job.id)
        gone = await watcher.until(lambda frame: frame.event == "jobs" and bool(frame.data["deleted"]))
        assert gone.data == {"jobs": [], "deleted": [str(job.id)]}
        world.changes.deleted(world.store.project)
        await watcher.many()


async def test_nothing_is_read_while_nobody_watches(world: World) -> None:
    async with world.watcher():
        pass
    assert not world.changes._feeds
    assert world.changes._task is None
    assert not world.notices._listeners
    world.changes.told((await world.store.accept()).id)
    assert not world.changes._ids


async def test_a_silent_stream_says_that_it_lives(world: World) -> None:
    async with aclosing(world.changes.follow(world.store.project, idle_seconds=0.05)) as stream:
        async with asyncio.timeout(20):
            while await anext(stream) != b": still here\n\n":
                pass


async def test_approvals_that_wait_are_counted_when_that_changes(driven: Driven) -> None:
    """Over the API, from the first question to the decision."""
    headers = {"Authorization": f"Bearer {driven.servers.key}"}
    async with (
        httpx.AsyncClient(base_url=driven.servers.url, headers=headers, trust_env=False, timeout=30) as client,
        client.stream("GET", "/api/v1/changes") as answer,
    ):
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"

        async def parts() -> AsyncGenerator[bytes, None]:
            rest = b""
            async for part in answer.aiter_raw():
                whole, _, rest = (rest + part).rpartition(b"\n\n")
                yield whole + b"\n\n"

        async with aclosing(parts()) as stream:
            watcher = Watcher(stream)
            first = await watcher.until(lambda frame: frame.event == "approvals")
            before = first.data["pending"]
            _, [approval] = await driven.asks("really?")
            await watcher.pending(before + 1)
            decided = await driven.call("POST", f"/approvals/{approval.id}", json={"decision": "yes"})
            assert decided.status_code == 200
            await watcher.pending(before)
            accepted = await driven.submit()
            await watcher.job(accepted, JobState.QUEUED)


def test_the_feed_needs_the_scope_to_read_and_ends_with_its_key(servers: Servers) -> None:
    with client_of(servers, make(servers, "submit")["key"]) as client:
        assert client.get("/changes").status_code == 403
    made = make(servers, "read")
    with client_of(servers, made["key"]) as client:
        stream = Reader(client, "/changes")
        stream.start()
        assert stream.begun.wait(10)
        servers.http.delete(f"/keys/{made['id']}")
        stream.join(CLOSED_WITHIN_SECONDS)
        assert not stream.is_alive()
    assert stream.body.startswith(b"event: hello\n")
