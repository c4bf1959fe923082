"""Budgets in the database: reserved before, settled after, and never passed by calls at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from mutirao.errors import BudgetExhausted, LeaseLost
from mutirao.jobs.records import Budget, Claim, NewEvent
from mutirao.jobs.spending import Prices, Reservation, Spending
from mutirao.jobs.states import JobState
from mutirao.jobs.usage import UsageReader
from mutirao.settings import ModelPrice

from tests.stores import Stores, stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

PRICES = Prices({"small": ModelPrice(input_per_million=1, output_per_million=3)})


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Stores]:
    async with stores(database_url) as found:
        yield found


async def claimed(store: Stores, **budget: Any) -> Claim:
    """A claim of a job with that budget."""
    claim = await store.claimed()
    if budget:
        await store.run(
            "UPDATE jobs SET budget = CAST(:b AS jsonb) WHERE id = :id", b=json.dumps(budget), id=claim.job_id
        )
    return claim.model_copy(update={"budget": Budget(**budget) if budget else None})


async def project_budget(store: Stores, **budget: Any) -> None:
    await store.run(
        "UPDATE projects SET budget = CAST(:b AS jsonb) WHERE id = :id", b=json.dumps(budget), id=store.project
    )


async def next_attempt(store: Stores, claim: Claim) -> Claim:
    """The job is lost by its worker and taken by another."""
    [[worker]] = await store.run("SELECT worker_id FROM jobs WHERE id = :id", id=claim.job_id)
    await store.lose(worker)
    [taken] = await store.take(await store.worker("another"), ids=[claim.job_id])
    return taken.model_copy(update={"budget": claim.budget})


async def row(store: Stores, table: str, key: str, value: UUID) -> dict[str, Any]:
    [found] = await store.run(f"SELECT * FROM {table} WHERE {key} = :value", value=value)
    return dict(found._mapping)


async def test_a_call_is_reserved_and_settled_with_what_it_used(store: Stores) -> None:
    claim, spending = await claimed(store, tokens=100), Spending(store.db)
    reservation = await spending.reserve(claim, 80)
    found = await row(store, "job_usage", "job_id", claim.job_id)
    assert (found["reserved_tokens"], found["reserved_model_calls"], found["used_tokens"]) == (80, 1, 0)
    await spending.settle(reservation, 30)
    for table, key, value in (("job_usage", "job_id", claim.job_id), ("project_usage", "project_id", store.project)):
        found = await row(store, table, key, value)
        assert (found["reserved_tokens"], found["reserved_model_calls"]) == (0, 0)
        assert (found["used_tokens"], found["used_model_calls"]) == (30, 1)
    await spending.reserve(claim, 70)


@pytest.mark.parametrize(
    ("budget", "limit", "used"),
    [({"tokens": 100}, "tokens", 60), ({"cost": 1.5}, "cost", 1), ({"model_calls": 1}, "model_calls", 1)],
)
async def test_a_call_that_would_pass_the_budget_is_refused_and_sets_nothing_aside(
    store: Stores, budget: dict[str, Any], limit: str, used: float
) -> None:
    claim, spending = await claimed(store, **budget), Spending(store.db)
    await spending.settle(await spending.reserve(claim, 60, 1), 60, 1)
    before = await row(store, "project_usage", "project_id", store.project)
    with pytest.raises(BudgetExhausted, match="this job may use") as refused:
        await spending.reserve(claim, 60, 1)
    assert (refused.value.details["limit"], refused.value.details["used"]) == (limit, used)
    assert await row(store, "project_usage", "project_id", store.project) == before


async def test_the_months_budget_of_a_project_holds_for_all_its_jobs(store: Stores) -> None:
    await project_budget(store, tokens=100)
    first, second, spending = await claimed(store), await claimed(store, tokens=1_000), Spending(store.db)
    await spending.settle(await spending.reserve(first, 60), 60)
    with pytest.raises(BudgetExhausted, match="all jobs of this project in a month may use 100 tokens: 60 are used"):
        await spending.reserve(second, 60)
    assert (await row(store, "job_usage", "job_id", second.job_id))["reserved_tokens"] == 0
    await spending.reserve(second, 40)


async def test_of_two_hundred_calls_at_once_as_many_pass_as_the_budget_has(store: Stores) -> None:
    await project_budget(store, model_calls=50)
    claims = [await claimed(store, model_calls=30), await claimed(store, model_calls=30)]
    spending = Spending(store.db)
    results = await asyncio.gather(
        *(spending.reserve(claims[number % 2], 1) for number in range(200)), return_exceptions=True
    )
    assert {type(result) for result in results} == {Reservation, BudgetExhausted}
    assert sum(isinstance(result, Reservation) for result in results) == 50
    assert (await row(store, "project_usage", "project_id", store.project))["reserved_model_calls"] == 50
    both = [(await row(store, "job_usage", "job_id", claim.job_id))["reserved_model_calls"] for claim in claims]
    assert sum(both) == 50
    assert max(both) <= 30


async def test_reservations_of_a_dead_attempt_are_released_and_its_late_settlement_counts(store: Stores) -> None:
    await project_budget(store, tokens=1_000)
    claim, spending = await claimed(store, tokens=100), Spending(store.db)
    left = await spending.reserve(claim, 90)
    newer = await next_attempt(store, claim)
    with pytest.raises(LeaseLost):
        await spending.reserve(claim, 1)
    mine = await spending.reserve(newer, 90)
    assert (await row(store, "project_usage", "project_id", store.project))["reserved_tokens"] == 90
    await spending.settle(left, 50)
    found = await row(store, "job_usage", "job_id", claim.job_id)
    assert (found["used_tokens"], found["reserved_tokens"]) == (50, 90)
    await spending.settle(mine, 10)
    found = await row(store, "project_usage", "project_id", store.project)
    assert (found["used_tokens"], found["reserved_tokens"]) == (60, 0)


async def test_a_project_budget_counts_what_was_used_before_it_although_the_month_was_opened(store: Stores) -> None:
    """A job with a budget of its own has opened the month; what jobs without one have used is not in it."""
    claim, spending = await claimed(store), Spending(store.db, PRICES)
    other = await claimed(store, tokens=1_000)
    await spending.settle(await spending.reserve(other, 5), 5)
    call = {"model": "small", "prompt": [], "answer": "a", "input_tokens": 60, "output_tokens": 20}
    await store.claims.append([(claim, NewEvent(type="model.call", data=call))])
    assert (await row(store, "project_usage", "project_id", store.project))["used_tokens"] == 5
    await project_budget(store, tokens=100)
    await spending.count_month(store.project)
    with pytest.raises(BudgetExhausted, match="100 tokens: 80 are used"):
        await spending.reserve(other, 30)
    await spending.settle(await spending.reserve(other, 15), 15)
    await spending.count_month(store.project)
    found = await row(store, "project_usage", "project_id", store.project)
    assert (found["used_tokens"], found["reserved_tokens"]) == (95, 0)


async def test_an_attempt_that_begins_adds_up_no_month_that_is_there(
    store: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    spending, counted = Spending(store.db), []
    of_month = spending.of_month
    monkeypatch.setattr(spending, "of_month", lambda project: counted.append(project) or of_month(project))
    for _ in range(3):
        await spending.reserve(await claimed(store, tokens=100), 1)
    assert counted == [store.project]


async def test_what_is_used_is_shown_with_its_cost_and_without_a_budget(store: Stores) -> None:
    claim, reader = await claimed(store), UsageReader(store.db, PRICES)
    call = {"model": "small", "prompt": [], "answer": "a", "input_tokens": 1_000, "output_tokens": 500}
    await store.claims.append([(claim, NewEvent(type="model.call", data=call))] * 2)
    job, month = await reader.of_job(claim.job_id), await reader.of_month(store.project)
    for usage in (job, month):
        assert (usage.tokens, usage.model_calls, usage.cost) == (3_000, 2, pytest.approx(0.005))
    assert (job.input_tokens, job.output_tokens, job.steps) == (2_000, 1_000, None)


async def test_what_an_ended_job_had_reserved_keeps_no_other_from_its_budget(store: Stores) -> None:
    await project_budget(store, tokens=100)
    ended, other, spending = await claimed(store), await claimed(store), Spending(store.db)
    left = await spending.reserve(ended, 90)
    await store.claims.finish(ended, JobState.CANCELLED)
    mine = await spending.reserve(other, 90)
    await spending.settle(left, 5)
    found = await row(store, "project_usage", "project_id", store.project)
    assert (found["used_tokens"], found["reserved_tokens"]) == (5, 90)
    await spending.settle(mine, 90)
    with pytest.raises(BudgetExhausted):
        await spending.reserve(other, 6)


async def test_steps_and_seconds_are_limits_too(store: Stores) -> None:
    spending = Spending(store.db)
    claim = await claimed(store, steps=2)
    await spending.step(claim)
    await spending.step(claim)
    with pytest.raises(BudgetExhausted, match="2 steps"):
        await spending.step(claim)
    assert (await spending.of_job(claim.job_id)).steps == 2
    newer = await next_attempt(store, claim)
    with pytest.raises(BudgetExhausted):
        await spending.step(newer)
    with pytest.raises(LeaseLost):
        await spending.step(claim)
    slow = await claimed(store, seconds=60)
    await spending.step(slow)
    await store.run("UPDATE attempts SET started_at = now() - interval '61 s' WHERE job_id = :id", id=slow.job_id)
    with pytest.raises(BudgetExhausted, match="60 seconds"):
        await spending.step(slow)
    await spending.step(await claimed(store))


async def test_use_is_known_of_jobs_without_a_budget_and_replays_are_none(store: Stores) -> None:
    claim, spending = await claimed(store), Spending(store.db, PRICES)
    assert await spending.limits(claim) == []
    call = {"model": "provider:small", "prompt": [], "answer": "a", "input_tokens": 1_000, "output_tokens": 500}
    replay = {"model": "provider:small", "prompt": [], "answer": "a", "replayed": True}
    await store.claims.append([(claim, NewEvent(type="model.call", data=data)) for data in (call, call, replay)])
    used = await spending.of_job(claim.job_id)
    assert (used.tokens, used.model_calls, used.cost) == (3_000, 2, pytest.approx(0.005))
    await project_budget(store, cost=0.0055)
    with pytest.raises(BudgetExhausted, match=r"0\.0055 cost: 0\.005 are used"):
        await Spending(store.db, PRICES).reserve(claim, 10, 0.001)
