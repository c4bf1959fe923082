"""Who follows a thread: runs that rest and go on, that are rolled back, that wait behind others; and their numbers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from mutirao.api.broadcast import Journals
from mutirao.api.langgraph import thread_streams
from mutirao.api.langgraph.protocol_events import Filter
from mutirao.api.langgraph.protocol_stream import Bell, ThreadStreams
from mutirao.api.langgraph.run_streams import HEARTBEAT
from mutirao.api.langgraph.thread_streams import _Following, _now, _Place, _place
from mutirao.db.notices import Notices
from mutirao.ids import new_id
from mutirao.jobs.channels import EVENTS_CHANNEL
from mutirao.jobs.records import Claim, Job, NewEvent, StreamOptions
from mutirao.jobs.states import JobState
from mutirao.jobs.thread_journal import PLACE_BITS, ThreadJournal

from tests.lab import Lab
from tests.stores import stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


class Followed(Lab):
    """Runs of threads, and the streams of one API process."""

    notices: Notices

    @property
    def services(self) -> Any:
        settings = SimpleNamespace(api=SimpleNamespace(stream_heartbeat_seconds=15.0))
        journal = Journals(self.store.db, self.notices)
        return SimpleNamespace(runs=self.runs, notices=self.notices, journal=journal, settings=settings)

    async def say(self, claim: Claim, value: Any) -> None:
        """A frame of the run's stream."""
        part = NewEvent(type="stream.values", data={"ns": [], "data": value})
        await self.store.claims.append([(claim, part)])

    async def decided(self, job: Job) -> Claim:
        """Answer the run's question by the inbox; the run, claimed again."""
        [asked] = await self.approvals.of_job(self.store.project, job.id)
        await self.approvals.decide(self.store.project, asked.id, "yes")
        return await self.claim(job)

    @asynccontextmanager
    async def following(self, place: _Place, job: Job, *modes: str) -> AsyncIterator["Reader"]:
        """A reader of the run's thread from that place on."""
        following = _Following(self.services, self.store.project, job.thread_id, frozenset(modes or ["run_modes"]))
        async with aclosing(following.frames(place)) as frames:
            reader = Reader(frames)
            try:
                yield reader
            finally:
                reader.leaves = True  # at the next sign of life: it reads no table then
                await reader.task


class Reader:
    """Takes frames as they come."""

    def __init__(self, frames: Any) -> None:
        self.frames: list[tuple[str, Any, str | None]] = []
        self.leaves = False
        self._news = asyncio.Event()
        self.task = asyncio.create_task(self._read(frames))

    async def _read(self, chunks: Any) -> None:
        async for chunk in chunks:
            if self.leaves and chunk is HEARTBEAT:
                return
            for block in chunk.decode().split("\r\n\r\n"):
                fields = dict(line.split(": ", 1) for line in block.split("\r\n") if not line.startswith(":") and line)
                if fields:
                    self.frames.append((fields["event"], orjson.loads(fields["data"]), fields.get("id")))
                    self._news.set()

    @property
    def said(self) -> list[Any]:
        return [data for event, data, _ in self.frames if event == "values"]

    @property
    def ends(self) -> list[str]:
        return [str(at) for _, data, at in self.frames if isinstance(data, dict) and data.get("status") == "run_done"]

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(20):
            while not done():
                assert not self.task.done(), self.task
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def lab(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Followed]:
    monkeypatch.setattr(thread_streams, "LOOK_SECONDS", 0.2)
    async with stores(database_url) as store:
        found = Followed(store)
        found.notices = Notices(database_url, EVENTS_CHANNEL)
        await found.notices.start()
        try:
            yield found
        finally:
            await found.notices.stop()


async def test_a_run_that_goes_on_after_a_decision_is_told_to_its_end(lab: Followed) -> None:
    job = await lab.run()
    claim = await lab.claim(job)
    async with lab.following(_Place(), job) as reader:
        await lab.say(claim, "before")
        await lab.ask(claim, "a")
        await reader.until(lambda: reader.ends)
        claim = await lab.decided(job)
        await lab.say(claim, "after")
        await lab.store.claims.finish(claim, JobState.SUCCEEDED, output={})
        await reader.until(lambda: len(reader.ends) == 2)
        next_job = await lab.run(job.thread_id)
        claim = await lab.claim(next_job)
        await lab.say(claim, "next")
        await lab.store.claims.finish(claim, JobState.SUCCEEDED, output={})
        await reader.until(lambda: len(reader.ends) == 3)
        assert reader.said == ["before", "after", "next"]
    async with lab.following(_place(reader.ends[0]), job) as late:
        await late.until(lambda: len(late.ends) == 2)
        assert late.said == ["after", "next"]


