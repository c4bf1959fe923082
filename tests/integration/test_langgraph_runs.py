"""Runs of the LangGraph protocol over HTTP: what a submission does to its thread, and how runs end."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import Servers, sse

NO_INPUT: dict[str, Any] = {"items": []}


@pytest.fixture
def http(servers: Servers) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=servers.url, headers={"X-Api-Key": servers.key}, timeout=30, trust_env=False) as found:
        yield found


def thread(http: httpx.Client) -> str:
    answer = http.post("/threads", json={})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["thread_id"])


def begin(http: httpx.Client, thread_id: str, graph: str = "run_steps", **body: Any) -> dict[str, Any]:
    given = {"assistant_id": graph, "input": NO_INPUT, **body}
    answer = http.post(f"/threads/{thread_id}/runs", json=given)
    assert answer.status_code == 200, answer.text
    run: dict[str, Any] = answer.json()
    return run


def holding(http: httpx.Client, thread_id: str, seconds: float = 60, **body: Any) -> dict[str, Any]:
    return begin(http, thread_id, "run_holding", input={"items": [], "seconds": seconds}, **body)


def status(http: httpx.Client, run: dict[str, Any]) -> str:
    answer = http.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}")
    return str(answer.json()["status"]) if answer.status_code == 200 else str(answer.status_code)


def join(http: httpx.Client, run: dict[str, Any]) -> Any:
    answer = http.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}/join")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_run_is_a_job(servers: Servers, http: httpx.Client) -> None:
    thread_id = thread(http)
    answer = http.post(
        f"/threads/{thread_id}/runs",
        json={"assistant_id": "run_steps", "input": NO_INPUT, "metadata": {"who": "me"}, "no_such_field": 1},
    )
    run = answer.json()
    assert answer.headers["content-location"] == f"/threads/{thread_id}/runs/{run['run_id']}"
    assert run["thread_id"] == thread_id
    assert run["metadata"]["who"] == "me"
    assert run["multitask_strategy"] == "enqueue"
    assert run["kwargs"]["input"] == NO_INPUT
    assert join(http, run)["items"] == ["one", "two", "three"]
    job = servers.job(uuid.UUID(run["run_id"]))
    assert job["state"] == "succeeded"
    assert status(http, run) == "success"
    assert http.get(f"/runs/{run['run_id']}").json() == http.get(f"/threads/{thread_id}/runs/{run['run_id']}").json()


def test_native_jobs_are_runs_too(servers: Servers, http: httpx.Client) -> None:
    job = servers.run("run_steps", NO_INPUT)
    run = http.get(f"/threads/{job['thread_id']}/runs/{job['id']}").json()
    assert run["status"] == "success"
    assert run["assistant_id"] == http.get("/assistants/run_steps").json()["assistant_id"]


def test_ids_and_names(http: httpx.Client) -> None:
    known, unknown = thread(http), str(uuid.uuid4())
    body = {"assistant_id": "run_steps", "input": NO_INPUT}
    assert http.post("/threads/garbage/runs", json=body).status_code == 422
    assert http.post(f"/threads/{unknown}/runs", json=body).status_code == 404
    assert http.post(f"/threads/{unknown}/runs/wait", json=body).status_code == 404
    assert http.post(f"/threads/{unknown}/runs/stream", json=body).status_code == 404
    assert http.post(f"/threads/{known}/runs", json=body | {"assistant_id": unknown}).status_code == 404
    assert http.get(f"/threads/{known}/runs/{unknown}").json().keys() == {"detail"}
    assert http.get(f"/threads/{unknown}/runs").status_code == 404
    run = begin(http, known)
    assert http.get(f"/threads/{unknown}/runs/{run['run_id']}").status_code == 404
    made = http.post(f"/threads/{unknown}/runs/wait", json=body | {"if_not_exists": "create"})
    assert made.json()["items"] == ["one", "two", "three"]
    assert http.get(f"/threads/{unknown}").status_code == 200


def test_another_projects_run_is_an_unknown_one(servers: Servers, http: httpx.Client, stranger: httpx.Client) -> None:
    run = begin(http, thread(http))
    join(http, run)
    own = dict(stranger.headers)
    with httpx.Client(base_url=servers.url, headers=own, trust_env=False) as other:
        for path in ("", "/join", "/stream"):
            for method in ("GET",):
                there = other.request(method, f"/threads/{run['thread_id']}/runs/{run['run_id']}{path}")
                unknown = other.request(method, f"/threads/{run['thread_id']}/runs/{uuid.uuid4()}{path}")
                assert there.status_code == unknown.status_code == 404
        assert other.post(f"/threads/{run['thread_id']}/runs/{run['run_id']}/cancel").status_code == 404
        assert other.delete(f"/threads/{run['thread_id']}/runs/{run['run_id']}").status_code == 404
        taken = {"assistant_id": "run_steps", "input": NO_INPUT, "if_not_exists": "create"}
        assert other.post(f"/threads/{run['thread_id']}/runs", json=taken).status_code == 404


def test_list(http: httpx.Client) -> None:
    thread_id = thread(http)
    runs = [begin(http, thread_id) for _ in range(3)]
    join(http, runs[-1])
    url = f"/threads/{thread_id}/runs"
    assert [run["run_id"] for run in http.get(url).json()] == [run["run_id"] for run in reversed(runs)]
    assert [run["run_id"] for run in http.get(url, params={"limit": 1, "offset": 1}).json()] == [runs[1]["run_id"]]
    assert len(http.get(url, params={"status": "success"}).json()) == 3
    assert http.get(url, params={"status": "error"}).json() == []
    assert http.get(url, params={"status": "nonsense"}).status_code == 422
    chosen = http.get(url, params={"select": ["run_id", "status"], "limit": 1}).json()
    assert chosen == [{"run_id": runs[-1]["run_id"], "status": "success"}]


def test_reject(http: httpx.Client) -> None:
    thread_id = thread(http)
    first = holding(http, thread_id)
    body = {"assistant_id": "run_steps", "input": NO_INPUT, "multitask_strategy": "reject"}
    assert http.post(f"/threads/{thread_id}/runs", json=body).status_code == 409
    http.post(f"/threads/{thread_id}/runs/{first['run_id']}/cancel", params={"wait": 1})
    assert http.post(f"/threads/{thread_id}/runs/wait", json=body).status_code == 200


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
def test_a_run_ends_the_others(servers: Servers, http: httpx.Client, strategy: str) -> None:
    thread_id = thread(http)
    first = holding(http, thread_id)
    second = begin(http, thread_id)
    servers.until(lambda: "step.finished" in servers.event_types(first["run_id"]), "its first step is done")
    last = begin(http, thread_id, multitask_strategy=strategy)
    values = join(http, last)
    gone = strategy == "rollback"
    assert status(http, first) == ("404" if gone else "interrupted")
    assert status(http, second) == ("404" if gone else "interrupted")
    assert values["items"] == (["one", "two", "three"] if gone else ["before", "one", "two", "three"])
    listed = [run["run_id"] for run in http.get(f"/threads/{thread_id}/runs").json()]
    assert listed == [last["run_id"]] if gone else [last["run_id"], second["run_id"], first["run_id"]]


def test_cancel(servers: Servers, http: httpx.Client, tmp_path: Path) -> None:
    thread_id, marker = thread(http), tmp_path / "marker"
    run = begin(http, thread_id, "run_holding", input={"items": [], "seconds": 60, "marker": str(marker)})
    servers.until(marker.exists, "it works")
    url = f"/threads/{thread_id}/runs/{run['run_id']}/cancel"
    answer = http.post(url, params={"wait": 1})
    size = marker.stat().st_size
    assert (answer.status_code, answer.json()) == (200, {})
    assert status(http, run) == "interrupted"
    assert http.post(url).status_code == 404
    assert http.get(f"/threads/{thread_id}").json()["status"] == "interrupted"
    assert join(http, begin(http, thread_id))["items"][-1] == "three"
    assert marker.stat().st_size == size


def test_cancel_without_waiting(http: httpx.Client) -> None:
    run = holding(http, thread(http))
    answer = http.post(f"/runs/{run['run_id']}/cancel", params={"wait": 0})
    assert (answer.status_code, answer.content) == (202, b"")
    join(http, run)
    assert status(http, run) == "interrupted"


def test_cancel_and_roll_back(servers: Servers, http: httpx.Client) -> None:
    thread_id = thread(http)
    before = join(http, begin(http, thread_id))
    run = holding(http, thread_id)
    servers.until(lambda: "step.finished" in servers.event_types(run["run_id"]), "its first step is done")
    url = f"/threads/{thread_id}/runs/{run['run_id']}"
    assert http.post(f"{url}/cancel", params={"wait": 1, "action": "rollback"}).json() == {}
    assert http.get(url).status_code == 404
    assert servers.sql("SELECT count(*) FROM checkpoints WHERE metadata ->> 'job_id' = %s", run["run_id"]) == [(0,)]
    assert join(http, begin(http, thread_id))["items"] == [*before["items"], "one", "two", "three"]


def test_cancel_many(http: httpx.Client) -> None:
    thread_id = thread(http)
    runs = [holding(http, thread_id) for _ in range(3)]
    ids = [run["run_id"] for run in runs]
    assert http.post("/runs/cancel", json={"thread_id": thread_id, "run_ids": ids[:2]}).status_code == 204
    join(http, runs[0])
    assert [status(http, run) for run in runs[:2]] == ["interrupted", "interrupted"]
    assert http.post("/runs/cancel", json={"status": "all"}, params={"action": "interrupt"}).status_code == 204
    join(http, runs[2])
    assert status(http, runs[2]) == "interrupted"
    assert http.post("/runs/cancel", json={"thread_id": thread_id, "run_ids": [str(uuid.uuid4())]}).status_code == 404
    assert http.post("/runs/cancel", json={}).status_code == 422


def test_delete(http: httpx.Client) -> None:
    thread_id = thread(http)
    run = holding(http, thread_id)
    url = f"/threads/{thread_id}/runs/{run['run_id']}"
    http.post(f"{url}/cancel", params={"wait": 1})
    assert http.delete(url).status_code == 204
    assert http.get(url).status_code == 404
    assert http.delete(url).status_code == 404
    active = holding(http, thread(http))
    assert http.delete(f"/runs/{active['run_id']}").status_code == 204
    assert status(http, active) == "404"
    assert http.get(f"/threads/{active['thread_id']}").json()["status"] == "idle"


def test_failure(http: httpx.Client) -> None:
    body = {"assistant_id": "run_failing", "input": {"items": [], "value": "x"}}
    answer = http.post("/runs/wait", json=body)
    assert answer.status_code == 200
    assert answer.json() == {"__error__": {"error": "ValueError", "message": "no good: x"}}
    run = answer.headers["content-location"]
    assert http.get(run).json()["status"] == "error"
    assert http.get(answer.headers["location"]).json() == answer.json()


def test_later(http: httpx.Client) -> None:
    run = begin(http, thread(http), after_seconds=3600)
    assert run["status"] == "pending"
    assert http.post(f"/runs/{run['run_id']}/cancel", params={"wait": 1}).json() == {}
    assert status(http, run) == "interrupted"


def test_batch_and_search(http: httpx.Client) -> None:
    tag = str(uuid.uuid4())
    body = {"assistant_id": "run_steps", "input": NO_INPUT, "metadata": {"tag": tag}}
    runs = http.post("/runs/batch", json=[body, body]).json()
    for run in runs:
        join(http, run)
    assert len({run["thread_id"] for run in runs}) == 2
    found = http.post("/runs/search", json={"metadata": {"tag": tag}, "status": "success", "agent_id": "run_steps"})
    assert {run["run_id"] for run in found.json()} == {run["run_id"] for run in runs}


@pytest.mark.parametrize("wrong", [{"assistant_id": "nobody"}, {"webhook": "http://127.0.0.1/"}])
def test_a_batch_is_accepted_as_a_whole_or_not_at_all(http: httpx.Client, wrong: dict[str, Any]) -> None:
    tag = str(uuid.uuid4())
    body = {"assistant_id": "run_steps", "input": NO_INPUT, "metadata": {"tag": tag}}
    assert http.post("/runs/batch", json=[body, body, body | wrong]).status_code >= 400
    assert http.post("/runs/search", json={"metadata": {"tag": tag}}).json() == []


def test_a_reader_that_goes_away(servers: Servers, http: httpx.Client) -> None:
    body = {"assistant_id": "run_holding", "input": {"items": [], "seconds": 60}, "on_disconnect": "cancel"}
    with http.stream("POST", f"/threads/{thread(http)}/runs/stream", json=body) as stream:
        run = stream.headers["content-location"]
        assert next(sse(stream.iter_lines()))["event"] == "metadata"
    servers.until(lambda: http.get(run).json()["status"] == "interrupted", "the run is cancelled")


def test_what_is_refused(http: httpx.Client) -> None:
    body = {"assistant_id": "run_steps", "input": NO_INPUT}
    both = body | {"config": {"configurable": {"a": 1}}, "context": {"b": 1}}
    assert http.post("/runs", json=both).status_code == 400
    assert http.post("/runs", json=body | {"assistant_id": "nothing-of-that-name"}).status_code == 422
    assert http.post("/runs", json={"input": NO_INPUT}).status_code == 422
    assert http.post("/runs", json=body | {"after_seconds": -1}).status_code == 422


def test_a_command_goes_before_an_input(http: httpx.Client) -> None:
    thread_id = thread(http)
    join(http, begin(http, thread_id, "run_asking"))
    both = {"assistant_id": "run_asking", "input": NO_INPUT, "command": {"resume": "yes"}}
    values = http.post(f"/threads/{thread_id}/runs/wait", json=both).json()
    assert values == {"items": ["before", "ask", "after"], "value": "yes"}


def test_what_is_supported(http: httpx.Client) -> None:
    info = http.get("/info").json()
    assert {"assistant_id", "after_seconds", "webhook", "multitask_strategy"} <= set(info["run_fields"])
    assert "langsmith_tracer" in info["accepted_fields"]
    assert http.get("/ok").json() == {"ok": True}
    wrong = http.post("/runs", json={"assistant_id": "run_steps", "stream_mode": ["values", "nonsense"]})
    assert wrong.status_code == 422
    assert "nonsense" in wrong.json()["detail"]
    assert httpx.get(f"{http.base_url}/info", trust_env=False).status_code == 200
    assert httpx.post(f"{http.base_url}/runs", json={}, trust_env=False).status_code == 401
