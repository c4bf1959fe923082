"""LangGraph's own suite for checkpointers, on ours: every capability, fenced or not, in a pipeline or without."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability
from mutirao.jobs.records import Claim
from mutirao_workers.checkpoint_tables import prepare_checkpoints
from mutirao_workers.saver import FencedSaver, MaintenanceSaver, Pool, open_pool

from tests.stores import stores

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

Make = Callable[[Pool, Claim], Any]


def maintenance(pool: Pool, claim: Claim) -> MaintenanceSaver:
    return MaintenanceSaver(pool)


@pytest.mark.parametrize("pipeline", [True, False], ids=["pipeline", "no_pipeline"])
@pytest.mark.parametrize("make", [FencedSaver, maintenance], ids=["fenced", "maintenance"])
async def test_every_capability_passes(database_url: str, make: Make, pipeline: bool) -> None:
    pool = open_pool(database_url, 4, pipeline=pipeline)
    await pool.open()
    try:
        await prepare_checkpoints(pool)
        async with stores(database_url) as store:
            # The fence is on the job, whatever threads the suite makes up.
            claim = await store.claimed()

            @checkpointer_test(name=f"{make.__name__}, pipeline={pipeline}")
            async def saver() -> AsyncGenerator[Any, None]:
                yield make(pool, claim)

            report = await validate(saver)
    finally:
        await pool.close()
    report.print_report()
    failures = {name: result.failures for name, result in report.results.items() if not result.passed}
    assert failures == {}
    assert {name for name, result in report.results.items() if result.detected} == {cap.value for cap in Capability}
