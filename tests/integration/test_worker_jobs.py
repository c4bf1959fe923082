"""What a worker makes of good graphs and of hostile ones: outputs, events, errors by code and step, many at once."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.servers import Servers

pytestmark = pytest.mark.integration


def step_events(servers: Servers, job: dict[str, Any]) -> list[tuple[str, str]]:
    return [(event["type"], event["step"]) for event in servers.journal(job["id"]) if event["step"]]


def test_each_step_is_written_down_with_what_went_in_and_came_out(servers: Servers) -> None:
    job = servers.run("noop", {"n": 1})
    events = [event for event in servers.journal(job["id"]) if event["step"]]
    assert [(event["type"], event["step"]) for event in events] == [
        (f"step.{what}", step) for step in "abc" for what in ("started", "finished")
    ]
    assert [event["data"]["input"] for event in events[::2]] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [event["data"]["output"] for event in events[1::2]] == [{"n": 2}, {"n": 3}, {"n": 4}]
    assert all(0 <= event["data"]["milliseconds"] < 60_000 for event in events[1::2])
    assert all(event["attempt"] == 1 for event in events)
    assert events == sorted(events, key=lambda event: event["seq"])


def test_steps_of_a_subgraph_are_named_by_their_path(servers: Servers) -> None:
    job = servers.run("nested")
    assert job["output"] == {"n": 2}
    assert step_events(servers, job) == [
        ("step.started", "before"),
        ("step.finished", "before"),
        ("step.started", "inner"),
        ("step.started", "inner/deep"),
        ("step.finished", "inner/deep"),
        ("step.finished", "inner"),
    ]


def test_a_step_that_raises_fails_the_job_with_code_message_and_step(servers: Servers) -> None:
    job = servers.run("boom", {"n": 1})
    assert (job["state"], job["output"], job["attempts"]) == ("failed", None, 1)
    assert (job["error"]["code"], job["error"]["step"], job["error"]["kind"]) == ("step_failed", "raises", "ValueError")
    assert job["error"]["message"].startswith("ValueError: no good: 2 (flows.py:")
    assert servers.event_types(job["id"])[-2:] == ["step.failed", "job.failed"]
    assert servers.journal(job["id"])[-1]["data"]["error"] == job["error"]


@pytest.mark.parametrize("branch", ["left", "middle", "right"])
def test_of_steps_at_once_the_one_that_failed_is_named(servers: Servers, branch: str) -> None:
    job = servers.run("branches", {"fail": branch})
    assert (job["state"], job["error"]["step"]) == ("failed", branch)
    assert f"branch {branch} fails" in job["error"]["message"]


def test_steps_at_once_are_told_apart_in_what_they_write(servers: Servers) -> None:
    job = servers.run("branches")
    assert sorted(job["output"]["seen"]) == ["left", "middle", "right"]
    written = {(event["step"], event["data"]["by"]) for event in servers.journal(job["id"]) if event["type"] == "said"}
    assert written == {(name, name) for name in ("left", "middle", "right")}


def test_synchronous_steps_and_typing_typed_dicts_work(servers: Servers) -> None:
    job = servers.run("sync", {"name": "Ana"})
    assert job["output"]["greeting"] == "Olá, Ana!"
    assert servers.http.get("/workflows/sync").json()["kind"] == "exclusive"


def test_a_model_call_is_recorded_with_its_tokens_merged(servers: Servers) -> None:
    job = servers.run("chat")
    journal = servers.journal(job["id"])
    tokens = [event for event in journal if event["type"] == "model.tokens"]
    assert "".join(event["data"]["text"] for event in tokens) == "bom dia"
    [call] = [event for event in journal if event["type"] == "model.call"]
    assert (call["step"], call["data"]["answer"]) == ("talk", "bom dia")
    assert call["data"]["prompt"] == [{"role": "human", "content": "say something kind"}]
    # The record does not overtake the end of its step.
    types = [event["type"] for event in journal]
    assert types.index("model.call") < types.index("step.finished")
    rows = servers.sql("SELECT step, answer, epoch FROM model_calls WHERE job_id = %s", job["id"])
    assert rows == [("talk", "bom dia", 1)]


def test_what_a_step_streams_of_its_own_is_written_down_whatever_it_is(servers: Servers) -> None:
    job = servers.run("streams")
    assert job["state"] == "succeeded", job["error"]
    custom = [event["data"] for event in servers.journal(job["id"]) if event["type"] == "custom"]
    assert custom == [{"a": 1}, {"value": "text"}, {"value": [1, 2]}, {"value": None}]


def test_a_graph_that_asks_waits_for_the_decision_and_goes_on_with_it(servers: Servers) -> None:
    job = servers.submit("asks")
    servers.until(lambda: servers.job(job)["state"] == "paused", "the job asks")
    assert servers.job(job)["waiting_for"] == "approval"
    [approval] = servers.http.get(f"/jobs/{job}/approvals").json()
    assert (approval["step"], approval["request"]) == ("ask", "how many?")
    assert servers.http.post(f"/approvals/{approval['id']}", json={"decision": 7}).status_code == 200
    assert servers.http.post(f"/approvals/{approval['id']}", json={"decision": 8}).json()["code"] == "already_decided"
    ended = servers.ended(job)
    assert (ended["state"], ended["output"], ended["attempts"]) == ("succeeded", {"n": 7}, 2)


def test_a_graph_without_an_end_is_stopped(servers: Servers) -> None:
    job = servers.run("endless")
    assert (job["state"], job["error"]["code"]) == ("failed", "too_many_steps")


def test_a_hundred_jobs_wait_at_once_in_one_process(servers: Servers) -> None:
    witness, gate = servers.folder / f"w-{uuid4()}", servers.folder / f"gate-{uuid4()}"
    given = {"witness": str(witness), "gate": str(gate)}
    with ThreadPoolExecutor(10) as pool:
        jobs = list(pool.map(lambda _: servers.submit("three", given), range(100)))
    servers.until(
        lambda: witness.exists() and witness.read_text().count(" second\n") == 100, "all are in their second step"
    )
    assert servers.http.get("/workers").json()[0]["running"] == 100
    gate.touch()
    assert [servers.ended(job)["state"] for job in jobs] == ["succeeded"] * 100
    assert witness.read_text().count(" third\n") == 100


def test_a_synchronous_step_that_is_cancelled_is_fenced_at_once(servers: Servers) -> None:
    witness = servers.folder / f"w-{uuid4()}"
    job = servers.submit("blocked", {"witness": str(witness), "seconds": 60})
    servers.until(witness.exists, "the step blocks")
    began = time.monotonic()
    servers.http.post(f"/jobs/{job}/cancel")
    assert servers.ended(job)["state"] == "cancelled"
    assert time.monotonic() - began < 30
    assert servers.run("noop")["state"] == "succeeded"
    assert [line.split()[-1] for line in witness.read_text().splitlines()] == ["began"]


def test_a_cancel_whose_notice_was_lost_is_found(servers: Servers) -> None:
    witness = servers.folder / f"w-{uuid4()}"
    job = servers.submit("three", {"witness": str(witness), "gate": "/nowhere"})
    servers.until(witness.exists, "it runs")
    servers.sql("UPDATE jobs SET cancel_requested_at = now() WHERE id = %s", job)
    assert servers.ended(job, seconds=10)["state"] == "cancelled"


@pytest.mark.parametrize("name", ["lg_builder", "lg_compiled", "lg_factory"])
def test_graphs_of_a_langgraph_json_are_served(servers: Servers, name: str) -> None:
    assert servers.run(name, {"text": "oi"})["output"] == {"text": "oi", "shout": "OI"}


def test_what_could_not_be_loaded_is_told_and_the_rest_is_served(servers: Servers) -> None:
    [worker] = servers.http.get("/workers").json()
    errors = {error["source"].rpartition("/")[2]: error["message"] for error in worker["load_errors"]}
    assert set(errors) == {"broken.py", "exits.py", "no_such_module", "langgraph.json: lg_missing"}
    assert errors["broken.py"] == "RuntimeError: this builder is broken on purpose"
    assert "SystemExit" in errors["exits.py"]
    assert "nothing_of_that_name" in errors["langgraph.json: lg_missing"]
    assert "broken" not in {workflow["name"] for workflow in servers.http.get("/workflows").json()}
    assert servers.run("beside_broken")["state"] == "succeeded"


def test_the_catalogue_shows_schemas_and_shape(servers: Servers) -> None:
    noop = servers.http.get("/workflows/noop").json()
    assert (noop["kind"], noop["queue"], noop["workers"]) == ("shared", "default", 1)
    assert noop["description"] == "Three steps that add one."
    assert noop["input_schema"]["properties"]["n"]["type"] == "integer"
    assert noop["input_schema"]["additionalProperties"] is False
    assert [node["id"] for node in noop["graph"]["nodes"]] == ["__start__", "a", "b", "c", "__end__"]
    assert {"source": "a", "target": "b", "conditional": False} in noop["graph"]["edges"]
    assert servers.http.get("/workflows/noop", params={"version": noop["version"]}).json() == noop
    three = servers.http.get("/workflows/three").json()
    assert three["input_schema"]["required"] == ["witness"]


@pytest.mark.parametrize(
    ("what", "out"),
    [
        ("nul", ["before\ufffdafter"]),
        ("surrogate", ["half a pair: ?."]),
        ("set", [[1, 2, 3]]),
        ("bytes", ["<2 bytes>"]),
        ("nan", [None]),
        ("keys", [{"1": "one", "(2, 3)": "tuple"}]),
    ],
)
def test_a_value_that_is_not_json_costs_neither_the_output_nor_the_journal(
    servers: Servers, what: str, out: list[Any]
) -> None:
    job = servers.run("odd_values", {"what": what})
    assert job["state"] == "succeeded", job["error"]
    assert job["output"]["out"] == out
    [odd] = [event for event in servers.journal(job["id"]) if event["type"] == "odd"]
    assert odd["data"] == {"value": out}
    assert servers.event_types(job["id"])[-2:] == ["step.finished", "job.succeeded"]


@pytest.mark.parametrize("what", ["object", "path", "deep", "big"])
def test_a_value_that_cannot_be_kept_ends_its_job_and_no_other(servers: Servers, what: str) -> None:
    job = servers.run("odd_values", {"what": what})
    assert job["state"] in ("succeeded", "failed")
    assert job["state"] == "succeeded" or job["error"]["message"]
    assert servers.run("noop")["state"] == "succeeded"
    assert servers.event_types(job["id"])[-1] == f"job.{job['state']}"


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("unprintable", "not even this"),
        ("nul", "nul \ufffd byte and half a pair ?"),
        ("long", "xxx"),
        ("group", "many"),
        ("base", "not an Exception at all"),
        ("cancels", "CancelledError"),
    ],
)
def test_whatever_a_step_raises_is_told(servers: Servers, what: str, says: str) -> None:
    job = servers.run("odd_errors", {"what": what})
    assert job["state"] == "failed"
    assert says in job["error"]["message"]
    assert len(job["error"]["message"]) < 5000
    assert servers.run("noop")["state"] == "succeeded"


def test_a_step_cannot_write_the_platforms_own_events(servers: Servers) -> None:
    job = servers.run("odd_events", {"what": ""})
    assert job["state"] == "succeeded"
    journal = servers.journal(job["id"])
    refused = [event["data"]["message"] for event in journal if event["type"] == "refused"]
    assert len(refused) == 7
    assert "'job.succeeded'" in refused[0]
    assert [event["type"] for event in journal if event["step"] and not event["type"].startswith("step.")] == [
        *["refused"] * 7,
        "fine",
    ]
    assert servers.sql("SELECT count(*) FROM model_calls WHERE job_id = %s", job["id"]) == [(0,)]


def test_nothing_is_left_running(servers: Servers) -> None:
    servers.until(
        lambda: servers.sql("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')") == [(0,)],
        "every job of these tests has ended",
    )
