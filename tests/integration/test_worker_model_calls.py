"""Model calls of attempts: answered once and replayed after a crash, and never made past a budget."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import BaseChatModel
from langgraph.types import RetryPolicy
from mutirao.jobs.records import Budget, Job
from mutirao.jobs.spending import Spending
from mutirao.jobs.states import JobState
from mutirao.settings import ModelPrice, ModelSettings, WorkerSettings
from mutirao_agents.testing import ScriptedModel

from tests.attempts import Attempts, State, attempts

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

PRICES = {"ScriptedModel": ModelPrice(input_per_million=1_000_000, output_per_million=1_000_000)}


@pytest.fixture
async def lab(database_url: str, tmp_path: Path) -> AsyncIterator[Attempts]:
    model = ModelSettings(model="none", model_prices=PRICES, model_max_tokens=10)
    async with attempts(database_url, tmp_path, model=model, worker=WorkerSettings()) as found:
        yield found


class Crash:
    """A place in a step where the first attempt hangs until its worker is gone."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()

    async def here(self) -> None:
        """Hang, the first time."""
        if not self.reached.is_set():
            self.reached.set()
            await asyncio.Event().wait()


def numbered() -> ScriptedModel:
    """A model that never gives the same answer twice."""
    model = ScriptedModel(lambda prompt: f"{prompt} {model.calls}")
    return model


async def calls(lab: Attempts, job: Job) -> list[tuple[Any, Any, Any]]:
    """Answer, whether replayed, and tokens of each call in the journal."""
    events = await lab.events(job.id, "model.call")
    return [(event.data["answer"], event.data.get("replayed"), event.data.get("output_tokens")) for event in events]


async def replay(lab: Attempts, model: BaseChatModel, ask: Any) -> tuple[Job, list[Any]]:
    """A job whose first attempt crashes after it has asked: its end, and what was answered in each attempt."""
    crash, answers = Crash(), list[Any]()

    async def step(state: State) -> State:
        answers.append(await ask(model))
        await crash.here()
        return {"x": answers[-1]}

    lab.steps(step)
    job = await lab.store.accept()
    await lab.crash(job.id, crash.reached)
    return await lab.run(job.id), answers


async def test_a_call_answered_before_a_crash_is_not_made_again(lab: Attempts) -> None:
    model = numbered()

    async def ask(model: BaseChatModel) -> Any:
        return [(await model.ainvoke("a")).text, (await model.ainvoke("b")).text]

    done, answers = await replay(lab, model, ask)
    assert answers == [["a 1", "b 2"]] * 2
    assert (done.output, model.calls) == ({"x": ["a 1", "b 2"]}, 2)
    assert await calls(lab, done) == [("a 1", None, 2), ("b 2", None, 2), ("a 1", True, None), ("b 2", True, None)]
    used = await Spending(lab.store.db).of_job(done.id)
    assert (used.model_calls, used.tokens) == (2, 6)
    costs = [event.data.get("cost") for event in await lab.events(done.id, "model.call")]
    assert costs == [3, 3, None, None]  # a token costs 1, an answer that is replayed nothing


async def test_equal_samples_stay_as_many_answers(lab: Attempts) -> None:
    model = numbered()

    async def ask(model: BaseChatModel) -> Any:
        found = await asyncio.gather(*(model.ainvoke("a") for _ in range(5)))
        return sorted(message.text for message in found)

    _, answers = await replay(lab, model, ask)
    assert answers == [["a 1", "a 2", "a 3", "a 4", "a 5"]] * 2
    assert model.calls == 5


