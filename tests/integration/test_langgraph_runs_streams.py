"""Streams of runs and of threads over HTTP: frames, ids, several modes, cut and resumed."""

import itertools
import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.servers import Servers

pytestmark = pytest.mark.integration

NO_INPUT: dict[str, Any] = {"items": []}


@pytest.fixture
def http(servers: Servers) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=servers.url, headers={"X-Api-Key": servers.key}, timeout=30, trust_env=False) as found:
        yield found


def frames(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Frames of a stream, each as it was sent; comments are passed over."""
    found: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if not line:
            if found:
                yield found
            found = {}
        elif name:
            found[name] = json.loads(value) if name == "data" else value


def whole(http: httpx.Client, path: str, **headers: str) -> list[dict[str, Any]]:
    with http.stream("GET", path, headers=headers) as stream:
        assert stream.status_code == 200
        return list(frames(stream.iter_lines()))


def thread(http: httpx.Client) -> str:
    return str(http.post("/threads", json={}).json()["thread_id"])


def seq(frame: dict[str, Any]) -> int:
    return int(frame["id"].rpartition("-")[2])


def test_headers_and_ids(http: httpx.Client) -> None:
    body = {"assistant_id": "run_steps", "input": NO_INPUT, "stream_mode": ["updates"]}
    with http.stream("POST", "/runs/stream", json=body) as stream:
        plain = list(frames(stream.iter_lines()))
    run = stream.headers["content-location"]
    assert stream.headers["location"] == f"{run}/stream"
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    assert stream.headers["x-accel-buffering"] == "no"
    assert all(frame.keys() == {"event", "data"} for frame in plain)
    with http.stream("POST", "/runs/stream", json=body | {"stream_resumable": True}) as stream:
        numbered = list(frames(stream.iter_lines()))
    assert [frame["event"] for frame in numbered] == [frame["event"] for frame in plain]
    assert [seq(frame) for frame in numbered] == sorted({seq(frame) for frame in numbered})
    location = stream.headers["location"]
    assert whole(http, location) == []
    assert whole(http, location, **{"Last-Event-ID": "-1"}) == numbered
    assert whole(http, location, **{"Last-Event-ID": numbered[1]["id"]}) == numbered[2:]
    assert http.get(location, headers={"Last-Event-ID": "nonsense"}).status_code == 422
    assert http.get(location, params={"stream_mode": "nonsense"}).status_code == 422


def test_three_modes_cut_again_and_again(http: httpx.Client) -> None:
    body = {"assistant_id": "run_ticking", "input": NO_INPUT, "stream_resumable": True}
    body["stream_mode"] = ["custom", "updates", "values"]
    seen: list[dict[str, Any]] = []
    cuts = 0
    with http.stream("POST", "/runs/stream", json=body) as stream:
        seen += itertools.islice(frames(stream.iter_lines()), 10)
    path = stream.headers["location"]
    while cuts == 0 or len(seen) % 10 == 0:
        with http.stream("GET", path, headers={"Last-Event-ID": seen[-1]["id"]}) as stream:
            seen += itertools.islice(frames(stream.iter_lines()), 10)
        cuts += 1
    assert cuts >= 10
    assert [frame["data"] for frame in seen if frame["event"] == "custom"] == [{"at": "before"}, *range(100)]
    assert [frame["data"] for frame in seen if frame["event"] == "values"][-1] == {"items": ["before", "tick"]}
    assert seen == whole(http, path, **{"Last-Event-ID": "-1"})


def test_chosen_frames(http: httpx.Client) -> None:
    body = {
        "assistant_id": "run_nested",
        "input": NO_INPUT,
        "stream_mode": ["updates", "values"],
        "stream_subgraphs": True,
        "stream_resumable": True,
    }
    with http.stream("POST", "/runs/stream", json=body) as stream:
        told = list(frames(stream.iter_lines()))
    path = stream.headers["location"]
    outer = httpx.QueryParams({"namespace": "", "stream_mode": "updates"})
    found = whole(http, f"{path}?{outer}", **{"Last-Event-ID": "-1"})
    assert [frame["event"] for frame in found] == ["metadata", "updates", "updates"]
    inner = {frame["event"].partition("|")[2] for frame in told} - {""}
    [namespace] = inner
    found = whole(http, f"{path}?{httpx.QueryParams({'namespace': namespace})}", **{"Last-Event-ID": "-1"})
    assert {frame["event"].partition("|")[2] for frame in found[1:]} == {namespace}


def test_a_stream_joined_in_the_middle(servers: Servers, http: httpx.Client) -> None:
    body = {"assistant_id": "run_holding", "input": {"items": [], "seconds": 60}, "stream_mode": ["updates"]}
    thread_id = thread(http)
    run = http.post(f"/threads/{thread_id}/runs", json=body).json()
    servers.until(lambda: "stream.updates" in servers.event_types(run["run_id"]), "its first step is told")
    with http.stream("GET", f"/threads/{thread_id}/runs/{run['run_id']}/stream") as stream:
        found = frames(stream.iter_lines())
        assert next(found)["event"] == "metadata"
        http.post(f"/threads/{thread_id}/runs/{run['run_id']}/cancel", params={"wait": 1})
        assert [frame["event"] for frame in found] == []


def test_a_stream_says_that_it_lives(http: httpx.Client) -> None:
    body = {"assistant_id": "run_holding", "input": {"items": [], "seconds": 60}, "on_disconnect": "cancel"}
    with http.stream("POST", "/runs/stream", json=body) as stream:
        assert next(line for line in stream.iter_lines() if line.startswith(":")) == ": heartbeat"
        run = stream.headers["content-location"]
    with http.stream("GET", f"{run}/join") as waiting:
        assert json.loads("".join(waiting.iter_text())) == {"items": ["before"], "seconds": 60}


def test_a_thread_as_a_stream(http: httpx.Client) -> None:
    thread_id = thread(http)
    body = {"assistant_id": "run_steps", "input": NO_INPUT, "stream_mode": ["updates"]}
    url = f"/threads/{thread_id}/stream"
    with http.stream("GET", url, params={"stream_mode": ["run_modes", "state_update"]}) as stream:
        found = frames(stream.iter_lines())
        runs = [http.post(f"/threads/{thread_id}/runs", json=body).json()["run_id"] for _ in range(2)]
        told = [next(found) for _ in range(12)]
    assert [frame["event"] for frame in told] == [*["metadata", *["updates"] * 3, "state_update", "metadata"]] * 2
    ends = [frame["data"] for frame in told if frame["data"].get("status") == "run_done"]
    assert [end["run_id"] for end in ends] == runs
    assert told[-2]["data"]["values"] == {"items": ["one", "two", "three"] * 2}
    with http.stream("GET", url, headers={"Last-Event-ID": told[2]["id"]}) as stream:
        rest = frames(stream.iter_lines())
        wanted = [frame for frame in told[3:] if frame["event"] != "state_update"]
        assert [next(rest) for _ in wanted] == wanted
    with http.stream("GET", url, params={"stream_modes": "lifecycle"}, headers={"Last-Event-ID": "-1"}) as stream:
        only = frames(stream.iter_lines())
        assert [next(only)["event"] for _ in range(4)] == ["metadata"] * 4
    assert http.get(f"/threads/{uuid.uuid4()}/stream").status_code == 404
    assert http.get(url, headers={"Last-Event-ID": "nonsense"}).status_code == 422
