"""Following a job: a reader loses nothing, sees nothing twice, and is never left waiting for what cannot come."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.servers import Servers, sse

pytestmark = pytest.mark.integration


@contextlib.contextmanager
def following(servers: Servers, job: UUID | str, **headers: str) -> Iterator[httpx.Response]:
    with servers.http.stream("GET", f"/jobs/{job}/events", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache"
        yield answer


def follow(servers: Servers, job: UUID | str, **headers: str) -> list[dict[str, Any]]:
    """Everything until the stream ends by itself."""
    with following(servers, job, **headers) as answer:
        return list(sse(answer.iter_lines()))


def long_job(servers: Servers) -> UUID:
    """A job of some four hundred events."""
    return servers.submit("endless")


def test_a_stream_is_the_journal_and_ends_with_the_job(servers: Servers) -> None:
    job = servers.submit("three", {"witness": str(servers.folder / f"w-{uuid4()}")})
    events = follow(servers, job)
    assert [event["data"] for event in events] == servers.journal(job)
    assert [int(event["id"]) for event in events] == list(range(1, len(events) + 1))
    assert all(event["event"] == event["data"]["type"] for event in events)
    assert [event["event"] for event in events] == [
        "job.queued",
        "job.started",
        *["step.started", "step.finished"] * 3,
        "job.succeeded",
    ]


def test_an_ended_job_can_be_read_from_the_beginning(servers: Servers) -> None:
    job = servers.run("noop")
    assert [event["data"] for event in follow(servers, job["id"])] == servers.journal(job["id"])


def test_resuming_gives_exactly_the_rest(servers: Servers) -> None:
    job = servers.run("noop")
    whole = follow(servers, job["id"])
    for seen in range(len(whole) + 1):
        assert follow(servers, job["id"], **{"Last-Event-ID": str(seen)}) == whole[seen:]
    with servers.http.stream("GET", f"/jobs/{job['id']}/events", params={"after": 4}) as answer:
        assert list(sse(answer.iter_lines())) == whole[4:]


@pytest.mark.parametrize("seen", ["9", "10", "999999", "99999999999999999"])
def test_a_reader_past_the_end_of_an_ended_job_is_not_left_waiting(servers: Servers, seen: str) -> None:
    job = servers.run("noop")
    assert job["last_seq"] == 9
    began = time.monotonic()
    assert follow(servers, job["id"], **{"Last-Event-ID": seen}) == []
    assert time.monotonic() - began < 5


def test_a_reader_past_the_end_of_a_running_job_is_let_go_when_it_ends(servers: Servers) -> None:
    gate = servers.folder / f"gate-{uuid4()}"
    job = servers.submit("three", {"witness": str(servers.folder / f"w-{uuid4()}"), "gate": str(gate)})
    with following(servers, job, **{"Last-Event-ID": "5000"}) as answer:
        gate.touch()
        assert list(sse(answer.iter_lines())) == []
    assert servers.job(job)["state"] == "succeeded"


def test_a_connection_that_breaks_again_and_again_loses_nothing(servers: Servers) -> None:
    job = long_job(servers)
    seen: list[dict[str, Any]] = []
    connections = 0
    while not (seen and seen[-1]["event"] == "job.failed"):
        connections += 1
        with following(servers, job, **({"Last-Event-ID": seen[-1]["id"]} if seen else {})) as answer:
            for number, event in enumerate(sse(answer.iter_lines())):
                seen.append(event)
                if number == connections * 7 % 60:
                    break
    assert connections > 5
    assert [event["data"] for event in seen] == servers.journal(job)


def test_many_readers_of_one_running_job_all_see_everything(servers: Servers) -> None:
    gate = servers.folder / f"gate-{uuid4()}"
    job = servers.submit("three", {"witness": str(servers.folder / f"w-{uuid4()}"), "gate": str(gate)})
    found: list[list[dict[str, Any]]] = []
    readers = [threading.Thread(target=lambda: found.append(follow(servers, job))) for _ in range(12)]
    for reader in readers:
        reader.start()
    gate.touch()
    for reader in readers:
        reader.join(20)
    assert len(found) == 12
    assert all([event["data"] for event in events] == servers.journal(job) for events in found)


def test_events_come_while_the_job_runs(servers: Servers) -> None:
    gate = servers.folder / f"gate-{uuid4()}"
    job = servers.submit("three", {"witness": str(servers.folder / f"w-{uuid4()}"), "gate": str(gate)})
    with following(servers, job) as answer:
        events = sse(answer.iter_lines())
        for event in events:
            if event["data"]["step"] == "second":
                break
        assert servers.job(job)["state"] == "running"
        gate.touch()
        assert [event["event"] for event in events][-1] == "job.succeeded"


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "1e3", "0x1", "²", "9" * 19, "9" * 5000])
def test_a_wrong_last_event_id_is_a_clean_error(servers: Servers, last: str) -> None:
    job = servers.run("noop")
    answer = servers.http.get(f"/jobs/{job['id']}/events", headers={"Last-Event-ID": last.encode()})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["code"] == "invalid_input"
    assert "Last-Event-ID" in answer.json()["detail"]


@pytest.mark.parametrize("after", ["-1", "x", "9" * 30])
def test_a_wrong_after_is_a_clean_error(servers: Servers, after: str) -> None:
    job = servers.run("noop")
    for route in ("events", "journal"):
        answer = servers.http.get(f"/jobs/{job['id']}/{route}", params={"after": after})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_an_unknown_job_is_a_clean_error(servers: Servers) -> None:
    answer = servers.http.get(f"/jobs/{uuid4()}/events")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_an_idle_stream_says_that_it_is_alive(servers: Servers) -> None:
    """With the shortest pause that the settings of these servers allow; a proxy would close a silent connection."""
    gate = servers.folder / f"gate-{uuid4()}"
    job = servers.submit("three", {"witness": str(servers.folder / f"w-{uuid4()}"), "gate": str(gate)})
    with following(servers, job) as answer:
        for line in answer.iter_lines():
            if line.startswith(":"):
                break
        gate.touch()
    assert servers.ended(job)["state"] == "succeeded"


def test_the_journal_comes_in_pages(servers: Servers) -> None:
    job = servers.ended(long_job(servers))
    assert job["last_seq"] > 300
    seen: list[int] = []
    while page := servers.http.get(
        f"/jobs/{job['id']}/journal", params={"after": seen[-1] if seen else 0, "limit": 50}
    ).json():
        assert len(page) <= 50
        seen += [event["seq"] for event in page]
    assert seen == list(range(1, job["last_seq"] + 1))


def test_a_cancelled_job_ends_its_streams(servers: Servers) -> None:
    job = servers.submit("three", {"witness": str(servers.folder / f"w-{uuid4()}"), "gate": "/nowhere"})
    with following(servers, job) as answer:
        events = sse(answer.iter_lines())
        for event in events:
            if event["data"]["step"] == "second":
                break
        servers.http.post(f"/jobs/{job}/cancel")
        assert [event["event"] for event in events][-1] == "job.cancelled"