async def test_calls_of_threads_and_blocking_calls_in_the_loop_are_replayed_too(lab: Attempts) -> None:
    model, crash = numbered(), Crash()

    def plain(state: State) -> State:
        return {"x": model.invoke("a").text}

    async def blocking(state: State) -> State:
        text = model.invoke("b").text
        await crash.here()
        return {"x": f"{state['x']}, {text}"}

    lab.steps(plain, blocking)
    job = await lab.store.accept(budget=Budget(model_calls=2))
    await lab.crash(job.id, crash.reached)
    done = await lab.run(job.id)
    assert (done.output, model.calls) == ({"x": "a 1, b 2"}, 2)
    assert [answer for answer, _, _ in await calls(lab, done)] == ["a 1", "b 2", "b 2"]


async def test_a_step_that_runs_again_in_one_attempt_is_given_its_answers(lab: Attempts) -> None:
    model, runs = numbered(), list[str]()

    async def step(state: State) -> State:
        runs.append((await model.ainvoke("a")).text)
        if len(runs) < 3:
            raise ConnectionError("try again")
        return {"x": (await model.ainvoke("a")).text}

    lab.steps(step, retry=RetryPolicy(initial_interval=0.001, jitter=False))
    job = await lab.store.accept()
    assert (await lab.run(job.id)).output == {"x": "a 2"}
    assert (runs, model.calls) == (["a 1"] * 3, 2)


async def test_other_steps_and_other_jobs_ask_anew(lab: Attempts) -> None:
    model = numbered()

    async def first(state: State) -> State:
        return {"x": (await model.ainvoke("a")).text}

    async def second(state: State) -> State:
        return {"x": [state["x"], (await model.ainvoke("a")).text]}

    lab.steps(first, second)
    outputs = [(await lab.run((await lab.store.accept()).id)).output for _ in range(2)]
    assert outputs == [{"x": ["a 1", "a 2"]}, {"x": ["a 3", "a 4"]}]


@pytest.mark.parametrize("cache", [False, InMemoryCache()])
async def test_a_model_that_says_how_it_is_cached_is_left_alone(lab: Attempts, cache: Any) -> None:
    model = ScriptedModel(lambda prompt: f"{prompt} {model.calls}", cache=cache)

    async def ask(model: BaseChatModel) -> Any:
        return (await model.ainvoke("a")).text

    _, answers = await replay(lab, model, ask)
    assert answers == (["a 1", "a 2"] if cache is False else ["a 1", "a 1"])
    assert await lab.store.run("SELECT 1 FROM effects") == []


async def test_a_replayed_message_is_the_one_that_was_answered(lab: Attempts) -> None:
    model = numbered()

    async def ask(model: BaseChatModel) -> Any:
        message = await model.ainvoke("a")
        usage = {name: count for name, count in (message.usage_metadata or {}).items() if name != "total_cost"}
        return [message.id, message.content, message.type, usage, message.tool_calls]

    _, answers = await replay(lab, model, ask)
    assert answers[0] == answers[1]


async def test_a_call_that_would_pass_the_budget_is_not_made(lab: Attempts) -> None:
    model = numbered()

    async def step(state: State) -> State:
        for _ in range(5):
            await model.ainvoke("a")
        return {"x": 1}

    lab.steps(step)
    job = await lab.store.accept(budget=Budget(model_calls=3))
    ended = await lab.run(job.id)
    assert (ended.state, model.calls) == (JobState.BUDGET_EXHAUSTED, 3)
    assert ended.error is not None
    assert "may use 3 model calls" in ended.error.message
    assert len(await calls(lab, ended)) == 3
    used = await Spending(lab.store.db).of_job(job.id)
    assert (used.model_calls, used.reserved_model_calls, used.reserved_tokens) == (3, 0, 0)


@pytest.mark.parametrize("plain", [True, False])
async def test_of_calls_at_once_only_as_many_are_made_as_the_budget_has(lab: Attempts, plain: bool) -> None:
    model = numbered()

    async def step(state: State) -> State:
        ask = [asyncio.to_thread(model.invoke, "a") if plain else model.ainvoke("a") for _ in range(10)]
        await asyncio.gather(*ask)
        return {"x": 1}

    lab.steps(step)
    job = await lab.store.accept(budget=Budget(model_calls=4))
    ended = await lab.run(job.id)
    assert ended.state is JobState.BUDGET_EXHAUSTED
    assert model.calls <= 4
    found = await lab.store.run("SELECT used_model_calls FROM job_usage")
    assert found[0][0] <= 4


