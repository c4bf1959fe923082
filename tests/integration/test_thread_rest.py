"""What a thread's row says when its job is at rest: written with the end, or not at all."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from mutirao.ids import new_id
from mutirao.jobs.records import NewEvent, Problem
from mutirao.jobs.rest import Rest
from mutirao.jobs.states import JobState
from mutirao_workers.attempt import Attempt, Stop
from pydantic import BaseModel
from sqlalchemy import text
from typing_extensions import TypedDict

from tests.runs import Runs, chain, runs
from tests.streams import Said, ask, bye, hello, run_of, thread_row

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture(scope="module")
async def world(database_url: str) -> AsyncIterator[Runs]:
    async with runs(database_url) as these:
        yield these


async def fail(state: Said) -> Any:
    raise RuntimeError("kaput")


async def test_after_success_all_values_that_readers_may_see(world: Runs) -> None:
    class Output(TypedDict):
        word: str

    def graph() -> StateGraph[Any]:
        made = StateGraph(Said, output_schema=Output)
        made.add_node("bye", bye)
        made.add_edge(START, "bye")
        return made

    assistant = new_id()
    claim = await run_of(world, input={"said": ["in"]}, assistant_id=assistant)
    job = await world.run(graph, claim)
    assert job.output == {"word": "done"}
    row = await thread_row(world, claim.thread_id)
    assert row.values == {"said": ["in", "bye"], "word": "done"}
    assert (row.next, row.interrupts, row.error, row.workflow, row.assistant_id) == ([], {}, None, "flow", assistant)
    assert row.state_updated_at is not None
    assert row.updated_at == row.state_updated_at


async def test_messages_are_kept_as_clients_know_them(world: Runs) -> None:
    async def reply(state: MessagesState) -> Any:
        return {"messages": [AIMessage(content="hi", id="m1")]}

    claim = await run_of(world, input={"messages": [{"role": "user", "content": "hello", "id": "u1"}]})
    job = await world.run(lambda: chain(MessagesState, reply=reply), claim)
    row = await thread_row(world, claim.thread_id)
    assert [(each["type"], each["content"], each["id"]) for each in row.values["messages"]] == [
        ("human", "hello", "u1"),
        ("ai", "hi", "m1"),
    ]
    assert job.output == row.values


async def test_a_state_that_is_a_model(world: Runs) -> None:
    class State(BaseModel):
        count: int = 0
        word: str = "x"

    async def add(state: State) -> Any:
        return {"count": state.count + 1}

    claim = await run_of(world, input={"count": 1, "word": "y"})
    job = await world.run(lambda: chain(State, add=add), claim)
    assert job.output == (await thread_row(world, claim.thread_id)).values == {"count": 2, "word": "y"}


async def test_questions_stand_by_the_task_that_asks(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    job = await world.run(lambda: chain(Said, hello=hello, ask=ask), claim)
    assert (job.state, job.output) == (JobState.PAUSED, None)
    row = await thread_row(world, claim.thread_id)
    [[asked]] = row.interrupts.values()
    assert (set(asked), asked["value"]) == ({"id", "value"}, {"question": "who?"})
    assert (row.values, row.next, row.error) == ({"said": ["in", "hello"]}, ["ask"], None)
    [approval] = await world.asked(job.id)
    assert approval.interrupt_id == asked["id"]


async def test_a_failure_with_the_words_of_its_exception(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    job = await world.run(lambda: chain(Said, hello=hello, fail=fail), claim)
    assert job.state is JobState.FAILED
    row = await thread_row(world, claim.thread_id)
    assert row.error == {"error": "RuntimeError", "message": "kaput"}
    assert (row.values, row.next) == ({"said": ["in", "hello"]}, ["fail"])
    again = await run_of(world, claim.thread_id, input={"said": ["again"]})
    await world.run(lambda: chain(Said, hello=hello), again)
    row = await thread_row(world, claim.thread_id)
    assert (row.error, row.next, row.values) == (None, [], {"said": ["in", "hello", "again", "hello"]})


async def test_a_job_that_is_tried_again_is_not_at_rest(world: Runs) -> None:
    retry = {"failures": 1, "backoff_seconds": 0}
    claim = await run_of(world, input={"said": ["in"]}, retry=retry)
    assert (await world.run(lambda: chain(Said, fail=fail), claim)).state is JobState.QUEUED
    row = await thread_row(world, claim.thread_id)
    assert (row.error, row.state_updated_at) == (None, None)
    assert (await world.run(lambda: chain(Said, fail=fail), await world.again(claim.job_id))).state is JobState.DEAD
    assert (await thread_row(world, claim.thread_id)).error["message"] == "kaput"


async def test_a_workflow_that_nobody_serves_leaves_only_its_error(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    job = await world.run(lambda: chain(Said, hello=hello), claim.model_copy(update={"workflow": "other"}))
    assert job.state is JobState.FAILED
    row = await thread_row(world, claim.thread_id)
    assert (row.error["error"], row.values) == ("WorkflowUnavailable", None)


async def test_a_cancelled_job_leaves_the_state_it_had_got_to(world: Runs) -> None:
    reached = asyncio.Event()

    async def stay(state: Said) -> Any:
        reached.set()
        await asyncio.Event().wait()

    claim = await run_of(world, input={"said": ["in"]})
    attempt = world.begin(lambda: chain(Said, hello=hello, stay=stay), claim)
    await reached.wait()
    attempt.stop(Stop.CANCEL)
    assert (await world.end(attempt)).state is JobState.CANCELLED
    row = await thread_row(world, claim.thread_id)
    assert (row.values, row.next, row.error) == ({"said": ["in", "hello"]}, ["stay"], None)


async def test_an_end_that_another_process_writes_leaves_the_state_first(world: Runs) -> None:
    going_on = threading.Event()

    def stay(state: Said) -> Any:
        going_on.wait(20)
        return {}

    told: list[Any] = []

    async def forced(attempt: Attempt, state: JobState, error: Problem | None, events: list[NewEvent]) -> None:
        told.append((state, error))

    def graph() -> StateGraph[Any]:
        made = StateGraph(Said)
        for name, step in (("fail", fail), ("stay", stay)):
            made.add_node(name, step)
            made.add_edge(START, name)
        return made

    claim = await run_of(world, input={"said": ["in"]})
    try:
        await world.run(graph, claim, forced=forced)
    finally:
        going_on.set()
    assert [state for state, _ in told] == [JobState.QUEUED]
    row = await thread_row(world, claim.thread_id)
    assert (row.error["message"], row.values, row.next) == ("kaput", {"said": ["in"]}, ["fail", "stay"])


async def test_an_attempt_that_has_lost_its_job_writes_no_thread(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    [row] = await world.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=claim.job_id)
    await world.store.lose(row.worker_id)
    await world.again(claim.job_id)
    await world.run(lambda: chain(Said, hello=hello), claim)
    assert (await thread_row(world, claim.thread_id)).values is None


async def test_native_jobs_leave_the_row_alone(world: Runs) -> None:
    claim = await world.store.claimed(input={"said": ["in"]})
    await world.run(lambda: chain(Said, hello=hello), claim)
    assert (await thread_row(world, claim.thread_id)).values is None


async def test_a_submission_that_holds_the_thread_and_an_end_do_not_wait_for_each_other(world: Runs) -> None:
    claim = await run_of(world, input={"said": ["in"]})
    rest = Rest(thread_id=claim.thread_id, values={"said": []})
    async with world.store.db.begin() as connection:
        await rest.lock(connection)
        end = asyncio.create_task(world.store.claims.fail(claim, Problem(code="x", message="x"), rest=rest))
        blocked = "SELECT 1 FROM pg_locks WHERE NOT granted"
        async with asyncio.timeout(10):
            while not await world.store.run(blocked):
                await asyncio.sleep(0.01)
        await connection.execute(text("UPDATE jobs SET priority = 1 WHERE id = :id"), {"id": claim.job_id})
    await end
    assert (await world.store.get(claim.job_id)).state is JobState.FAILED
