"""Graphs that ask people: the job waits without a worker, and every decision reaches its question once."""

import asyncio
import operator
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from langgraph.func import task
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from mutirao.jobs.inbox import Inbox
from mutirao.jobs.states import JobState
from pydantic import BaseModel
from typing_extensions import TypedDict

from tests.runs import Runs, chain, runs

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


class State(TypedDict, total=False):
    n: int
    said: Annotated[list[Any], operator.add]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[Runs]:
    async with runs(database_url) as these:
        yield these


async def before(state: State) -> Any:
    return {"said": ["before"]}


async def ask(state: State) -> Any:
    return {"said": [interrupt({"question": "may I?", "draft": "text"})]}


def asks() -> StateGraph[Any]:
    return chain(State, before=before, ask=ask)


async def test_a_job_that_asks_pauses_and_goes_on_with_the_decision(world: Runs) -> None:
    job = await world.run(asks)
    assert (job.state, job.waiting_for, job.finished_at) == (JobState.PAUSED, "approval", None)
    [approval] = await world.asked(job.id)
    assert (approval.state, approval.step, approval.workflow) == ("pending", "ask", "flow")
    assert approval.request == {"question": "may I?", "draft": "text"}
    claim = await world.decide(job.id, {"approved": True, "draft": "edited"})
    job = await world.run(asks, claim)
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 2)
    assert job.output == {"said": ["before", {"approved": True, "draft": "edited"}]}
    [approval] = await world.asked(job.id)
    assert approval.state == "decided"
    assert approval.applied_at is not None
    [requested, decided] = await world.events(job.id, "approval.")
    assert (requested.type, requested.step, requested.data["id"]) == ("approval.requested", "ask", str(approval.id))
    assert requested.data["request"] == approval.request
    assert decided.type == "approval.decided"
    started = [event.step for event in await world.events(job.id, "step.started")]
    assert started == ["before", "ask", "ask"]


@pytest.mark.parametrize("decision", [None, False, 0, "", [], "yes", {"a": [1, None]}])
async def test_any_value_is_a_decision(world: Runs, decision: Any) -> None:
    job = await world.run(asks)
    job = await world.run(asks, await world.decide(job.id, decision))
    assert job.output == {"said": ["before", decision]}


async def test_each_interrupt_of_a_step_has_its_own_decision(world: Runs) -> None:
    async def twice(state: State) -> Any:
        first = interrupt("first?")
        second = interrupt("second?")
        return {"said": [first, second, interrupt("third?")]}

    def build() -> StateGraph[Any]:
        return chain(State, twice=twice)

    job = await world.run(build)
    for decision in ("one", "two"):
        job = await world.run(build, await world.decide(job.id, decision))
        assert job.state is JobState.PAUSED
    job = await world.run(build, await world.decide(job.id, "three"))
    assert (job.state, job.output) == (JobState.SUCCEEDED, {"said": ["one", "two", "three"]})
    approvals = await world.asked(job.id)
    assert [(approval.request, approval.decision) for approval in approvals] == [
        ("first?", "one"),
        ("second?", "two"),
        ("third?", "three"),
    ]
    assert all(approval.applied_at for approval in approvals)


def parallel(*steps: Any) -> StateGraph[Any]:
    graph = StateGraph(State)
    for step in steps:
        graph.add_node(step.__name__, step)
        graph.add_edge(START, step.__name__)
        graph.add_edge(step.__name__, END)
    return graph


async def test_parallel_interrupts_wait_for_all_decisions_and_finished_steps_stay_finished(world: Runs) -> None:
    ran = []

    async def left(state: State) -> Any:
        return {"said": [("left", interrupt("left?"))]}

    async def right(state: State) -> Any:
        return {"said": [("right", interrupt("right?"))]}

    async def slow(state: State) -> Any:
        await asyncio.sleep(0.05)
        ran.append("slow")
        return {"said": ["slow"]}

    def build() -> StateGraph[Any]:
        return parallel(left, right, slow)

    job = await world.run(build)
    approvals = {approval.request: approval for approval in await world.asked(job.id)}
    assert set(approvals) == {"left?", "right?"}
    await world.approvals.decide(world.store.project, approvals["right?"].id, "R")
    assert (await world.store.get(job.id)).state is JobState.PAUSED
    await world.approvals.decide(world.store.project, approvals["left?"].id, "L")
    job = await world.run(build, await world.again(job.id))
    assert job.output is not None
    assert sorted(job.output["said"], key=str) == [["left", "L"], ["right", "R"], "slow"]
    assert ran == ["slow"]
    started = [event.step for event in await world.events(job.id, "step.started")]
    assert sorted(started[3:]) == ["left", "right"], "a step that had ended is shown as if it ran again"


