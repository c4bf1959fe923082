"""Many readers of one job: one reading of its journal, everything in order for each, an end where there is one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import orjson
import pytest
from mutirao.api import broadcast
from mutirao.api.broadcast import Entry, Journals
from mutirao.db.notices import Notices
from mutirao.errors import NotFound
from mutirao.ids import new_id
from mutirao.jobs.channels import EVENTS_CHANNEL
from mutirao.jobs.records import Claim, NewEvent
from mutirao.jobs.states import JobState
from sqlalchemy import event

from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@dataclass
class World:
    store: Stores
    journals: Journals

    async def say(self, claim: Claim, count: int) -> None:
        """So many events more."""
        await self.store.claims.append([(claim, NewEvent(type="said", data={"n": n})) for n in range(count)])

    async def read(self, claim: Claim, after: int = 0, *, until_rest: bool = False) -> list[Entry]:
        """Everything until the stream ends by itself."""
        async with asyncio.timeout(20):
            follow = self.journals.follow(self.store.project, claim.job_id, after=after, until_rest=until_rest)
            return [entry async for entry in follow]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with stores(database_url) as store:
        notices = Notices(database_url, EVENTS_CHANNEL)
        await notices.start()
        try:
            yield World(store, Journals(store.db, notices))
        finally:
            await notices.stop()


async def test_every_reader_gets_everything_wherever_it_begins(world: World) -> None:
    claim = await world.store.claimed()
    readers = [asyncio.create_task(world.read(claim, after)) for after in (0, 5, 0, 40, 3, 5_000)]
    for _ in range(5):
        await world.say(claim, 10)
        await asyncio.sleep(0)
    await world.store.claims.finish(claim, JobState.SUCCEEDED)
    found = await asyncio.gather(*readers)
    assert [[entry.seq for entry in entries] for entries in found] == [
        list(range(after + 1, 54)) for after in (0, 5, 0, 40, 3, 5_000)
    ]
    whole = [entry.model_dump(mode="json") for entry in await world.store.events(claim.job_id)]
    assert [orjson.loads(entry.json) for entry in found[0]] == whole
    assert [entry.data for entry in found[0]] == [entry["data"] for entry in whole]


async def test_the_table_is_read_for_all_readers_at_once(world: World) -> None:
    claim = await world.store.claimed()
    read: list[str] = []

    def count(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if "FROM events" in statement:
            read.append(statement)

    event.listen(world.store.db.engine.sync_engine, "before_cursor_execute", count)
    readers = [asyncio.create_task(world.read(claim)) for _ in range(50)]
    await asyncio.sleep(0)
    await world.say(claim, 10)
    await world.store.claims.finish(claim, JobState.SUCCEEDED)
    assert {len(entries) for entries in await asyncio.gather(*readers)} == {13}
    assert len(read) < 10


async def test_a_reader_that_stands_still_lags_and_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "_MOST_KEPT", 20)
    claim = await world.store.claimed()
    async with aclosing(world.journals.follow(world.store.project, claim.job_id)) as slow:
        first = await anext(slow)
        quick = asyncio.create_task(world.read(claim))
        for _ in range(5):
            await world.say(claim, 30)
        await world.store.claims.finish(claim, JobState.SUCCEEDED)
        [followed] = world.journals._followed.values()
        assert len(await quick) == 153
        assert len(followed._kept) <= 20
        assert [first.seq, *[entry.seq async for entry in slow]] == list(range(1, 154))
    assert not world.journals._followed


async def test_a_reader_may_ask_to_be_let_go_when_the_job_waits_for_a_decision(world: World) -> None:
    claim = await world.store.claimed()
    patient = asyncio.create_task(world.read(claim))
    await world.store.claims.hold(claim, JobState.PAUSED, "approval")
    seen = await world.read(claim, until_rest=True)
    assert seen[-1].type == "job.paused"
    assert not patient.done()
    await world.store.jobs.cancel(world.store.project, claim.job_id)
    assert (await patient)[-1].type == "job.cancelled"


async def test_an_end_in_the_middle_is_passed(world: World) -> None:
    claim = await world.store.claimed()
    await world.store.claims.finish(claim, JobState.FAILED)
    await world.store.jobs.retry(world.store.project, claim.job_id)
    reader = asyncio.create_task(world.read(claim))
    [again] = await world.store.take(await world.store.worker("next"), ids=[claim.job_id])
    await world.store.claims.finish(again, JobState.SUCCEEDED)
    types = [entry.type for entry in await reader]
    assert types.index("job.failed") < len(types) - 1
    assert types[-1] == "job.succeeded"


async def test_a_job_of_nobody_is_not_found(world: World) -> None:
    claim = await world.store.claimed()
    with pytest.raises(NotFound):
        await anext(world.journals.follow(world.store.project, new_id()))
    with pytest.raises(NotFound):
        await anext(world.journals.follow(new_id(), claim.job_id))


async def test_a_reader_that_lags_behind_a_job_that_is_deleted_is_let_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "_MOST_KEPT", 20)
    claim = await world.store.claimed()
    await world.say(claim, 600)
    async with aclosing(world.journals.batches(world.store.project, claim.job_id)) as slow:
        assert (await anext(slow))[-1].seq < 600
        await world.store.claims.finish(claim, JobState.SUCCEEDED)
        assert (await world.read(claim, 590))[-1].type == "job.succeeded"
        await world.store.run("DELETE FROM jobs WHERE id = :id", id=claim.job_id)
        async with asyncio.timeout(20):
            with pytest.raises(NotFound):
                await anext(slow)


@pytest.mark.parametrize("kept", [0, broadcast._MOST_BYTES])
async def test_a_page_is_no_larger_than_what_a_reader_may_hold(
    world: World, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """From the table and from memory; an event that is larger than a page is one."""
    monkeypatch.setattr(broadcast, "_MOST_BYTES", kept)
    monkeypatch.setattr(broadcast, "_PAGE_BYTES", 10_000)
    claim = await world.store.claimed()
    for size in (10, 3_000, 50_000, 10, 3_000, 3_000, 3_000, 3_000, 10):
        await world.store.claims.append([(claim, NewEvent(type="said", data={"text": "x" * size}))] * 3)
    await world.store.claims.finish(claim, JobState.SUCCEEDED)
    await world.read(claim)
    async with aclosing(world.journals.batches(world.store.project, claim.job_id)) as batches:
        pages = [list(batch) async for batch in batches]
    assert [entry.seq for page in pages for entry in page] == list(range(1, 31))
    assert all(len(page) == 1 or sum(len(entry.raw) for entry in page) <= 10_000 for page in pages)
    assert len(pages) < 15