async def test_tokens_are_estimated_before_and_counted_after(lab: Attempts) -> None:
    model = ScriptedModel(lambda prompt: "three words long")

    async def step(state: State) -> State:
        await model.ainvoke("x" * 30)  # 10 tokens by its characters, and at most 10 of its answer
        await model.ainvoke("y" * 30)
        return {"x": 1}

    lab.steps(step)
    enough = await lab.store.accept(budget=Budget(tokens=24))  # 4 are used when the second call is reserved
    assert (await lab.run(enough.id)).state is JobState.SUCCEEDED
    assert [tuple(row) for row in await lab.store.run("SELECT used_tokens, reserved_tokens FROM job_usage")] == [(8, 0)]
    little = await lab.store.accept(budget=Budget(tokens=23))
    assert (await lab.run(little.id)).state is JobState.BUDGET_EXHAUSTED


async def test_cost_needs_a_price(lab: Attempts) -> None:
    model = numbered()

    async def step(state: State) -> State:
        await model.ainvoke("a b")
        return {"x": 1}

    lab.steps(step)
    priced = await lab.store.accept(budget=Budget(cost=11))
    assert (await lab.run(priced.id)).state is JobState.SUCCEEDED
    [row] = await lab.store.run("SELECT used_cost FROM job_usage")
    assert row[0] == 5  # 2 tokens in, 3 out, a coin each
    lab.contexts._spending(lab.store.db).prices._prices = {}  # type: ignore[attr-defined]
    unknown = await lab.store.accept(budget=Budget(cost=11))
    ended = await lab.run(unknown.id)
    assert ended.error is not None
    assert (ended.error.code, "MUTIRAO_MODEL_PRICES" in ended.error.message) == ("price_unknown", True)


async def test_replayed_answers_are_given_even_when_nothing_is_left_to_spend(lab: Attempts) -> None:
    model, crash = numbered(), Crash()

    async def step(state: State) -> State:
        answers = [(await model.ainvoke("a")).text for _ in range(3)]
        await crash.here()
        return {"x": answers}

    lab.steps(step)
    job = await lab.store.accept(budget=Budget(model_calls=3))
    await lab.crash(job.id, crash.reached)
    assert (await lab.run(job.id)).output == {"x": ["a 1", "a 2", "a 3"]}
    assert model.calls == 3


async def test_blocking_calls_in_the_loop_never_wait_for_what_that_loop_has_begun(lab: Attempts) -> None:
    """Journal and reservations of other calls hold locks; they must not need the loop to let go of them."""
    model, others = numbered(), numbered()

    async def step(state: State) -> State:
        for number in range(60):
            awaited = [asyncio.create_task(others.ainvoke(f"b {number} {at}")) for at in range(3)]
            for _ in range(number % 7):
                await asyncio.sleep(0)  # the loop is caught at ever other moments
            model.invoke(f"a {number}")
            await asyncio.gather(*awaited)
        return {"x": 1}

    lab.steps(step)
    job = await lab.store.accept(budget=Budget(model_calls=1_000))
    async with asyncio.timeout(60):
        assert (await lab.run(job.id)).state is JobState.SUCCEEDED
    assert (model.calls, others.calls) == (60, 180)


async def test_a_budget_of_steps_counts_those_that_begin(lab: Attempts) -> None:
    async def one(state: State) -> State:
        return {"x": 1}

    async def two(state: State) -> State:
        return {"x": 2}

    lab.steps(one, two)
    job = await lab.store.accept(budget=Budget(steps=1))
    assert (await lab.run(job.id)).state is JobState.BUDGET_EXHAUSTED