async def test_an_interrupt_in_a_subgraph(world: Runs) -> None:
    ran = []

    async def first(state: State) -> Any:
        ran.append("first")
        return {"said": ["first"]}

    async def deep(state: State) -> Any:
        return {"said": [interrupt("deep?"), interrupt("deeper?")]}

    def build() -> StateGraph[Any]:
        return chain(State, outer=chain(State, first=first, deep=deep).compile(), after=before)

    job = await world.run(build)
    [approval] = await world.asked(job.id)
    assert approval.step == "outer/deep"
    job = await world.run(build, await world.decide(job.id, "D"))
    job = await world.run(build, await world.decide(job.id, "E"))
    assert job.output == {"said": ["first", "D", "E", "before"]}
    assert ran == ["first"]
    assert all(approval.applied_at for approval in await world.asked(job.id))


async def test_an_interrupt_in_a_task_that_a_step_calls(world: Runs) -> None:
    @task
    async def inner(question: str) -> Any:
        return [interrupt(question), interrupt(f"{question}?")]

    async def call(state: State) -> Any:
        return {"said": [await inner("a"), await inner("b")]}

    def build() -> StateGraph[Any]:
        return chain(State, call=call)

    job = await world.run(build)
    for decision in (1, 2, 3):
        job = await world.run(build, await world.decide(job.id, decision))
        assert job.state is JobState.PAUSED
    job = await world.run(build, await world.decide(job.id, 4))
    assert job.output == {"said": [[1, 2], [3, 4]]}
    assert all(approval.applied_at for approval in await world.asked(job.id))


async def test_a_decision_survives_workers_that_die_before_it_is_taken_in(world: Runs) -> None:
    hang = True

    async def ask_and_work(state: State) -> Any:
        answer = interrupt("go?")
        if hang:
            await asyncio.Event().wait()
        return {"said": [answer, interrupt("and now?")]}

    def build() -> StateGraph[Any]:
        return chain(State, work=ask_and_work)

    job = await world.run(build)
    claim = await world.decide(job.id, "go")
    # One dies before it has begun, one in the middle of the step.
    [row] = await world.store.run("SELECT worker_id FROM jobs WHERE id = :id", id=job.id)
    await world.store.lose(row.worker_id)
    attempt = world.begin(build, await world.again(job.id))
    await world_has_begun(world, attempt)
    claim = await world.kill(attempt)
    [approval] = await world.asked(job.id)
    hang = False
    job = await world.run(build, claim)
    [approval, second] = await world.asked(job.id)
    assert approval.applied_at is not None
    assert (second.request, second.state) == ("and now?", "pending")
    job = await world.run(build, await world.decide(job.id, "later"))
    assert job.output == {"said": ["go", "later"]}


async def world_has_begun(world: Runs, attempt: Any) -> None:
    async with asyncio.timeout(20):
        while attempt.step is None:
            await asyncio.sleep(0.005)


async def test_a_decision_that_was_taken_in_is_not_given_again_after_a_crash(world: Runs) -> None:
    """The step fails after the first answer: the answer is kept with its error, and its approval is applied."""
    fail = True

    async def step(state: State) -> Any:
        first = interrupt("first?")
        if fail:
            raise RuntimeError("after the first answer")
        return {"said": [first, interrupt("second?")]}

    def build() -> StateGraph[Any]:
        return chain(State, step=step)

    claim = await world.store.claimed(retry={"failures": 3, "backoff_seconds": 0})
    job = await world.run(build, claim)
    job = await world.run(build, await world.decide(job.id, "one"))
    assert job.state is JobState.QUEUED
    [approval] = await world.asked(job.id)
    assert approval.applied_at is not None
    fail = False
    job = await world.run(build, await world.again(job.id))
    assert job.state is JobState.PAUSED
    job = await world.run(build, await world.decide(job.id, "two"))
    assert job.output == {"said": ["one", "two"]}


