"""What stands before every route: keys, limits, request ids, and errors that are problems whatever went wrong."""

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from mutirao.projects import new_key_text

from tests.servers import Servers

pytestmark = pytest.mark.integration

MEBIBYTE = 1 << 20


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    return body


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": f"Bearer {new_key_text()}"},
        {"X-Api-Key": new_key_text()},
        {"X-Api-Key": ""},
        {"X-Api-Key": "mk_\xe9.\xe9"},
        {"Cookie": "session=1"},
    ],
)
def test_no_key_or_a_wrong_one_is_refused(servers: Servers, headers: dict[str, str]) -> None:
    answer = httpx.get(
        f"{servers.url}/api/v1/jobs", headers={k: v.encode("latin-1") for k, v in headers.items()}, trust_env=False
    )
    problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_known_prefix_with_a_wrong_secret_is_refused_like_an_unknown_key(servers: Servers) -> None:
    keys = (f"{servers.key.partition('.')[0]}.wrong", new_key_text())
    details = []
    for key in keys:
        answer = httpx.get(f"{servers.url}/api/v1/jobs", headers={"X-Api-Key": key}, trust_env=False)
        details.append(problem(answer, 401, "unauthorized")["detail"])
    assert details[0] == details[1]


def test_either_header_lets_in(servers: Servers) -> None:
    for headers in ({"Authorization": f"Bearer {servers.key}"}, {"X-Api-Key": servers.key}):
        assert httpx.get(f"{servers.url}/api/v1/jobs", headers=headers, trust_env=False).status_code == 200


def test_every_route_of_the_api_needs_a_key(servers: Servers) -> None:
    document = servers.http.get(f"{servers.url}/openapi.json").json()
    for path, methods in document["paths"].items():
        if not path.startswith("/api/"):
            continue
        url = servers.url + re.sub(r"{\w+}", "01a207ce-5d55-751a-9ada-1fd890fbec1c", path)
        for method in methods:
            # Signing in proves a key by its body.
            sent = {"key": "none"} if path == "/api/v1/session" else {}
            body = {"json": sent} if method == "post" else {}
            assert httpx.request(method, url, trust_env=False, **body).status_code == 401, (method, path)


def test_a_key_is_never_repeated(servers: Servers) -> None:
    key = new_key_text()
    answer = httpx.get(f"{servers.url}/api/v1/jobs", headers={"X-Api-Key": key}, trust_env=False)
    assert key.partition(".")[2] not in answer.text
    assert servers.key.partition(".")[2] not in servers.logs()


def test_a_body_over_the_limit_is_refused(servers: Servers) -> None:
    answer = servers.http.post("/jobs", json={"workflow": "noop", "metadata": {"x": "y" * 50 * MEBIBYTE}})
    body = problem(answer, 413, "too_large")
    assert body["limit_bytes"] == 3 * MEBIBYTE
    assert "MUTIRAO_MAX_BODY_BYTES" in body["detail"]


def test_a_body_just_under_the_limit_is_accepted(servers: Servers) -> None:
    body = json.dumps({"workflow": "noop", "metadata": {"x": ""}}).encode()
    filled = body.replace(b'""', b'"%s"' % (b"y" * (3 * MEBIBYTE - len(body))))
    assert len(filled) == 3 * MEBIBYTE
    headers = {"content-type": "application/json"}
    assert servers.http.post("/jobs", content=filled, headers=headers).status_code == 202
    problem(servers.http.post("/jobs", content=filled + b" ", headers=headers), 413, "too_large")


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(servers: Servers) -> None:
    with socket.create_connection(("127.0.0.1", servers.port), timeout=5) as connection:
        head = (
            f"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Api-Key: {servers.key}\r\n"
        )
        connection.sendall(f"{head}Content-Length: {50 * MEBIBYTE}\r\n\r\n".encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"too_large"' in answer


def test_a_body_without_a_length_is_refused_once_too_much_has_come(servers: Servers) -> None:
    sent = 0

    def parts() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"workflow": "noop", "metadata": {"x": "'
        for _ in range(800):
            sent += 1
            yield b"y" * (MEBIBYTE // 16)

    answer = servers.http.post("/jobs", content=parts(), headers={"content-type": "application/json"})
    problem(answer, 413, "too_large")
    assert sent < 800, "all 50 MiB were read"


def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(servers: Servers) -> None:
    before = stored(servers)
    for size in (5 * MEBIBYTE, 4 * MEBIBYTE + 1):
        answer = servers.http.post("/uploads", files={"file": ("big.bin", b"z" * size)})
        problem(answer, 413, "too_large")
    assert stored(servers) == before
    fits = servers.http.post("/uploads", files={"file": ("fits.bin", b"z" * 4 * MEBIBYTE)})
    assert fits.status_code == 201
    assert stored(servers) == before | {fits.json()["sha256"]}


def stored(servers: Servers) -> set[str]:
    return {path.name for path in (servers.folder / "artifacts").rglob("*") if path.is_file()}


@pytest.mark.parametrize("given", ["my-id_1.2", "a" * 64])
def test_a_sane_request_id_is_echoed(servers: Servers, given: str) -> None:
    for url in ("/jobs", "/nowhere"):
        answer = servers.http.get(url, headers={"X-Request-Id": given})
        assert answer.headers["x-request-id"] == given
    assert answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "a" * 65, "two words", "a;b", "é", '"'])
def test_any_other_request_id_is_replaced(servers: Servers, given: str) -> None:
    answer = servers.http.get("/jobs", headers={"X-Request-Id": given.encode()})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/nope", "/api/v2/jobs", "/api/v1/jobs/x/y/z", "/api/%00"])
def test_an_unknown_path_is_a_problem(servers: Servers, path: str) -> None:
    problem(servers.http.get(f"{servers.url}{path}"), 404, "not_found")


@pytest.mark.parametrize("path", ["/", "/nope", "/%00"])
def test_elsewhere_it_is_an_error_as_clients_of_langgraph_read_it(servers: Servers, path: str) -> None:
    answer = servers.http.get(f"{servers.url}{path}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"detail"}


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/jobs"), ("PUT", "/uploads"), ("PATCH", "/workflows")])
def test_a_wrong_method_is_a_problem_and_says_which_are_right(servers: Servers, method: str, path: str) -> None:
    answer = servers.http.request(method, path)
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


def test_head_of_a_route_that_has_none_is_refused_without_a_body(servers: Servers) -> None:
    answer = servers.http.head("/jobs")
    assert (answer.status_code, answer.content) == (405, b"")
    # The connection is still in step.
    assert servers.http.get("/jobs").status_code == 200


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"])
def test_what_is_not_http_does_no_harm(servers: Servers, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", servers.port), timeout=5) as connection:
        connection.sendall(sent)
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert servers.http.get("/jobs").status_code == 200


def test_a_body_of_the_wrong_type_is_refused(servers: Servers) -> None:
    answer = servers.http.post("/jobs", content=b"workflow=noop", headers={"content-type": "text/plain"})
    problem(answer, 422, "invalid_request")


def test_metrics_are_served(servers: Servers) -> None:
    answer = servers.http.get(f"{servers.url}/metrics")
    assert answer.status_code == 200
    assert "process_resident_memory_bytes" in answer.text
