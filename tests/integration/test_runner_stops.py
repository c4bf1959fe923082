"""Attempts that are stopped: a pause, a worker that leaves, and ends that another process must write."""

import asyncio
import operator
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from langgraph.graph import END, START, StateGraph
from mutirao.jobs.records import NewEvent, Problem
from mutirao.jobs.states import JobState
from mutirao_workers.executor import SharedExecutor
from mutirao_workers.runner import Attempt, Stop
from typing_extensions import TypedDict

from tests.runs import Runs, chain, runs, until

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


class State(TypedDict, total=False):
    said: Annotated[list[str], operator.add]


class Gated:
    """Three steps that write down that they ran; the second waits for its gate."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.began = asyncio.Event()
        self.gate = asyncio.Event()

    def step(self, name: str, *, gated: bool = False) -> Any:
        async def run(state: State) -> Any:
            if gated:
                self.began.set()
                await self.gate.wait()
            self.ran.append(name)
            return {"said": [name]}

        return run

    def graph(self) -> StateGraph[Any]:
        return chain(State, first=self.step("first"), second=self.step("second", gated=True), third=self.step("third"))

    def nested(self) -> StateGraph[Any]:
        return chain(State, before=self.step("before"), inner=self.graph().compile(), after=self.step("after"))


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[Runs]:
    async with runs(database_url) as these:
        yield these


async def test_a_worker_that_leaves_hands_a_job_over_between_two_steps(world: Runs) -> None:
    steps = Gated()
    attempt = world.begin(steps.graph, await world.store.claimed())
    await steps.began.wait()
    attempt.stop(Stop.HAND_BACK, soft=True)
    steps.gate.set()
    job = await world.end(attempt)
    assert (job.state, steps.ran) == (JobState.QUEUED, ["first", "second"])
    job = await world.run(steps.graph, await world.again(job.id))
    assert (job.state, steps.ran) == (JobState.SUCCEEDED, ["first", "second", "third"])
    assert job.output == {"said": ["first", "second", "third"]}
    outcomes = [attempt.outcome for attempt in await world.store.jobs.attempts(job.id)]
    assert outcomes == ["handed_back", "succeeded"]


async def test_a_step_inside_of_another_is_a_boundary_too(world: Runs) -> None:
    steps = Gated()
    attempt = world.begin(steps.nested, await world.store.claimed())
    await steps.began.wait()
    attempt.stop(Stop.HAND_BACK, soft=True)
    steps.gate.set()
    job = await world.end(attempt)
    assert (job.state, steps.ran) == (JobState.QUEUED, ["before", "first", "second"])
    job = await world.run(steps.nested, await world.again(job.id))
    assert (job.state, steps.ran) == (JobState.SUCCEEDED, ["before", "first", "second", "third", "after"])


async def test_steps_beside_the_one_that_reaches_a_boundary_may_end(world: Runs) -> None:
    steps, slow = Gated(), asyncio.Event()

    async def beside(state: State) -> Any:
        await slow.wait()
        steps.ran.append("beside")
        return {"said": ["beside"]}

    def build() -> StateGraph[Any]:
        graph = StateGraph(State)
        graph.add_node("inner", steps.graph().compile())
        graph.add_node("beside", beside)
        for name in ("inner", "beside"):
            graph.add_edge(START, name)
            graph.add_edge(name, END)
        return graph

    attempt = world.begin(build, await world.store.claimed())
    await steps.began.wait()
    attempt.stop(Stop.HAND_BACK, soft=True)
    steps.gate.set()
    await until(lambda: "second" in steps.ran)
    slow.set()
    job = await world.end(attempt)
    assert (job.state, steps.ran) == (JobState.QUEUED, ["first", "second", "beside"])
    job = await world.run(build, await world.again(job.id))
    assert (job.state, steps.ran) == (JobState.SUCCEEDED, ["first", "second", "beside", "third"])


async def test_a_graph_that_ends_meanwhile_has_ended(world: Runs) -> None:
    steps = Gated()

    def build() -> StateGraph[Any]:
        return chain(State, only=steps.step("only", gated=True))

    attempt = world.begin(build, await world.store.claimed())
    await steps.began.wait()
    attempt.stop(Stop.HAND_BACK, soft=True)
    steps.gate.set()
    assert (await world.end(attempt)).state is JobState.SUCCEEDED


async def test_a_step_that_outlasts_the_drain_is_cut_off(world: Runs) -> None:
    steps = Gated()
    executor = SharedExecutor(world.runner(steps.graph), 5, lambda claim, error: None)
    claim = await world.store.claimed()
    executor.start(claim)
    await steps.began.wait()
    await executor.stop_all(Stop.HAND_BACK, 0.05)
    job = await world.store.get(claim.job_id)
    assert (job.state, steps.ran, executor.running) == (JobState.QUEUED, ["first"], 0)
    steps.gate.set()
    job = await world.run(steps.graph, await world.again(job.id))
    assert (job.state, steps.ran) == (JobState.SUCCEEDED, ["first", "second", "third"])


async def test_a_cancel_counts_more_than_a_soft_stop(world: Runs) -> None:
    steps = Gated()
    attempt = world.begin(steps.graph, await world.store.claimed())
    await steps.began.wait()
    attempt.stop(Stop.HAND_BACK, soft=True)
    attempt.stop(Stop.CANCEL)
    attempt.stop(Stop.HAND_BACK)
    assert (await world.end(attempt)).state is JobState.CANCELLED
    assert steps.ran == ["first"]


async def test_a_pause_waits_for_the_step_that_runs(world: Runs) -> None:
    steps = Gated()
    attempt = world.begin(steps.graph, await world.store.claimed())
    await steps.began.wait()
    await world.store.jobs.pause(world.store.project, attempt.claim.job_id)
    attempt.stop(Stop.PAUSE)
    steps.gate.set()
    job = await world.end(attempt)
    assert (job.state, job.waiting_for, steps.ran) == (JobState.PAUSED, "request", ["first", "second"])
    await world.store.jobs.resume(world.store.project, job.id)
    job = await world.run(steps.graph, await world.again(job.id))
    assert (job.state, steps.ran) == (JobState.SUCCEEDED, ["first", "second", "third"])


async def test_a_pause_cuts_off_a_step_that_takes_too_long(world: Runs) -> None:
    steps = Gated()
    attempt = world.begin(steps.graph, await world.store.claimed())
    attempt.pause_seconds = 0.05
    await steps.began.wait()
    await world.store.jobs.pause(world.store.project, attempt.claim.job_id)
    attempt.stop(Stop.PAUSE)
    job = await world.end(attempt)
    assert (job.state, job.waiting_for, steps.ran) == (JobState.PAUSED, "request", ["first"])


async def test_a_pause_that_was_taken_back_in_time_pauses_nothing(world: Runs) -> None:
    steps = Gated()
    attempt = world.begin(steps.graph, await world.store.claimed())
    await steps.began.wait()
    await world.store.jobs.pause(world.store.project, attempt.claim.job_id)
    attempt.stop(Stop.PAUSE)
    await world.store.jobs.resume(world.store.project, attempt.claim.job_id)
    steps.gate.set()
    assert (await world.end(attempt)).state is JobState.QUEUED


async def test_a_stop_before_the_first_step_runs_none(world: Runs) -> None:
    steps = Gated()
    for reason, state in ((Stop.PAUSE, JobState.PAUSED), (Stop.HAND_BACK, JobState.QUEUED)):
        attempt = world.begin(steps.graph, claim := await world.store.claimed())
        if reason is Stop.PAUSE:
            await world.store.jobs.pause(world.store.project, claim.job_id)
        attempt.stop(reason, soft=True)
        assert (await world.end(attempt)).state is state
    assert steps.ran == []


Told = list[tuple[Attempt, JobState, Problem | None, list[NewEvent]]]


def blocked(gate: threading.Event, began: threading.Event) -> StateGraph[Any]:
    def block(state: State) -> Any:
        began.set()
        gate.wait(20)
        return {"said": ["slept"]}

    return chain(State, block=block)


@pytest.mark.parametrize(
    ("reason", "state"),
    [(Stop.CANCEL, JobState.CANCELLED), (Stop.HAND_BACK, JobState.QUEUED), (Stop.LOST, None), (None, JobState.QUEUED)],
)
async def test_an_end_is_left_to_others_while_a_thread_of_the_attempt_runs(
    world: Runs, reason: Stop | None, state: JobState | None
) -> None:
    gate, began, told = threading.Event(), threading.Event(), Told()

    async def forced(*end: Any) -> None:
        told.append(end)  # type: ignore[arg-type]

    limits = {"attempt_seconds": 0.3} if reason is None else {}
    attempt = world.begin(lambda: blocked(gate, began), await world.store.claimed(limits=limits), forced=forced)
    try:
        await asyncio.to_thread(began.wait, 20)
        if reason is not None:
            await until(lambda: attempt.step is not None)
            attempt.stop(reason)
        job = await world.end(attempt)
    finally:
        gate.set()
    assert job.state is JobState.RUNNING
    if state is None:
        assert told == []
        return
    [(who, became, error, _)] = told
    assert (who, became) == (attempt, state)
    assert (error is not None) == (reason is None)


async def test_an_end_that_nothing_outlives_is_written_at_once(world: Runs) -> None:
    told: list[Any] = []

    async def forced(*end: Any) -> None:
        told.append(end)

    steps = Gated()
    steps.gate.set()
    job = await world.run(steps.graph, forced=forced)
    assert (job.state, told) == (JobState.SUCCEEDED, [])


async def test_an_output_is_written_even_if_a_step_inside_was_given_up(world: Runs) -> None:
    told: list[Any] = []

    async def forced(*end: Any) -> None:
        told.append(end)

    async def hangs(state: State) -> Any:
        await asyncio.Event().wait()

    inner = chain(State, hangs=hangs).compile()

    async def gives_up(state: State) -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await inner.ainvoke({"said": []})
        return {"said": ["without it"]}

    job = await world.run(lambda: chain(State, gives_up=gives_up), forced=forced)
    assert (job.state, job.output, told) == (JobState.SUCCEEDED, {"said": ["without it"]}, [])
