"""Lists of jobs: filters, orders, pages, counts, selected fields; and many jobs in one call."""

from typing import Any

import httpx
import pytest

from tests.driven import Driven

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


def walked(http: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    """All jobs of a list, in pages of two."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        given = params | {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = http.get("/jobs", params=given)
        assert answer.status_code == 200, answer.text
        found += answer.json()["jobs"]
        cursor = answer.json()["next"]
        if cursor is None:
            return found


@pytest.fixture
def batch(driven: Driven) -> list[str]:
    jobs = [
        {"workflow": driven.workflow, "input": {}, "priority": number % 3, "metadata": {"batch": "lists", "n": number}}
        for number in range(5)
    ]
    answer = driven.http.post("/jobs/batch", json={"jobs": jobs})
    assert answer.status_code == 200, answer.text
    return [result["id"] for result in answer.json()["results"]]


async def test_orders_and_pages(driven: Driven, batch: list[str]) -> None:
    mine = {"metadata": '{"batch": "lists"}', "workflow": driven.workflow}
    assert [job["id"] for job in walked(driven.http, sort="created_at", **mine)] == batch
    assert [job["id"] for job in walked(driven.http, **mine)] == batch[::-1]
    priorities = [job["priority"] for job in walked(driven.http, sort="-priority", **mine)]
    assert priorities == sorted(priorities, reverse=True)
    assert len(priorities) == len(batch)
    driven.http.post(f"/jobs/{batch[3]}/cancel")
    driven.http.post(f"/jobs/{batch[1]}/cancel")
    finished = [job["id"] for job in walked(driven.http, sort="finished_at", **mine)]
    assert finished[:2] == [batch[3], batch[1]]
    assert sorted(finished) == sorted(batch)
    assert [job["id"] for job in walked(driven.http, sort="-finished_at", **mine)] == finished[::-1]


async def test_filters_and_counts(driven: Driven, batch: list[str]) -> None:
    driven.http.post(f"/jobs/{batch[0]}/cancel")
    http, mine = driven.http, {"workflow": driven.workflow}
    assert [job["id"] for job in walked(http, metadata='{"n": 2}', **mine)] == [batch[2]]
    assert [job["id"] for job in walked(http, state="cancelled", **mine)] == [batch[0]]
    job = http.get(f"/jobs/{batch[4]}").json()
    assert [found["id"] for found in walked(http, thread_id=job["thread_id"])] == [batch[4]]
    later = walked(http, created_after=job["created_at"], **mine)
    assert later == []
    counts = http.get("/jobs/counts", params=mine).json()
    assert counts == {"counts": {"cancelled": 1, "queued": 4}, "total": 5}


async def test_many_are_cancelled_and_retried_each_with_its_own_result(driven: Driven, batch: list[str]) -> None:
    http = driven.http
    http.post(f"/jobs/{batch[0]}/cancel")
    unknown = "00000000-0000-7000-8000-000000000000"
    results = http.post("/jobs/cancel", json={"ids": [batch[0], unknown, batch[1]]}).json()["results"]
    assert [(result["error"] or {}).get("code") for result in results] == ["conflict", "not_found", None]
    assert results[2]["job"]["state"] == "cancelled"
    results = http.post("/jobs/cancel", json={"workflow": driven.workflow, "state": ["queued"]}).json()["results"]
    assert [result["id"] for result in results] == batch[2:]
    results = http.post("/jobs/retry", json={"ids": batch[:1]}).json()["results"]
    assert results[0]["error"]["code"] == "conflict"


async def test_a_batch_refuses_each_wrong_job_by_itself(driven: Driven) -> None:
    jobs: list[dict[str, Any]] = [{"workflow": driven.workflow, "idempotency_key": "batch-one"}, {"workflow": "nobody"}]
    first = driven.http.post("/jobs/batch", json={"jobs": jobs}).json()["results"]
    assert first[1]["error"]["code"] == "workflow_unknown"
    assert driven.http.post("/jobs/batch", json={"jobs": jobs}).json()["results"][0]["id"] == first[0]["id"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"ids": ["x"]},
        {"ids": ["00000000-0000-7000-8000-000000000000"], "workflow": "a"},
        {"all": True},
    ],
)
async def test_who_is_meant_must_be_said_in_one_way(driven: Driven, body: dict[str, Any]) -> None:
    assert driven.http.post("/jobs/cancel", json=body).status_code == 422


@pytest.mark.parametrize("metadata", ["[1]", "x", '{"a": "\\u0000"}'])
async def test_a_metadata_filter_is_a_json_object(driven: Driven, metadata: str) -> None:
    answer = driven.http.get("/jobs", params={"metadata": metadata})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_fields_are_selected_in_pages_objects_and_lists(driven: Driven, batch: list[str]) -> None:
    http = driven.http
    page = http.get("/jobs", params={"fields": "id,state", "limit": 2}).json()
    assert [set(job) for job in page["jobs"]] == [{"id", "state"}] * 2
    assert page["next"]
    # What may be large is read when it is asked for, and only then.
    whole = http.get("/jobs", params={"limit": 2}).json()["jobs"]
    parts = http.get("/jobs", params={"fields": "id,input,output,run,metadata", "limit": 2}).json()["jobs"]
    assert parts == [{name: job[name] for name in ("id", "input", "output", "run", "metadata")} for job in whole]
    assert all(job["input"] is not None for job in parts)
    assert http.get(f"/jobs/{batch[0]}", params={"fields": "state"}).json() == {"state": "queued"}
    assert {frozenset(worker) for worker in http.get("/workers", params={"fields": "name"}).json()} == {
        frozenset({"name"})
    }
    wrong = http.get("/jobs", params={"fields": "id,colour"})
    assert wrong.status_code == 422
    assert "'colour'" in wrong.json()["detail"]
    assert http.get("/jobs/none", params={"fields": "id"}).status_code == 422


async def test_the_reference_is_served_without_any_other_server(driven: Driven) -> None:
    root = str(driven.http.base_url).removesuffix("/api/v1/")
    for path in ("/docs", "/redoc"):
        page = httpx.get(f"{root}{path}", trust_env=False).text
        assert "https://" not in page
        assert "/docs/assets/" in page
    assert httpx.get(f"{root}/docs/assets/swagger-ui-bundle.js", trust_env=False).status_code == 200
