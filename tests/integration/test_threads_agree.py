"""What a thread's row, its checkpoints and its jobs say agrees, whoever has ended a job, and whatever comes in between."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from mutirao.ids import new_id
from mutirao.jobs.approvals import Question
from mutirao.jobs.records import Claim, RunOptions
from mutirao.jobs.rest import Rest
from mutirao.jobs.run_order import accept_in
from mutirao.jobs.runs import RunStore
from mutirao.jobs.states import JobState
from mutirao.threads import ThreadStore
from mutirao_agents import workflow
from mutirao_agents.discovery import Extras, Found
from mutirao_workers import questions
from mutirao_workers.attempt import Stop
from mutirao_workers.home_loop import HomeLoop
from mutirao_workers.project_store import ProjectStores

from tests.runs import Build, Runs, chain, runs, until
from tests.stores import submission
from tests.streams import Said, ask, hello, run_of, thread_row

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[Runs]:
    async with runs(database_url) as these:
        yield these


async def fail(state: Said) -> Any:
    raise ValueError("kaput")


async def _writes(world: Runs, thread: UUID) -> list[tuple[Any, ...]]:
    rows = await world.store.run(
        """SELECT checkpoint_ns, checkpoint_id, task_id, idx, channel, type, encode(blob, 'hex') FROM checkpoint_writes
        WHERE thread_id = :t ORDER BY 1, 2, 3, 4""",
        t=str(thread),
    )
    return [tuple(row) for row in rows]


class Held:
    """Two questions at once; who has the right answer waits when `waits` is set. The left one asks thrice."""

    def __init__(self) -> None:
        self.waits = True
        self.stands = asyncio.Event()

    def graph(self) -> StateGraph[Any]:
        async def left(state: Said) -> Any:
            return {"said": [f"left:{interrupt('left?')}:{interrupt('again?')}:{interrupt('sure?')}"]}

        async def right(state: Said) -> Any:
            got = interrupt("right?")
            self.stands.set()
            if self.waits:
                await asyncio.Event().wait()
            return {"said": [f"right:{got}"]}

        made = StateGraph(Said)
        for name, step in (("left", left), ("right", right)):
            made.add_node(name, step)
            made.add_edge(START, name)
        return made


async def _ids(world: Runs, thread: UUID) -> dict[str, str]:
    asked = [each for some in (await thread_row(world, thread)).interrupts.values() for each in some]
    return {each["value"]: each["id"] for each in asked}


async def test_a_run_that_is_rolled_back_leaves_nothing_under_earlier_checkpoints(world: Runs) -> None:
    held = Held()
    first = await run_of(world, input={"said": []})
    await world.run(held.graph, first)
    thread = first.thread_id
    ids = await _ids(world, thread)
    # Another run has answered one question: what it has written there is to stay.
    second = await run_of(world, thread, input=None, command={"resume": {ids["left?"]: "yes"}})
    await world.run(held.graph, second)
    ids, before = await _ids(world, thread), await _writes(world, thread)
    command = {"resume": {ids["again?"]: "YES", ids["right?"]: "YES"}, "update": {"said": ["rolled back"]}}
    third = await run_of(world, thread, input=None, command=command)
    attempt = world.begin(held.graph, third)
    await held.stands.wait()
    # The update has come; the answers and the question of the task that asks once more are other ones.
    async with asyncio.timeout(20):
        while len(now := await _writes(world, thread)) < len(before) + 1 or len(set(before) - set(now)) < 2:
            await asyncio.sleep(0.02)
    await world.store.run(
        "UPDATE jobs SET rolled_back = true, cancel_requested_at = now() WHERE id = :id", id=third.job_id
    )
    attempt.stop(Stop.CANCEL)
    assert (await world.end(attempt)).state is JobState.CANCELLED
    assert await _writes(world, thread) == before
    assert await world.store.run("SELECT 1 FROM displaced_writes WHERE job_id = :id", id=third.job_id) == []
    held.waits = False
    for answers in ({"again?": "no", "right?": "no"}, {"sure?": "no"}):
        command = {"resume": {(await _ids(world, thread))[asked]: answer for asked, answer in answers.items()}}
        job = await world.run(held.graph, await run_of(world, thread, input=None, command=command))
    assert job.output["said"] == ["left:yes:no:no", "right:no"]


async def test_an_end_that_waits_behind_its_rollback_leaves_nothing_in_the_thread(world: Runs) -> None:
    store = RunStore(world.store.db)
    thread = new_id()

    def of_thread(**run: Any) -> Any:
        return submission(world.store.project, thread_id=thread, run=RunOptions(**run))

    job = await store.accept(of_thread(), create_thread=True)
    [claim] = await world.store.take(await world.store.worker("w"), ids=[job.id])
    rest = Rest(thread_id=thread, values={"of": "rolled back"}, interrupts={}, next=())
    async with world.store.db.begin() as connection:
        await accept_in(connection, of_thread(multitask_strategy="rollback"))
        ending = asyncio.create_task(world.store.claims.finish(claim, JobState.SUCCEEDED, rest=rest))
        await _waits(world)
    await ending
    assert (await thread_row(world, thread)).values is None


async def _waits(world: Runs) -> None:
    """Return when somebody waits for a lock in this database."""
    async with asyncio.timeout(20):
        while not await world.store.run(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0.01)


def _questions(world: Runs, build: Build) -> questions.Questions:
    served = workflow(name="flow", version="1")(build)
    found = Found(workflows={"flow": served}, extras=Extras())
    stores = ProjectStores(HomeLoop(world.store.db), found.extras)
    return questions.Questions(found, world.store.db, world.pool, stores)


def _query(world: Runs, kind: str, claim: Claim, **more: Any) -> questions.Query:
    request = {"thread_id": str(claim.thread_id), **more}
    return questions.Query(id=new_id(), project_id=world.store.project, workflow="flow", kind=kind, request=request)


async def _lost(world: Runs, build: Build) -> Claim:
    """A job that has lost its last worker in its second step."""
    claim = await run_of(world, input={"said": ["in"]})
    attempt = world.begin(build, claim)
    await until(lambda: attempt.step == "stay")
    await world.store.run("UPDATE jobs SET max_attempts = 1 WHERE id = :id", id=claim.job_id)
    assert attempt.task is not None
    attempt.task.cancel()
    await asyncio.gather(attempt.task, return_exceptions=True)
    [row] = await world.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=claim.job_id)
    async with asyncio.timeout(20):
        while not await world.store.lose(row.worker_id):
            await asyncio.sleep(0.01)
    return claim


async def _asked(world: Runs, claim: Claim) -> list[Any]:
    return list(
        await world.store.run(
            "SELECT kind, workflow, request FROM queries WHERE request ->> 'thread_id' = :t", t=str(claim.thread_id)
        )
    )


def _stays() -> StateGraph[Any]:
    async def stay(state: Said) -> Any:
        await asyncio.Event().wait()

    return chain(Said, hello=hello, stay=stay)


async def test_a_reader_fills_in_the_thread_of_a_job_that_others_have_ended(world: Runs) -> None:
    claim = await _lost(world, _stays)
    assert (await thread_row(world, claim.thread_id)).values is None
    # The database itself has asked for it.
    [asked] = await _asked(world, claim)
    assert (asked.kind, asked.workflow, asked.request) == ("refresh", "flow", {"thread_id": str(claim.thread_id)})
    answers = _questions(world, _stays)
    await answers.kinds["refresh"](_query(world, "refresh", claim))
    state = await answers.state(_query(world, "state", claim))
    thread = await ThreadStore(world.store.db).get(world.store.project, claim.thread_id)
    assert thread.values == state["values"] == {"said": ["in", "hello"]}
    assert (thread.next, thread.status) == (state["next"], "error") == (["stay"], "error")
    assert thread.error["error"] == "attempts_exhausted"


async def test_who_reads_a_state_leaves_it_in_the_row(world: Runs) -> None:
    claim = await _lost(world, _stays)
    state = await _questions(world, _stays).state(_query(world, "state", claim))
    assert (await thread_row(world, claim.thread_id)).values == state["values"] == {"said": ["in", "hello"]}


async def test_an_attempt_that_writes_its_own_end_asks_for_nothing(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    await world.run(lambda: chain(Said, hello=hello, fail=fail), claim)
    assert await _asked(world, claim) == []


async def test_a_native_job_behind_a_run_is_what_the_thread_says(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    await world.run(lambda: chain(Said, hello=hello, ask=ask), claim)
    await run_of(world, claim.thread_id, input={"said": []})
    await world.store.run("UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE state = 'running'")
    native = await world.store.claimed(thread_id=claim.thread_id, input={"said": ["native"]})
    job = await world.run(lambda: chain(Said, hello=hello), native)
    threads = ThreadStore(world.store.db)
    thread = await threads.get(world.store.project, claim.thread_id)
    assert thread.values == job.output
    assert thread.values["said"][-2:] == ["native", "hello"]
    assert (thread.status, thread.next, thread.interrupts) == ("idle", [], {})
    copied = await threads.copy(world.store.project, claim.thread_id)
    assert (copied.values, copied.next, copied.status) == (job.output, [], "idle")


async def test_reconciling_waits_for_no_thread(world: Runs) -> None:
    stuck, free = [await run_of(world, input={"said": []}) for _ in range(2)]
    for claim in (stuck, free):
        question = Question(id=new_id(), interrupt_id="i", task_id="i", request="?", expires_seconds=0.01)

        async def also(connection: Any, claim: Claim = claim, question: Question = question) -> None:
            await world.approvals.open(connection, claim, [question])

        await world.store.claims.hold(claim, JobState.PAUSED, "approval", also=also)
    async with world.store.db.begin() as connection:
        await connection.execute(questions._LOCK, {"project": world.store.project, "thread": stuck.thread_id})
        async with asyncio.timeout(20):
            moved = await world.store.claims.reconcile()
    assert [job for job, _, _ in moved] == [free.job_id]
    assert [job for job, _, _ in await world.store.claims.reconcile()] == [stuck.job_id]


@pytest.mark.parametrize("again", ["retry", "decide"])
async def test_nobody_lets_a_job_go_on_while_its_state_is_changed_by_hand(
    world: Runs, again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def graph() -> StateGraph[Any]:
        return chain(Said, hello=hello, fail=fail) if again == "retry" else chain(Said, hello=hello, ask=ask)

    claim = await run_of(world, input={"said": []})
    await world.run(graph, claim)
    changes, changed = asyncio.Event(), asyncio.Event()
    change = questions._change

    async def slowly(*args: Any) -> Any:
        changes.set()
        await changed.wait()
        return await change(*args)

    monkeypatch.setattr(questions, "_change", slowly)
    updating = asyncio.create_task(
        _questions(world, graph).update(_query(world, "update", claim, values={"said": ["by hand"]}, as_node="hello"))
    )
    await changes.wait()
    if again == "retry":
        going_on = asyncio.create_task(world.store.jobs.retry(world.store.project, claim.job_id))
    else:
        [approval] = await world.asked(claim.job_id)
        going_on = asyncio.create_task(world.approvals.decide(world.store.project, approval.id, "me"))  # type: ignore[arg-type]
    await _waits(world)
    state = (await world.store.get(claim.job_id)).state
    changed.set()
    await updating
    await going_on
    assert state is (JobState.FAILED if again == "retry" else JobState.PAUSED)
    assert (await world.store.get(claim.job_id)).state is JobState.QUEUED