async def test_an_approval_that_nobody_decides_in_time(world: Runs) -> None:
    async def step(state: State) -> Any:
        return {"said": [interrupt({"question": "soon?", "expires_seconds": 0.05})]}

    def build() -> StateGraph[Any]:
        return chain(State, step=step)

    job = await world.run(build)
    async with asyncio.timeout(20):
        while not (released := await world.approvals.expire()):
            await asyncio.sleep(0.01)
    assert released == [(job.id, "default", JobState.QUEUED)]
    job = await world.run(build, await world.again(job.id))
    assert (job.state, job.output) == (JobState.SUCCEEDED, {"said": [{"expired": True}]})
    [approval] = await world.asked(job.id)
    assert (approval.state, approval.decision) == ("expired", {"expired": True})
    assert [event.type for event in await world.events(job.id, "approval.")] == [
        "approval.requested",
        "approval.expired",
    ]


@pytest.mark.parametrize(("seconds", "days"), [(1e300, 366), (0, None), (-1, None), (float("inf"), None), (True, None)])
async def test_a_time_to_decide_that_is_out_of_reach_is_cut_and_one_that_is_none_is_left_out(
    world: Runs, seconds: float, days: int | None
) -> None:
    async def step(state: State) -> Any:
        return {"said": [interrupt({"expires_seconds": seconds})]}

    def build() -> StateGraph[Any]:
        return chain(State, step=step)

    job = await world.run(build)
    [approval] = await world.asked(job.id)
    assert approval.state == "pending"
    left = approval.expires_at and (approval.expires_at - approval.created_at).days
    assert left == days


@pytest.mark.parametrize("nested", [False, True])
async def test_an_answer_whose_checkpoint_is_committed_outlives_the_worker(world: Runs, nested: bool) -> None:
    """The worker dies after the step that took it in, and before the steps beside or behind it have ended."""
    ran, hang = [], True

    async def answered(state: State) -> Any:
        answer = interrupt("go?")
        ran.append("answered")
        return {"said": [answer]}

    async def slow(state: State) -> Any:
        if hang and ran:
            await asyncio.Event().wait()
        ran.append("slow")
        return {"said": ["slow"] if nested else [interrupt("and you?")]}

    def build() -> StateGraph[Any]:
        if nested:
            return chain(State, inner=chain(State, answered=answered, slow=slow).compile())
        return parallel(answered, slow)

    job = await world.run(build)
    ran.clear()
    approvals = {approval.request: approval for approval in await world.asked(job.id)}
    for approval in approvals.values():
        await world.approvals.decide(world.store.project, approval.id, approval.request)
    attempt = world.begin(build, await world.again(job.id))
    async with asyncio.timeout(20):
        while not (await world.approvals.get(world.store.project, approvals["go?"].id)).applied_at:
            await asyncio.sleep(0.01)
    assert all(not a.applied_at for a in await world.asked(job.id) if a.request != "go?")
    claim = await world.kill(attempt)
    hang = False
    job = await world.run(build, claim)
    assert job.state is JobState.SUCCEEDED
    assert job.output is not None
    assert sorted(job.output["said"]) == (["go?", "slow"] if nested else ["and you?", "go?"])
    assert ran.count("answered") == 1
    assert all(approval.applied_at for approval in await world.asked(job.id))


