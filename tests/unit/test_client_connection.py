"""A client against servers and networks that behave badly: real sockets, nothing of ours behind them."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
from mutirao.client import Client
from mutirao.client.connection import Connection, ConnectionLost, NoConnection, NotAnApi, is_loopback
from mutirao.errors import Conflict, InvalidInput, NotFound, SettingsInvalid, Unauthorized, Unavailable

KEY = "mk_12345678.secret"
JOB = {
    "id": str(uuid4()), "thread_id": str(uuid4()), "workflow": "w", "version": "1", "queue": "default", "state": "running",
    "input": {}, "metadata": {}, "attempts": 1, "max_attempts": 3, "last_seq": 1, "created_at": "2026-01-01T00:00:00Z",
}  # fmt: skip
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(*answers: Answer) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """A server that gives these answers in turn, the last one again and again; and the requests it got."""
    seen: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            length = int(self.headers.get("content-length", 0))
            self.body = self.rfile.read(length)
            seen.append(self)
            answers[min(len(seen), len(answers)) - 1](self)

        def log_message(self, *args: Any) -> None: ...

    setattr(Handler, "do_GET", Handler.respond)  # noqa: B010 (names that only http.server may choose)
    setattr(Handler, "do_POST", Handler.respond)  # noqa: B010
    setattr(Handler, "do_PATCH", Handler.respond)  # noqa: B010

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", seen
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def gives(status: int, body: Any, kind: str = "application/json") -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def hangs_up(request: BaseHTTPRequestHandler) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)


def event(seq: int, kind: str = "custom") -> bytes:
    data = {"seq": seq, "attempt": 1, "type": kind, "data": {}, "at": datetime.now(UTC).isoformat()}
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def streams(content: bytes, *, cut: bool = False) -> Answer:
    """Server-sent events; `cut`: the connection breaks behind them."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        if cut:
            request.send_header("Content-Length", "100000")
        request.end_headers()
        request.wfile.write(content)

    return answer


def test_nothing_listening_is_said_at_once_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take it
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        for call in (lambda api: api.workers(), lambda api: api.submit("w"), lambda api: list(api.follow(uuid4()))):
            with Client(url, KEY) as client, pytest.raises(NoConnection, match="mutirao up") as refused:
                call(client)
            assert url in refused.value.message
        assert time.monotonic() - began < 5


def test_a_submission_is_sent_again_with_the_same_key_when_the_connection_breaks() -> None:
    with server(hangs_up, hangs_up, gives(202, JOB)) as (url, seen), Client(url, KEY) as client:
        assert str(client.submit("w", {"n": 1}).id) == JOB["id"]
    keys = {request.headers["Idempotency-Key"] for request in seen}
    assert (len(seen), len(keys)) == (3, 1)


def test_two_submissions_have_two_keys_and_a_given_key_is_used() -> None:
    with server(gives(202, JOB)) as (url, seen), Client(url, KEY) as client:
        client.submit("w")
        client.submit("w")
        client.submit("w", idempotency_key="mine")
    keys = [request.headers["Idempotency-Key"] for request in seen]
    assert len({*keys}) == 3
    assert keys[2] == "mine"


def test_patience_ends() -> None:
    with server(hangs_up) as (url, seen), Client(url, KEY, patience_seconds=0.4) as client:
        with pytest.raises(ConnectionLost):
            client.submit("w")
        assert len(seen) > 1


@pytest.mark.parametrize("value", [{"n": float("nan")}, {"n": object()}, {"n": {1, 2}}])
def test_an_input_that_is_not_json_is_refused_here(value: dict[str, Any]) -> None:
    with Client("http://127.0.0.1:9", KEY) as client, pytest.raises(InvalidInput, match="not JSON"):
        client.submit("w", value)


def test_following_goes_on_where_it_broke_off_and_shows_nothing_twice() -> None:
    broken = streams(event(1) + event(2) + b"id: 3\ndata: {half", cut=True)
    overlapping = streams(event(2) + event(3))  # ends without a terminal event
    rest = streams(b": still here\n\n" + event(4) + event(5, "job.succeeded"))
    ended = gives(200, {**JOB, "state": "succeeded", "last_seq": 5})
    answers = (gives(200, JOB), broken, hangs_up, overlapping, rest, ended)
    with server(*answers) as (url, seen), Client(url, KEY) as client:
        assert [found.seq for found in client.follow(JOB["id"])] == [1, 2, 3, 4, 5]
    assert [request.headers["Last-Event-ID"] for request in seen[1:]] == ["0", "2", "2", "3", None]


