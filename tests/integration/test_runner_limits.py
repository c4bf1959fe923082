"""Failures and their retries, time limits, budgets, and LangGraph's own policies of a step."""

import asyncio
import operator
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from langgraph.cache.memory import InMemoryCache
from langgraph.graph import END, START, StateGraph
from langgraph.types import CachePolicy, RetryPolicy, TimeoutPolicy
from mutirao.errors import BudgetExhausted, InputRejected
from mutirao.jobs.records import Claim
from mutirao.jobs.states import JobState
from mutirao_workers import options
from typing_extensions import TypedDict

from tests.runs import Runs, chain, runs

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


class State(TypedDict, total=False):
    said: Annotated[list[str], operator.add]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[Runs]:
    async with runs(database_url) as these:
        yield these


def failing(error: BaseException, times: int = 1_000) -> tuple[Any, list[str]]:
    """A graph whose second step raises so many times, and what ran."""
    ran: list[str] = []

    async def fine(state: State) -> Any:
        ran.append("fine")
        return {"said": ["fine"]}

    async def fails(state: State) -> Any:
        ran.append("fails")
        if ran.count("fails") <= times:
            raise error
        return {"said": ["well"]}

    return (lambda: chain(State, fine=fine, fails=fails)), ran


async def endless(state: State) -> Any:
    await asyncio.Event().wait()


async def quick(state: State) -> Any:
    return {"said": ["quick"]}


async def test_a_failure_is_tried_again_from_the_last_checkpoint(world: Runs) -> None:
    build, ran = failing(ValueError("not yet"), times=2)
    job = await world.run(build, await world.store.claimed(retry={"failures": 2, "backoff_seconds": 0}))
    assert (job.state, job.failures, job.error) == (JobState.QUEUED, 1, None)
    [failed] = await world.events(job.id, "attempt.failed")
    assert failed.data["error"]["message"].startswith("ValueError: not yet")
    for _ in range(2):
        job = await world.run(build, await world.again(job.id))
    assert (job.state, job.output) == (JobState.SUCCEEDED, {"said": ["fine", "well"]})
    assert ran == ["fine", "fails", "fails", "fails"]


async def test_a_job_is_dead_when_its_tries_are_used_up_and_failed_when_it_had_none(world: Runs) -> None:
    build, _ = failing(ValueError("never"))
    job = await world.run(build, await world.store.claimed(retry={"failures": 1, "backoff_seconds": 0}))
    job = await world.run(build, await world.again(job.id))
    assert (job.state, job.error and job.error.code) == (JobState.DEAD, "step_failed")
    assert (await world.run(build)).state is JobState.FAILED


async def test_the_pause_before_the_next_try_grows(world: Runs) -> None:
    build, _ = failing(ValueError("never"))
    retry = {"failures": 5, "backoff_seconds": 60, "factor": 3, "max_backoff_seconds": 500}
    claim = await world.store.claimed(retry=retry)
    pauses = []
    for _ in range(4):
        before = datetime.now(UTC)
        job = await world.run(build, claim)
        assert job.available_at is not None
        pauses.append((job.available_at - before).total_seconds())
        await world.store.run("UPDATE jobs SET available_at = now() WHERE id = :id", id=job.id)
        claim = await world.again(job.id)
    assert [round(pause / 20) * 20 for pause in pauses] == [60, 180, 500, 500]


@pytest.mark.parametrize(
    ("error", "code"), [(InputRejected("no such page"), "input_rejected"), (RecursionError("deep"), "step_failed")]
)
async def test_what_would_fail_again_is_not_tried_again(world: Runs, error: Exception, code: str) -> None:
    build, _ = failing(error)
    job = await world.run(build, await world.store.claimed(retry={"failures": 3, "backoff_seconds": 0}))
    hopeless = code == "input_rejected"
    assert job.state is (JobState.FAILED if hopeless else JobState.QUEUED)
    assert job.failures == (0 if hopeless else 1)


async def test_a_loop_without_an_end_is_not_tried_again(world: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "_RECURSION_LIMIT", 10)

    def build() -> StateGraph[Any]:
        graph = StateGraph(State)
        graph.add_node("again", quick)
        graph.add_edge(START, "again")
        graph.add_edge("again", "again")
        return graph

    job = await world.run(build, await world.store.claimed(retry={"failures": 3, "backoff_seconds": 0}))
    assert (job.state, job.error and job.error.code) == (JobState.FAILED, "too_many_steps")


def wrapped(how: str) -> BaseException:
    spent = BudgetExhausted("the job has used 90 of its 100 tokens and this call may need 20", limit="tokens")
    if how == "plain":
        return spent
    if how == "group":
        return ExceptionGroup("two tools", [ValueError("other"), ExceptionGroup("inner", [spent])])
    error = RuntimeError("the model call failed")
    if how == "cause":
        error.__cause__ = KeyError("x")
        error.__cause__.__context__ = spent
    else:
        error.__context__ = spent
    return error


@pytest.mark.parametrize("how", ["plain", "group", "cause", "context"])
async def test_a_spent_budget_ends_the_job_however_it_is_wrapped(world: Runs, how: str) -> None:
    build, _ = failing(wrapped(how))
    job = await world.run(build, await world.store.claimed(retry={"failures": 3}))
    assert job.state is JobState.BUDGET_EXHAUSTED
    assert job.error is not None
    assert (job.error.code, job.error.step) == ("budget_exhausted", "fails")
    assert "90 of its 100 tokens" in job.error.message


