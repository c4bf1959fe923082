"""The asynchronous client takes the same steps as the other; and what both do when the API says when to come again."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from mutirao.client import AsyncClient, Client
from mutirao.client.connection import NotAnApi
from mutirao.errors import NotFound, PreconditionFailed, RateLimited, Unavailable
from mutirao.jobs.records import Artifact

from tests.unit.test_client_connection import JOB, KEY, Answer, event, gives, hangs_up, server, streams

pytestmark = pytest.mark.anyio

LATER = {"code": "rate_limited", "detail": "slow down"}


def busy(status: int, body: dict[str, Any], seconds: int = 0) -> Answer:
    """An answer that says when to come again."""
    content = json.dumps(body).encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Retry-After", str(seconds))
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


async def test_records_lists_and_errors_are_awaited() -> None:
    gone = {"code": "workflow_unknown", "status": 404, "detail": "no workflow 'x'"}
    pages = [{"jobs": [JOB, JOB], "next": "c1"}, {"jobs": [JOB], "next": None}]
    answers = (gives(200, JOB), gives(404, gone), *(gives(200, page) for page in pages), gives(200, {"odd": 1}))
    with server(*answers) as (url, seen):
        async with AsyncClient(url, KEY) as client:
            assert str((await client.job(JOB["id"])).id) == JOB["id"]
            with pytest.raises(NotFound, match="no workflow 'x'"):
                await client.workflow("x y/z")
            assert len(await client.jobs(workflow="w", states=["queued", "running"], limit=None)) == 3
            with pytest.raises(NotAnApi):
                await client.jobs()
    assert seen[1].path == "/api/v1/workflows/x%20y%2Fz"
    first, second = (parse_qs(urlsplit(request.path).query) for request in seen[2:4])
    assert first == {"workflow": ["w"], "state": ["queued", "running"], "limit": ["200"]}
    assert second == {**first, "cursor": ["c1"]}


async def test_rows_come_one_by_one_and_a_page_is_read_when_it_is_needed() -> None:
    with server(gives(200, {"jobs": [JOB, JOB], "next": "c1"}), gives(200, {"jobs": [JOB]})) as (url, seen):
        async with AsyncClient(url, KEY) as client:
            rows = client.jobs.each(limit=None)
            await anext(rows)
            assert len(seen) == 1
            assert len([row async for row in rows]) == 2
    some = gives(200, {"jobs": [{"id": "1", "state": "queued"}], "next": None})
    with server(some) as (url, seen), Client(url, KEY) as client:
        assert client.jobs.select(["id", "state"], limit=3) == [{"id": "1", "state": "queued"}]
    assert parse_qs(urlsplit(seen[0].path).query) == {"fields": ["id,state"], "limit": ["3"]}


async def test_following_goes_on_where_it_broke_off() -> None:
    broken = streams(event(1) + event(2) + b"id: 3\ndata: {half", cut=True)
    rest = streams(b": still here\n\n" + event(2) + event(3, "job.succeeded"))
    ended = gives(200, {**JOB, "state": "succeeded", "last_seq": 3})
    with server(gives(200, JOB), broken, hangs_up, rest, ended) as (url, seen):
        async with AsyncClient(url, KEY) as client:
            assert [found.seq async for found in client.follow(JOB["id"])] == [1, 2, 3]
    assert [request.headers["Last-Event-ID"] for request in seen[1:]] == ["0", "2", "2", None]


async def test_submissions_of_many_tasks_are_each_sent_again_with_their_own_key() -> None:
    with server(hangs_up, hangs_up, gives(202, JOB)) as (url, seen):
        async with AsyncClient(url, KEY) as client:
            await asyncio.gather(client.submit("w", {"n": 1}), client.submit("w", {"n": 2}))
    keys = [request.headers["Idempotency-Key"] for request in seen]
    assert (len(keys), len({*keys})) == (4, 2)


async def test_a_download_that_breaks_begins_anew_and_is_whole(tmp_path: Path) -> None:
    content = b"whole" * 1000
    found = Artifact(
        id=uuid4(), job_id=uuid4(), name="notes/a b.txt", media_type="text/plain", size=len(content),
        sha256=hashlib.sha256(content).hexdigest(), created_at=datetime.now(UTC),
    )  # fmt: skip
    with server(streams(content[:99], cut=True), gives(200, content)) as (url, seen):
        async with AsyncClient(url, KEY) as client:
            path = await client.download(found, tmp_path)
    assert (path.read_bytes(), len(seen)) == (content, 2)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["a b.txt"]


def test_a_call_that_was_refused_for_now_is_sent_again_when_the_api_says_so() -> None:
    with server(busy(429, LATER), busy(429, LATER), gives(200, JOB)) as (url, seen), Client(url, KEY) as client:
        assert client.pause(JOB["id"]).state == "running"
        assert len(seen) == 3
    away = busy(503, {"code": "unavailable"})
    with server(away, gives(200, JOB)) as (url, seen), Client(url, KEY) as client:
        assert client.job(JOB["id"]).state == "running"
    with server(away, gives(202, JOB)) as (url, seen), Client(url, KEY) as client:
        assert client.submit("w").state == "running"
        assert len({request.headers["Idempotency-Key"] for request in seen}) == 1


def test_what_may_have_been_done_and_what_takes_too_long_is_not_sent_again() -> None:
    away = busy(503, {"code": "unavailable"})
    with server(away) as (url, seen), Client(url, KEY) as client:
        with pytest.raises(Unavailable):
            client.pause(JOB["id"])
        assert len(seen) == 1
    with server(busy(429, LATER, 90)) as (url, seen), Client(url, KEY) as client:
        with pytest.raises(RateLimited) as refused:
            client.job(JOB["id"])
        assert (len(seen), refused.value.details["retry_after_seconds"]) == (1, 90)


def test_a_change_of_what_was_read_names_its_revision() -> None:
    changed = {"code": "precondition_failed", "detail": "somebody else was first"}
    with server(gives(412, changed)) as (url, seen), Client(url, KEY) as client, pytest.raises(PreconditionFailed):
        client.change_webhook(JOB["id"], revision=7, enabled=False)
    assert seen[0].headers["If-Match"] == '"7"'
