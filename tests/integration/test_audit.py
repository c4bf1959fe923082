"""The audit log: every act of control leaves one entry with who, what and the request, and reading it is for admins."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.driven import Driven

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


def entries(driven: Driven, **filters: Any) -> list[dict[str, Any]]:
    answer = driven.http.get("/audit", params=filters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


async def test_acts_of_control_are_kept_with_who_and_what(driven: Driven) -> None:
    http, actor = driven.http, f"key:{driven.servers.key.partition('.')[0]}"
    job = await driven.submit()
    failed = await driven.failed()
    _, [approval] = await driven.asks("may I?")
    acts = {
        "job.pause": http.post(f"/jobs/{job}/pause"),
        "job.resume": http.post(f"/jobs/{job}/resume"),
        "job.cancel": http.post(f"/jobs/{job}/cancel", params={"wait": 0}),
        "job.retry": http.post(f"/jobs/{failed.job_id}/retry"),
        "approval.decide": http.post(f"/approvals/{approval.id}", json={"decision": "yes"}),
    }
    for action, answer in acts.items():
        assert answer.status_code in (200, 202), (action, answer.text)
        [entry] = [
            found for found in entries(driven, action=action) if found["request_id"] == answer.headers["x-request-id"]
        ]
        assert entry["actor"] == actor
        assert entry["resource_id"] == (str(approval.id) if action == "approval.decide" else answer.json()["id"])
    assert {entry["action"] for entry in entries(driven, resource_id=str(job))} == {
        "job.pause",
        "job.resume",
        "job.cancel",
    }


async def test_ends_by_other_doors_are_kept_too(driven: Driven) -> None:
    actor = f"key:{driven.servers.key.partition('.')[0]}"
    jobs = [await driven.submit() for _ in range(4)]
    one = await driven.submit()
    assert {driven.http.get(f"/jobs/{job}").json()["created_by"] for job in [one, *jobs]} == {actor}
    protocol = driven.servers.url
    driven.http.post(f"/jobs/{one}/cancel")
    driven.http.post("/jobs/cancel", json={"ids": [str(jobs[0])]})
    driven.http.post(f"{protocol}/runs/{jobs[1]}/cancel", params={"action": "rollback"})
    driven.http.delete(f"{protocol}/runs/{jobs[2]}")
    thread = driven.http.get(f"/jobs/{jobs[3]}").json()["thread_id"]
    driven.http.post(f"{protocol}/runs/cancel", json={"thread_id": thread, "run_ids": [str(jobs[3])]})
    who = [driven.http.get(f"/jobs/{job}").json()["cancel_requested_by"] for job in [one, *jobs]]
    assert who == [actor] * 5
    said = {(entry["action"], entry["resource_id"], entry["actor"]) for entry in entries(driven, limit=50)}
    for action, thing in (
        ("job.cancel", jobs[0]), ("run.cancel", jobs[1]), ("run.delete", jobs[2]), ("run.cancel_many", thread),
    ):  # fmt: skip
        assert (action, str(thing), actor) in said
    [rollback] = entries(driven, action="run.cancel", resource_id=str(jobs[1]))
    assert rollback["data"] == {"action": "rollback"}


async def test_what_was_refused_leaves_no_entry(driven: Driven) -> None:
    answer = driven.http.post(f"/jobs/{uuid4()}/cancel")
    assert answer.status_code == 404
    assert answer.headers["x-request-id"] not in {entry["request_id"] for entry in entries(driven, limit=200)}


async def test_keys_schedules_and_the_project_leave_entries(driven: Driven) -> None:
    http = driven.http
    key = http.post("/keys", json={"name": "audited"}).json()
    new = http.post(f"/keys/{key['id']}/rotate").json()
    http.delete(f"/keys/{new['id']}")
    schedule = {"name": f"s-{uuid4()}", "workflow": driven.workflow, "cron": "0 0 1 1 *", "input": {"n": 1}}
    made = http.post("/schedules", json=schedule).json()
    http.patch(f"/schedules/{made['id']}", json={"enabled": False})
    http.post(f"/schedules/{made['id']}/trigger")
    http.delete(f"/schedules/{made['id']}")
    http.patch("/project", json={"max_running": None})
    said = {(entry["action"], entry["resource_id"]) for entry in entries(driven, limit=200)}
    assert said >= {
        ("key.create", key["id"]), ("key.rotate", new["id"]), ("key.revoke", new["id"]), ("schedule.create", made["id"]),
        ("schedule.change", made["id"]), ("schedule.trigger", made["id"]), ("schedule.delete", made["id"]),
        ("project.change", str(driven.stores.project)),
    }  # fmt: skip
    for entry in entries(driven, limit=200):
        assert key["key"].partition(".")[2] not in str(entry)


async def test_the_log_is_read_in_pages_by_time_and_by_admins_only(driven: Driven) -> None:
    for number in range(5):
        driven.http.post("/keys", json={"name": f"page {number}"})
    first = driven.http.get("/audit", params={"action": "key.create", "limit": 3}).json()
    assert len(first["entries"]) == 3
    second = driven.http.get("/audit", params={"action": "key.create", "limit": 3, "cursor": first["next"]}).json()
    ids = [entry["id"] for page in (first, second) for entry in page["entries"]]
    assert len(set(ids)) == len(ids) >= 5
    assert ids == sorted(ids, reverse=True)
    newest = first["entries"][0]["created_at"]
    assert newest not in {entry["created_at"] for entry in entries(driven, until=newest)}
    assert newest in {entry["created_at"] for entry in entries(driven, since=newest)}
    reader = driven.http.post("/keys", json={"name": "reader"}).json()["key"]
    with httpx.Client(base_url=driven.http.base_url, headers={"X-Api-Key": reader}, trust_env=False) as client:
        assert client.get("/audit").json()["scope"] == "admin"
    with await driven.stranger() as stranger:
        assert stranger.get("/audit").json() == {"entries": [], "next": None}
