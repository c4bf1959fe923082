"""Jobs over HTTP: accepted, shown, listed, cancelled, and every error the routes document."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.servers import Servers

pytestmark = pytest.mark.integration

NOWHERE = uuid4()


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The body of an error; fails unless it is the problem that was expected, well-formed."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:mutirao:problem:{code}")
    assert body["detail"]
    assert body["title"]
    assert body["request_id"] == answer.headers["x-request-id"]
    assert len(answer.content) < 100_000
    return body


def submit(servers: Servers, body: Any = None, **headers: str) -> httpx.Response:
    body = {"workflow": "noop"} if body is None else body
    return servers.http.post("/jobs", json=body, headers=headers)


def test_a_job_goes_in_and_its_output_comes_out(servers: Servers) -> None:
    answer = submit(servers, {"workflow": "noop", "input": {"n": 5}, "metadata": {"mine": ["x"]}})
    assert answer.status_code == 202
    job = answer.json()
    assert (job["state"], job["attempts"], job["metadata"]) == ("queued", 0, {"mine": ["x"]})
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    ended = servers.ended(job["id"])
    assert (ended["state"], ended["output"], ended["attempts"]) == ("succeeded", {"n": 8}, 1)
    assert httpx.URL(answer.headers["location"]).path.endswith(job["id"])


def test_the_same_key_and_body_answer_with_the_same_job(servers: Servers) -> None:
    key = f"k-{uuid4()}"
    first = submit(
        servers, {"workflow": "noop", "input": {"n": 1}, "metadata": {"a": 1, "b": 2}}, **{"Idempotency-Key": key}
    )
    # The same request, written in another order.
    again = submit(
        servers, {"metadata": {"b": 2, "a": 1}, "input": {"n": 1}, "workflow": "noop"}, **{"Idempotency-Key": key}
    )
    assert (first.status_code, again.status_code) == (202, 202)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    other = submit(servers, {"workflow": "noop", "input": {"n": 2}}, **{"Idempotency-Key": key})
    assert key in problem(other, 422, "invalid_input")["detail"]


def test_many_submissions_at_once_with_one_key_are_one_job(servers: Servers) -> None:
    key = f"k-{uuid4()}"
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: submit(servers, **{"Idempotency-Key": key}), range(20)))
    # Who comes while the first is being written is told to come again.
    for answer in answers:
        assert answer.status_code == 202 or problem(answer, 409, "request_in_flight")["key"] == key
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1


def test_jobs_of_a_thread_share_what_they_remember_and_run_in_order(servers: Servers) -> None:
    first = submit(servers, {"workflow": "remember", "input": {"say": "0"}}).json()
    jobs = [first["id"]]
    for word in "1234":
        body = {"workflow": "remember", "input": {"say": word}, "thread_id": first["thread_id"]}
        jobs.append(submit(servers, body).json()["id"])
    ended = [servers.ended(job) for job in jobs]
    assert [job["output"]["said"] for job in ended] == [list("01234"[: n + 1]) for n in range(5)]
    for before, after in pairwise(ended):
        assert before["finished_at"] <= after["started_at"]


def test_a_job_waits_for_its_end_only_as_long_as_asked(servers: Servers) -> None:
    gate = servers.folder / f"gate-{uuid4()}"
    job = servers.submit("three", {"witness": str(servers.folder / f"w-{uuid4()}"), "gate": str(gate)})
    assert servers.http.get(f"/jobs/{job}", params={"wait": 0.2}).json()["state"] in ("queued", "running")
    gate.touch()
    began = time.monotonic()
    assert servers.http.get(f"/jobs/{job}", params={"wait": 60}).json()["state"] == "succeeded"
    assert time.monotonic() - began < 50, "it waited for the end of the wait"


def test_attempts_say_which_worker_ran_the_job(servers: Servers) -> None:
    job = servers.run("noop")
    [attempt] = servers.http.get(f"/jobs/{job['id']}/attempts").json()
    assert (attempt["attempt"], attempt["worker"], attempt["outcome"]) == (1, "shared", "succeeded")


def test_the_list_is_complete_and_without_doubles_over_many_pages(servers: Servers, stranger: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: stranger.post("/jobs", json={"workflow": "noop"}), range(120)))
    made = {answer.json()["id"] for answer in answers}
    assert len(made) == 120
    seen: list[str] = []
    cursor = None
    while True:
        page = stranger.get("/jobs", params={"limit": 7, **({"cursor": cursor} if cursor else {})}).json()
        assert 1 <= len(page["jobs"]) <= 7
        seen += [job["id"] for job in page["jobs"]]
        if len(seen) == 35:
            # Newer jobs come before the first page, and do not disturb the pages that follow.
            stranger.post("/jobs", json={"workflow": "noop"})
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == made
    assert len(seen) == 120
    exact = stranger.get("/jobs", params={"limit": 121}).json()
    assert len(exact["jobs"]) == 121
    assert exact["next"] is None


def test_the_list_can_be_of_some_states_and_one_workflow(servers: Servers) -> None:
    failed, fine = servers.run("boom"), servers.run("noop")
    found = servers.http.get("/jobs", params={"state": ["failed", "dead"], "workflow": "boom"}).json()["jobs"]
    assert failed["id"] in {job["id"] for job in found}
    assert {(job["workflow"], job["state"]) for job in found} == {("boom", "failed")}
    assert fine["id"] not in {job["id"] for job in found}


def test_another_projects_job_answers_like_an_unknown_one_on_every_route(
    servers: Servers, stranger: httpx.Client
) -> None:
    theirs = servers.run("files")
    routes: list[Callable[[Any], httpx.Response]] = [
        lambda job: stranger.get(f"/jobs/{job}"),
        lambda job: stranger.get(f"/jobs/{job}/attempts"),
        lambda job: stranger.get(f"/jobs/{job}/journal"),
        lambda job: stranger.get(f"/jobs/{job}/events"),
        lambda job: stranger.get(f"/jobs/{job}/artifacts"),
        lambda job: stranger.get(f"/jobs/{job}/artifacts/page.html"),
        lambda job: stranger.post(f"/jobs/{job}/cancel"),
    ]
    for route in routes:
        details = [
            problem(route(job), 404, "not_found")["detail"].replace(str(job), "…") for job in (theirs["id"], NOWHERE)
        ]
        assert details[0] == details[1]
    mine = stranger.post("/jobs", json={"workflow": "noop", "thread_id": theirs["thread_id"]})
    nobody = stranger.post("/jobs", json={"workflow": "noop", "thread_id": str(NOWHERE)})
    assert [problem(answer, 404, "not_found")["detail"][:11] for answer in (mine, nobody)] == ["no thread '"] * 2


def test_an_unknown_workflow_is_named_with_those_there_are(servers: Servers) -> None:
    detail = problem(submit(servers, {"workflow": "nope"}), 404, "workflow_unknown")["detail"]
    assert "'nope'" in detail
    assert "noop" in detail
    assert "could not be loaded: `mutirao workers` says why" in detail  # the project has a module that there is not
    problem(servers.http.get("/workflows/nope"), 404, "workflow_unknown")


def test_an_unknown_version_is_not_called_an_unknown_workflow(servers: Servers) -> None:
    answer = submit(servers, {"workflow": "noop", "version": "0.0.0"})
    detail = problem(answer, 404, "workflow_unknown")["detail"]
    assert "version '0.0.0'" in detail


@pytest.mark.parametrize("version", ["", "0.0.0"])
def test_a_version_of_a_workflow_that_there_is_not_holds_nobody_up(servers: Servers, version: str) -> None:
    """It once waited for itself, and everybody else for it."""
    answer = servers.http.get("/workflows/nope", params={"version": version}, timeout=10)
    problem(answer, 404, "workflow_unknown")
    assert servers.http.get("/workflows/noop", timeout=10).status_code == 200


def test_an_input_that_does_not_fit_is_refused_with_the_path(servers: Servers) -> None:
    body = problem(submit(servers, {"workflow": "noop", "input": {"n": "seven"}}), 422, "input_rejected")
    assert [error["path"] for error in body["errors"]] == ["/n"]
    assert "/n" in body["detail"]
    assert "'seven'" in body["detail"]
    body = problem(submit(servers, {"workflow": "noop", "input": {"surprise": 1}}), 422, "input_rejected")
    assert "surprise" in body["detail"]
    body = problem(submit(servers, {"workflow": "sleep", "input": {}}), 422, "input_rejected")
    assert "witness" in body["detail"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "/workflow"),
        ({"workflow": ""}, "/workflow"),
        ({"workflow": 7}, "/workflow"),
        ({"workflow": "x" * 65}, "/workflow"),
        ({"workflow": "noop", "surprise": 1}, "/surprise"),
        ({"workflow": "noop", "input": []}, "/input"),
        ({"workflow": "noop", "input": None}, "/input"),
        ({"workflow": "noop", "metadata": "x"}, "/metadata"),
        ({"workflow": "noop", "thread_id": "not-a-uuid"}, "/thread_id"),
        ({"workflow": "noop", "max_attempts": 0}, "/max_attempts"),
        ({"workflow": "noop", "max_attempts": 21}, "/max_attempts"),
        ([], "/"),
        ("text", "/"),
    ],
)
def test_a_wrong_body_is_refused_with_the_path(servers: Servers, body: Any, path: str) -> None:
    refused = problem(submit(servers, body), 422, "invalid_request")
    assert path in {error["path"] for error in refused["errors"]}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"workflow": "noop",}', b"[" * 100_000])
def test_a_body_that_is_not_json_is_refused(servers: Servers, content: bytes) -> None:
    answer = servers.http.post("/jobs", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    problem(answer, answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (rb'"a\u0000b"', "NUL"),
        (rb'"half \ud83d"', "surrogate"),
        (b"1" + b"0" * 30, "64 bits"),
        (b"NaN", "not JSON"),
        (b"1e999", "not JSON"),
        (b"[" * 300 + b"]" * 300, "deeper"),
        (rb'{"ke\u0000y": 1}', "NUL"),
    ],
)
@pytest.mark.parametrize("field", ["input", "metadata"])
def test_json_that_cannot_be_kept_is_refused_by_its_path(servers: Servers, field: str, value: bytes, says: str) -> None:
    content = b'{"workflow": "noop", "%s": {"deep": [0, %s]}}' % (field.encode(), value)
    answer = servers.http.post("/jobs", content=content, headers={"content-type": "application/json"})
    [error] = problem(answer, 422, "invalid_request")["errors"]
    assert error["path"] == f"/{field}"
    assert says in error["message"]
    assert "/deep/1" in error["message"]


@pytest.mark.parametrize(
    "call",
    [
        lambda http: http.post("/jobs", json={"workflow": "no\x00op"}),
        lambda http: http.post("/jobs", json={"workflow": "noop", "version": "\x00"}),
        lambda http: http.get("/workflows/a%00b"),
        lambda http: http.get("/workflows/noop?version=%00"),
        lambda http: http.get("/jobs?workflow=%00"),
    ],
)
def test_a_nul_character_anywhere_is_the_callers_mistake(servers: Servers, call: Any) -> None:
    answer = call(servers.http)
    assert 400 <= answer.status_code < 500, answer.text
    problem(answer, answer.status_code, answer.json()["code"])


def test_an_enormous_mistake_has_a_short_answer(servers: Servers) -> None:
    many = {f"unknown{n}": n for n in range(20_000)}
    problem(submit(servers, {"workflow": "noop", **many}), 422, "invalid_request")
    problem(submit(servers, {"workflow": "noop", "input": many}), 422, "input_rejected")
    problem(submit(servers, {"workflow": "noop", "input": {"n": "x" * 1_000_000}}), 422, "input_rejected")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "state=nope", "cursor=x", "cursor=!!!", "cursor=é", "cursor=AAAA", "cursor="],
)
def test_a_wrong_query_is_refused(servers: Servers, query: str) -> None:
    answer = servers.http.get(f"/jobs?{query}")
    problem(answer, 422, answer.json()["code"])


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "inf", "x"])
def test_a_wrong_wait_is_refused(servers: Servers, wait: str) -> None:
    problem(servers.http.get(f"/jobs/{NOWHERE}", params={"wait": wait}), 422, "invalid_request")


@pytest.mark.parametrize("path", ["", "/attempts", "/journal", "/events", "/artifacts", "/artifacts/a.txt"])
def test_an_id_that_is_none_is_refused(servers: Servers, path: str) -> None:
    problem(servers.http.get(f"/jobs/not-an-id{path}"), 422, "invalid_request")


def test_a_running_job_is_cancelled(servers: Servers) -> None:
    witness = servers.folder / f"w-{uuid4()}"
    job = servers.submit("three", {"witness": str(witness), "gate": str(servers.folder / "never")})
    servers.until(lambda: witness.exists() and "second" in witness.read_text(), "the second step runs")
    answer = servers.http.post(f"/jobs/{job}/cancel")
    assert answer.status_code == 202
    ended = servers.ended(job)
    assert ended["state"] == "cancelled"
    assert ended["cancel_requested_at"] is not None
    assert "third" not in witness.read_text()
    assert servers.event_types(job)[-1] == "job.cancelled"
    assert "cancelled" in problem(servers.http.post(f"/jobs/{job}/cancel"), 409, "conflict")["detail"]


def test_a_job_that_has_ended_cannot_be_cancelled(servers: Servers) -> None:
    job = servers.run("noop")
    body = problem(servers.http.post(f"/jobs/{job['id']}/cancel"), 409, "conflict")
    assert body["state"] == "succeeded"


def test_artifacts_are_listed_and_downloaded_and_never_shown_as_pages(servers: Servers) -> None:
    job = servers.run("files")
    listed = servers.http.get(f"/jobs/{job['id']}/artifacts").json()
    assert [(file["name"], file["size"]) for file in listed] == [("notes/a b.txt", 6), ("page.html", 25)]
    answer = servers.http.get(f"/jobs/{job['id']}/artifacts/notes/a b.txt")
    assert (answer.status_code, answer.content) == (200, b"second")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20b.txt"
    page = servers.http.get(f"/jobs/{job['id']}/artifacts/page.html")
    assert page.headers["content-disposition"].startswith("attachment")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["content-security-policy"] == "sandbox; default-src 'none'"
    kept = servers.http.get(f"/jobs/{job['id']}/artifacts/page.html", params={"inline": True})
    assert kept.headers["content-disposition"].startswith("attachment")
    shown = servers.http.get(f"/jobs/{job['id']}/artifacts/notes/a b.txt", params={"inline": True})
    assert shown.headers["content-disposition"] == "inline; filename*=UTF-8''a%20b.txt"
    assert shown.headers["content-type"] == "text/plain; charset=utf-8"
    assert shown.headers["content-security-policy"] == "sandbox; default-src 'none'"
    problem(servers.http.get(f"/jobs/{job['id']}/artifacts/none.txt"), 404, "not_found")
    problem(servers.http.get(f"/jobs/{job['id']}/artifacts/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), 404, "not_found")
    types = servers.event_types(job["id"])
    assert types.count("artifact") == 3
    assert types.count("progress") == 1


def test_an_artifact_whose_file_is_gone_is_said_to_be_missing(servers: Servers) -> None:
    job = servers.run("files")
    [file] = [file for file in servers.http.get(f"/jobs/{job['id']}/artifacts").json() if file["name"] == "page.html"]
    stored = servers.folder / "artifacts" / file["sha256"][:2] / file["sha256"]
    aside = stored.rename(stored.with_suffix(".aside"))
    try:
        problem(servers.http.get(f"/jobs/{job['id']}/artifacts/page.html"), 404, "not_found")
    finally:
        aside.rename(stored)


def test_an_upload_is_kept_and_named(servers: Servers) -> None:
    answer = servers.http.post("/uploads", files={"file": ("a.zip", b"PK\x03\x04", "application/zip")})
    assert answer.status_code == 201
    upload = answer.json()
    assert (upload["name"], upload["media_type"], upload["size"]) == ("a.zip", "application/zip", 4)
    stored = servers.folder / "artifacts" / upload["sha256"][:2] / upload["sha256"]
    assert stored.read_bytes() == b"PK\x03\x04"
    problem(servers.http.post("/uploads"), 422, "invalid_request")