@pytest.mark.parametrize("where", ["before", "after", "inside"])
async def test_a_breakpoint_waits_for_any_decision(world: Runs, where: str) -> None:
    ran = []

    def step(name: str) -> Any:
        async def run(state: State) -> Any:
            ran.append(name)
            return {"said": [name]}

        return run

    def build() -> Any:
        graph = chain(State, one=step("one"), two=step("two"))
        if where == "before":
            return graph.compile(interrupt_before=["two"])
        if where == "after":
            return graph.compile(interrupt_after=["one"])
        return chain(State, inner=graph.compile(interrupt_before=["two"])).compile()

    job = await world.run(build)
    assert (job.state, job.waiting_for, ran) == (JobState.PAUSED, "approval", ["one"])
    [approval] = await world.asked(job.id)
    assert approval.request == {"breakpoint": ["inner" if where == "inside" else "two"]}
    job = await world.run(build, await world.decide(job.id, None))
    assert (job.state, job.output, ran) == (JobState.SUCCEEDED, {"said": ["one", "two"]}, ["one", "two"])
    assert (await world.asked(job.id))[0].applied_at is not None


class Answer(BaseModel):
    count: int


async def test_a_decision_that_does_not_fit_is_asked_for_again(world: Runs) -> None:
    async def step(state: State) -> Any:
        return {"said": [interrupt("how many?", response_schema=Answer).count]}

    def build() -> StateGraph[Any]:
        return chain(State, step=step)

    job = await world.run(build)
    job = await world.run(build, await world.decide(job.id, {"count": "many"}))
    assert (job.state, job.waiting_for) == (JobState.PAUSED, "approval")
    first, second = await world.asked(job.id)
    assert (first.state, second.state, second.request) == ("withdrawn", "pending", "how many?")
    assert "count" in (await world.events(job.id, "approval.requested"))[-1].data["refused"]
    job = await world.run(build, await world.decide(job.id, {"count": 3}))
    assert job.output == {"said": [3]}


async def test_a_cancelled_job_asks_nobody_any_more(world: Runs) -> None:
    job = await world.run(asks)
    await world.store.jobs.cancel(world.store.project, job.id)
    [approval] = await world.asked(job.id)
    assert approval.state == "withdrawn"
    assert await Inbox(world.store.db).page(world.store.project) == []


def children(group: str) -> Any:
    return interrupt({"mutirao": "children", "group": group})


async def test_a_step_that_waits_for_children_holds_no_worker_and_runs_again_from_the_top(world: Runs) -> None:
    ended = False

    async def fan_out(state: State) -> Any:
        return {"said": ["all ended" if ended else children("g")]}

    def build() -> StateGraph[Any]:
        return chain(State, before=before, fan_out=fan_out)

    claim = await world.store.claimed()
    child = await world.store.accept()
    await world.store.run("UPDATE jobs SET parent_id = :parent WHERE id = :id", parent=claim.job_id, id=child.id)
    job = await world.run(build, claim)
    assert (job.state, job.waiting_for) == (JobState.WAITING, "children")
    assert await world.asked(job.id) == []
    [event] = await world.events(job.id, "job.waiting")
    assert event.data == {"waiting_for": "children"}
    ended = True
    await world.run(lambda: chain(State, before=before), await world.again(child.id))
    job = await world.run(build, await world.again(job.id))
    assert (job.state, job.output) == (JobState.SUCCEEDED, {"said": ["before", "all ended"]})
    assert await world.asked(job.id) == []


async def test_an_approval_goes_before_children(world: Runs) -> None:
    ended = False

    async def fan_out(state: State) -> Any:
        return {"said": ["all ended" if ended else children("g")]}

    def build() -> StateGraph[Any]:
        return parallel(fan_out, ask)

    claim = await world.store.claimed()
    child = await world.store.accept()
    await world.store.run("UPDATE jobs SET parent_id = :parent WHERE id = :id", parent=claim.job_id, id=child.id)
    job = await world.run(build, claim)
    assert (job.state, job.waiting_for) == (JobState.PAUSED, "approval")
    job = await world.run(build, await world.decide(job.id, "ok"))
    assert (job.state, job.waiting_for) == (JobState.WAITING, "children")
    ended = True
    await world.run(lambda: chain(State, before=before), await world.again(child.id))
    job = await world.run(build, await world.again(job.id))
    assert job.output is not None
    assert sorted(job.output["said"]) == ["all ended", "ok"]