async def test_steps_are_counted_before_they_begin(world: Runs) -> None:
    spent = 0

    async def steps_spent(claim: Claim) -> None:
        nonlocal spent
        if spent == 1:
            raise BudgetExhausted("the job has begun all of its 1 steps", limit="steps")
        spent += 1

    build, ran = failing(ValueError("never"))
    job = await world.run(build, steps_spent=steps_spent)
    assert (job.state, job.error and job.error.code) == (JobState.BUDGET_EXHAUSTED, "budget_exhausted")
    assert ran == ["fine"], "the step that was not paid for ran"


@pytest.mark.parametrize("limit", ["step_seconds", "attempt_seconds"])
async def test_a_step_or_an_attempt_that_takes_too_long_has_failed(world: Runs, limit: str) -> None:
    claim = await world.store.claimed(limits={limit: 0.2}, retry={"failures": 1, "backoff_seconds": 0})
    job = await world.run(lambda: chain(State, quick=quick, endless=endless), claim)
    assert (job.state, job.failures) == (JobState.QUEUED, 1)
    job = await world.run(lambda: chain(State, quick=quick, endless=endless), await world.again(job.id))
    assert job.state is JobState.DEAD
    assert job.error is not None
    assert job.error.code == "time_limit_exceeded"
    assert limit in job.error.message
    assert "0.2 s" in job.error.message
    assert ("'endless'" in job.error.message) == (limit == "step_seconds")


async def test_each_step_has_its_own_time(world: Runs) -> None:
    async def slow(state: State) -> Any:
        await asyncio.sleep(0.15)
        return {"said": ["slow"]}

    claim = await world.store.claimed(limits={"step_seconds": 0.5})
    job = await world.run(lambda: chain(State, **{f"s{number}": slow for number in range(5)}), claim)
    assert job.state is JobState.SUCCEEDED


async def test_a_job_that_takes_too_long_is_not_tried_again(world: Runs) -> None:
    retry = {"failures": 5, "backoff_seconds": 0}
    claim = await world.store.claimed(limits={"job_seconds": 60}, retry=retry)
    await world.store.run("UPDATE jobs SET started_at = now() - interval '59.8 s' WHERE id = :id", id=claim.job_id)
    job = await world.run(lambda: chain(State, endless=endless), claim)
    assert (job.state, job.error and job.error.code) == (JobState.FAILED, "time_limit_exceeded")
    assert job.error is not None
    assert "job_seconds" in job.error.message


async def test_a_deadline_ends_a_running_job(world: Runs) -> None:
    claim = await world.store.claimed(deadline_at=datetime.now(UTC) + timedelta(seconds=1), retry={"failures": 5})
    job = await world.run(lambda: chain(State, endless=endless), claim)
    assert (job.state, job.error and job.error.code) == (JobState.FAILED, "deadline_exceeded")


async def test_time_in_all_attempts_together_is_a_budget(world: Runs) -> None:
    build, _ = failing(ValueError("once"), times=1)
    claim = await world.store.claimed(budget={"seconds": 60}, retry={"failures": 5, "backoff_seconds": 0})
    job = await world.run(build, claim)
    await world.store.run(
        "UPDATE attempts SET started_at = finished_at - interval '59.8 s' WHERE job_id = :id", id=job.id
    )
    job = await world.run(lambda: chain(State, fine=quick, fails=endless), await world.again(job.id))
    assert (job.state, job.error and job.error.code) == (JobState.BUDGET_EXHAUSTED, "budget_exhausted")
    assert job.error is not None
    assert "60 s" in job.error.message


async def test_what_ends_in_time_is_not_stopped(world: Runs) -> None:
    limits = {"step_seconds": 20, "attempt_seconds": 20, "job_seconds": 20}
    claim = await world.store.claimed(
        limits=limits, budget={"seconds": 20}, deadline_at=datetime.now(UTC) + timedelta(seconds=20)
    )
    assert (await world.run(lambda: chain(State, quick=quick), claim)).state is JobState.SUCCEEDED


async def test_a_step_is_tried_again_by_its_own_policy(world: Runs) -> None:
    tries = []

    async def flaky(state: State) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("flaky")
        return {"said": ["at last"]}

    def build() -> StateGraph[Any]:
        graph = StateGraph(State)
        graph.add_node("flaky", flaky, retry_policy=RetryPolicy(max_attempts=3, initial_interval=0.01, jitter=False))
        graph.add_edge(START, "flaky")
        graph.add_edge("flaky", END)
        return graph

    job = await world.run(build)
    assert (job.state, job.attempts, len(tries)) == (JobState.SUCCEEDED, 1, 3)
    assert [event.type for event in await world.events(job.id, "step.")] == ["step.started", "step.finished"]


async def test_a_step_is_ended_by_its_own_time_limit(world: Runs) -> None:
    def build() -> StateGraph[Any]:
        graph = StateGraph(State)
        graph.add_node("slow", endless, timeout=TimeoutPolicy(run_timeout=0.1))
        graph.add_edge(START, "slow")
        graph.add_edge("slow", END)
        return graph

    job = await world.run(build)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert (job.error.kind, job.error.step) == ("NodeTimeoutError", "slow")


async def test_a_step_that_its_cache_answers_is_shown_to_end(world: Runs) -> None:
    tries, cache = [], InMemoryCache[Any]()

    async def dear(state: State) -> Any:
        tries.append(1)
        return {"said": ["dear"]}

    def build() -> Any:
        graph = StateGraph(State)
        graph.add_node("dear", dear, cache_policy=CachePolicy(key_func=lambda _: b"same"))
        graph.add_edge(START, "dear")
        graph.add_edge("dear", END)
        return graph.compile(cache=cache)

    for _ in range(2):
        job = await world.run(build)
        assert (job.state, job.output) == (JobState.SUCCEEDED, {"said": ["dear"]})
    assert tries == [1]
    started, finished = await world.events(job.id, "step.")
    assert (started.type, finished.type, finished.data["cached"]) == ("step.started", "step.finished", True)
