"""Children, effects and budgets on real workers."""

import pytest

from tests.servers import Servers

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("workflow", ["spread", "spread-plainly"])
def test_a_job_gathers_what_its_children_give(servers: Servers, workflow: str) -> None:
    job = servers.run(workflow, {"count": 20})
    assert job["state"] == "succeeded", job
    assert job["output"]["states"] == ["succeeded"] * 13 + ["failed"] + ["succeeded"] * 6
    assert job["output"]["squares"] == [None if n == 13 else n * n for n in range(20)]
    types = servers.event_types(job["id"])
    assert [kind for kind in types if kind.startswith("job.")] == [
        "job.queued",
        "job.started",
        "job.waiting",
        "job.resumed",
        "job.started",
        "job.succeeded",
    ]
    assert servers.sql("SELECT count(*) FROM jobs WHERE parent_id = %s", job["id"]) == [(20,)]
    if workflow == "spread-plainly":
        assert servers.sql("SELECT count(*) FROM model_calls WHERE job_id = %s", job["id"]) == [(1,)]


def test_children_that_wait_are_cancelled_when_one_fails(servers: Servers) -> None:
    job = servers.run("spread", {"count": 14, "fail_fast": True})
    assert job["state"] == "succeeded", job
    assert job["output"]["states"][13] == "failed"
    assert set(job["output"]["states"]) <= {"succeeded", "failed", "cancelled"}


def test_a_job_whose_budget_is_used_up_says_so_and_goes_on_with_a_larger_one(servers: Servers) -> None:
    job = servers.run("consults", {"calls": 3}, budget={"model_calls": 2})
    assert (job["state"], job["error"]["code"]) == ("budget_exhausted", "budget_exhausted"), job
    assert "2 model calls" in job["error"]["message"]
    retried = servers.http.post(f"/jobs/{job['id']}/retry", json={"budget": {"model_calls": 3}})
    assert retried.status_code < 300, retried.text
    ended = servers.ended(job["id"])
    assert (ended["state"], ended["output"]["answers"]) == ("succeeded", ["0", "1", "2"])
    assert servers.sql("SELECT count(*) FROM model_calls WHERE job_id = %s", job["id"]) == [(3,)]