async def test_who_comes_to_a_thread_that_asks_is_told_what_follows_the_answer(lab: Followed) -> None:
    job = await lab.run()
    claim = await lab.claim(job)
    await lab.say(claim, "before")
    await lab.ask(claim, "a")
    async with lab.following(await _now(lab.services, lab.store.project, job.thread_id), job) as reader:
        claim = await lab.decided(job)
        await lab.say(claim, "after")
        await lab.store.claims.finish(claim, JobState.SUCCEEDED, output={})
        await reader.until(lambda: reader.ends)
        assert reader.said == ["after"]


async def test_a_run_that_was_passed_by_others_is_told_when_it_begins(lab: Followed) -> None:
    later = await lab.run(delay=3600)
    async with lab.following(await _now(lab.services, lab.store.project, later.thread_id), later) as reader:
        for job in (await lab.run(later.thread_id), later):
            await lab.due(job)
            claim = await lab.claim(job)
            await lab.say(claim, str(job.id == later.id))
            await lab.store.claims.finish(claim, JobState.SUCCEEDED, output={})
        await reader.until(lambda: len(reader.ends) == 2)
        assert reader.said == ["False", "True"]


async def test_a_run_that_is_rolled_back_ends_no_stream(lab: Followed) -> None:
    job = await lab.run()
    await lab.claim(job)
    place = _Place(job.id, job.last_seq)
    async with lab.following(place, job, "lifecycle", "state_update") as reader:
        await lab.runs.cancel(lab.store.project, job.id, rollback=True)
        [row] = await lab.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=job.id)
        await lab.store.lose(row.worker_id)
        await reader.until(lambda: reader.ends)
        assert "state_update" not in [event for event, _, _ in reader.frames]
        next_job = await lab.run(job.thread_id)
        await lab.store.claims.finish(await lab.claim(next_job), JobState.SUCCEEDED, output={})
        await reader.until(lambda: len(reader.ends) == 2)


async def test_a_stream_that_follows_two_runs_keeps_no_more_than_it_needs(lab: Followed) -> None:
    options = StreamOptions(protocol=True)
    first = await lab.run(stream=options)
    claim = await lab.claim(first)
    await lab.run(first.thread_id, stream=options)  # waits behind it
    streams = ThreadStreams(ThreadJournal(lab.store.db), lab.notices, 15.0)
    wanted = Filter.of(["values"], None, None)
    async with aclosing(streams.follow(lab.store.project, first.thread_id, wanted, -1)) as events:
        for number in range(8):
            part = {"method": "values", "namespace": [], "data": {"n": number}}
            await lab.store.claims.append([(claim, NewEvent(type="stream.protocol", data=part))])
            async with asyncio.timeout(20):
                while (event := await anext(events)) is None:
                    pass
            assert event["params"]["data"] == {"n": number}
        assert len(lab.notices._waiters) <= 3
    assert not lab.notices._waiters


async def test_a_bell_hears_the_last_two_runs(lab: Followed) -> None:
    jobs = [new_id() for _ in range(3)]
    async with Bell(lab.notices, new_id()) as bell:
        assert [await bell.listen(jobs[number]) for number in (0, 1, 0, 1, 2, 1)] == [
            True,
            True,
            False,
            False,
            True,
            False,
        ]
        assert set(map(str, jobs[1:])) == {key for key in lab.notices._waiters if not key.startswith("thread/")}
    assert not lab.notices._waiters


async def test_numbers_of_attempts_that_begin_at_once_do_not_overlap(lab: Followed) -> None:
    options = StreamOptions(protocol=True)
    job, project = await lab.run(stream=options), lab.store.project
    thread = job.thread_id
    journal = ThreadJournal(lab.store.db)

    async def tell(claim: Claim) -> None:
        part = NewEvent(type="stream.protocol", data={"method": "values", "namespace": [], "data": {}})
        await lab.store.claims.append([(claim, part)] * 20)

    claim = await lab.claim(job)
    await tell(claim)
    await lab.store.claims.hand_back(claim)
    claim = await lab.claim(job)
    head = await journal.head(project, thread)
    assert head is not None
    first = (await journal.after(project, thread, head.base))[0]
    assert (first.type, first.seq) == ("job.started", head.base + 1)
    assert first.seq % (1 << PLACE_BITS) == 1, "places are counted from the attempt's beginning"
    await tell(claim)
    await lab.store.claims.finish(claim, JobState.SUCCEEDED)
    second = await lab.run(thread, stream=options)
    await tell(await lab.claim(second))
    await lab.store.run("UPDATE attempts SET started_at = '2030-01-01 00:00:00Z'")
    found = await journal.after(project, thread, -1)
    assert len(found) == 20 * 3 + 4
    assert [event.seq for event in found] == sorted({event.seq for event in found})
    assert [event.job for event in found] == sorted((event.job for event in found), key=lambda at: at == second.id)
    assert await journal.last(project, thread) == found[-1].seq
    behind = await journal.after(project, thread, found[41].seq)
    assert [event.seq for event in behind] == [event.seq for event in found[42:]]