def test_following_goes_on_behind_an_end_that_was_retried() -> None:
    first = streams(event(1) + event(2, "job.failed"))
    again = streams(
        event(3, "job.retried") + event(4, "job.dead") + event(5, "job.retried") + event(6, "job.succeeded")
    )
    ended = gives(200, {**JOB, "state": "succeeded", "last_seq": 6})
    with server(gives(200, JOB), first, gives(200, JOB), again, ended) as (url, seen), Client(url, KEY) as client:
        assert [found.seq for found in client.follow(JOB["id"])] == [1, 2, 3, 4, 5, 6]
    assert len(seen) == 5


def test_a_submission_whose_first_try_is_in_flight_is_sent_again() -> None:
    in_flight = gives(409, {"code": "request_in_flight", "detail": "in a moment"})
    with server(in_flight, in_flight, gives(202, JOB)) as (url, seen), Client(url, KEY) as client:
        assert str(client.submit("w").id) == JOB["id"]
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
    with server(gives(409, {"code": "conflict"})) as (url, seen), Client(url, KEY) as client:
        with pytest.raises(Conflict):
            client.submit("w")
        assert len(seen) == 1


def test_following_ends_when_the_api_stays_away() -> None:
    away = gives(503, {"code": "unavailable"})
    with server(gives(200, JOB), streams(event(1)), away) as (url, _), Client(url, KEY, patience_seconds=0.4) as client:
        events = client.follow(JOB["id"])
        assert next(events).seq == 1
        with pytest.raises(Unavailable):
            next(events)


def test_a_job_that_has_ended_and_was_seen_to_its_end_has_nothing_more() -> None:
    ended = {**JOB, "state": "succeeded", "last_seq": 7}
    with server(gives(200, ended)) as (url, seen), Client(url, KEY) as client:
        assert list(client.follow(JOB["id"], after=7)) == []
        assert len(seen) == 1


def test_waiting_outlives_a_short_outage() -> None:
    ended = {**JOB, "state": "failed"}
    answers = (gives(200, JOB), hangs_up, gives(502, b"<html>"), gives(200, ended))
    with server(*answers) as (url, _), Client(url, KEY) as client:
        assert client.wait(JOB["id"]).state == "failed"


def test_an_error_keeps_its_class_and_another_server_is_recognised() -> None:
    gone = {"code": "workflow_unknown", "status": 404, "detail": "no workflow 'x'"}
    answers = (gives(404, gone), gives(200, b"<html>hello", "text/html"), gives(200, [1]))
    with server(*answers) as (url, _), Client(url, KEY) as client:
        with pytest.raises(NotFound, match="no workflow 'x'"):
            client.workflow("x")
        for _ in range(2):
            with pytest.raises(NotAnApi, match="is the URL that of a Mutirão API"):
                client.workflow("x")


def test_no_redirect_takes_the_key_elsewhere() -> None:
    def redirects(request: BaseHTTPRequestHandler) -> None:
        request.send_response(307)
        request.send_header("Location", "http://127.0.0.1:9/")
        request.send_header("Content-Length", "0")
        request.end_headers()

    with server(redirects) as (url, seen), Client(url, KEY) as client:
        with pytest.raises(Exception, match="307"):
            client.workers()
        assert len(seen) == 1


@pytest.mark.parametrize("url", ["", "foo", "ftp://host/", "http://", "http://[::1", "//host:1"])
def test_a_url_that_is_none_is_refused_and_named(url: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        Connection(url, KEY)
    assert repr(url) in refused.value.message


@pytest.mark.parametrize("key", ["", "a b", "tãb", "line\nbreak"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        Connection("http://127.0.0.1:9", key)
    assert not key or key not in refused.value.message


def test_loopback_goes_round_every_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with server(gives(200, [])) as (url, _), Client(url, KEY) as client:
        assert client.workers() == []
    assert [is_loopback(f"http://{host}:1") for host in ("localhost", "127.8.0.1", "[::1]", "10.0.0.1", "x.org")] == [
        True, True, True, False, False,
    ]  # fmt: skip
