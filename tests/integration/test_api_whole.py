"""The same verbs on jobs that a real worker runs: what they promise holds to the end of the job."""

import contextlib
from typing import Any
from uuid import UUID, uuid4

import pytest
from mutirao.client import Client

from tests.servers import Servers

pytestmark = pytest.mark.integration


def gated(servers: Servers) -> tuple[dict[str, Any], Any, Any]:
    """Input of the workflow `three`, its witness and the gate its second step waits for."""
    witness, gate = servers.folder / f"w-{uuid4()}", servers.folder / f"gate-{uuid4()}"
    return {"witness": str(witness), "gate": str(gate)}, witness, gate


def test_a_cancel_answers_when_nothing_runs_any_more(servers: Servers) -> None:
    given, witness, _ = gated(servers)
    job = servers.submit("three", given)
    servers.until(lambda: witness.exists() and "second" in witness.read_text(), "the second step runs")
    assert servers.http.post(f"/jobs/{job}/cancel", params={"wait": 20}).json()["state"] == "cancelled"


def test_a_paused_job_stops_between_two_steps_and_repeats_none(servers: Servers) -> None:
    job = servers.submit("endless")
    servers.until(lambda: servers.job(job)["last_seq"] > 5, "the first steps are done")
    assert servers.http.post(f"/jobs/{job}/pause").status_code == 202
    servers.until(lambda: servers.job(job)["state"] not in ("queued", "running"), "the job stands still")
    paused = servers.job(job)
    assert (paused["state"], paused["waiting_for"], paused["error"]) == ("paused", "request", None)
    assert servers.http.post(f"/jobs/{job}/resume").json()["state"] == "queued"
    assert servers.ended(job)["error"]["code"] == "too_many_steps"
    finished = [event["data"]["output"]["n"] for event in servers.journal(job) if event["type"] == "step.finished"]
    assert finished == list(range(1, len(finished) + 1))


def test_a_decision_is_what_the_graph_gets(servers: Servers) -> None:
    job = servers.submit("asks")
    servers.until(lambda: servers.job(job)["state"] == "paused", "the job asks")
    assert servers.job(job)["waiting_for"] == "approval"
    [approval] = servers.http.get(f"/jobs/{job}/approvals").json()
    assert (approval["request"], approval["step"], approval["state"]) == ("how many?", "ask", "pending")
    decided = servers.http.post(f"/approvals/{approval['id']}", json={"decision": 12})
    assert decided.status_code == 200
    ended = servers.ended(job)
    assert (ended["state"], ended["output"]) == ("succeeded", {"n": 12})
    [approval] = servers.http.get(f"/jobs/{job}/approvals").json()
    assert approval["applied_at"] is not None


def test_a_failed_job_is_tried_again_and_retried_from_its_last_checkpoint(servers: Servers) -> None:
    more = {"retry": {"failures": 1, "backoff_seconds": 0}}
    job = servers.submit("boom", {"n": 1}, **more)
    with Client(servers.url, servers.key) as client, contextlib.closing(client.follow(job)) as events:
        assert [event.type for event in events if event.type.startswith(("job.", "attempt.failed"))] == [
            "job.queued", "job.started", "attempt.failed", "job.started", "job.dead",
        ]  # fmt: skip
        assert client.retry(job).state == "queued"
        assert client.wait(job).state == "dead"
        types = [event.type for event in client.follow(job)]
    assert types.count("job.retried") == 1
    # The step before the one that raises has run once in all four attempts.
    fine = [event for event in servers.journal(job) if (event["step"], event["type"]) == ("fine", "step.finished")]
    assert len(fine) == 1


def test_a_fork_goes_on_from_a_checkpoint_with_other_values(servers: Servers) -> None:
    job = servers.run("noop", {"n": 5})
    found = servers.http.get(f"/jobs/{job['id']}/checkpoints").json()
    after_a = next(row for row in found if row["step"] == 1)
    body = {"checkpoint_id": after_a["id"], "values": {"n": 100}, "as_node": "a"}
    forked = servers.http.post(f"/jobs/{job['id']}/fork", json=body).json()
    ended = servers.ended(UUID(forked["id"]))
    assert (ended["state"], ended["output"]) == ("succeeded", {"n": 102})
    assert servers.job(UUID(job["id"]))["output"] == {"n": 8}
    copied = servers.http.get(f"/jobs/{forked['id']}/checkpoints").json()
    assert str(job["id"]) in {row["job_id"] for row in copied} | {job["id"]}
    assert copied[0]["job_id"] == forked["id"]


def test_a_schedule_that_is_due_is_started_by_a_worker(servers: Servers) -> None:
    body = {"name": f"s-{uuid4()}", "workflow": "noop", "input": {"n": 1}, "cron": "0 0 1 1 *"}
    schedule = servers.http.post("/schedules", json=body).json()
    servers.sql("UPDATE schedules SET next_at = now() WHERE id = %s RETURNING 1", schedule["id"])

    def started() -> list[dict[str, Any]]:
        listed = servers.http.get("/jobs", params={"schedule_id": schedule["id"]}).json()
        jobs: list[dict[str, Any]] = listed["jobs"]
        return jobs

    servers.until(lambda: started() and started()[0]["state"] == "succeeded", "the schedule's job has run")
    [job] = started()
    assert job["output"] == {"n": 4}
    assert servers.http.delete(f"/schedules/{schedule['id']}").status_code == 204


def test_a_delayed_job_begins_at_its_time(servers: Servers) -> None:
    ended = servers.run("noop", delay_seconds=1)
    assert ended["state"] == "succeeded"
    assert ended["started_at"] >= ended["available_at"]


def test_a_job_that_misses_its_deadline_has_failed(servers: Servers) -> None:
    given, _, _ = gated(servers)
    ended = servers.run("three", given, deadline_seconds=1)
    assert (ended["state"], ended["error"]["code"]) == ("failed", "deadline_exceeded")
