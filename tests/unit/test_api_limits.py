"""The limit on bodies, and request ids, as any ASGI server sees them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from mutirao.api.limits import BodyLimit, RequestIds
from starlette.types import Message, Receive, Scope, Send

pytestmark = pytest.mark.anyio

LIMIT = 1000


class Client:
    """One request: sends the body in parts, keeps what comes back."""

    def __init__(self, parts: list[bytes], **headers: str) -> None:
        self.scope: Scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/x",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "query_string": b"",
        }
        self._parts: Iterator[bytes] = iter(parts)
        self._left = len(parts)
        self.received = 0
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        part = next(self._parts, b"")
        self._left -= 1
        self.received += len(part)
        return {"type": "http.request", "body": part, "more_body": self._left > 0}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        [start] = [message for message in self.sent if message["type"] == "http.response.start"]
        return int(start["status"])

    @property
    def problem(self) -> dict[str, Any]:
        body = b"".join(message.get("body", b"") for message in self.sent)
        found: dict[str, Any] = json.loads(body)
        return found


async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    more = True
    while more:
        more = (await receive())["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def swallows_errors(scope: Scope, receive: Receive, send: Send) -> None:
    """As frameworks do: whatever goes wrong while the body is read is a 400."""
    try:
        await reads_all(scope, receive, send)
    except Exception:  # noqa: BLE001 (what it stands for does just that)
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": b"bad"})


async def answers_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        more = (await receive())["more_body"]
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize("app", [reads_all, swallows_errors])
@pytest.mark.parametrize("parts", [[b"x" * LIMIT], [b"x"] * LIMIT, [], [b""]])
async def test_a_body_up_to_the_limit_passes(app: Any, parts: list[bytes]) -> None:
    client = Client(parts)
    await BodyLimit(app, lambda path: LIMIT)(client.scope, client.receive, client.send)
    assert client.status == 200


@pytest.mark.parametrize("app", [reads_all, swallows_errors])
async def test_a_body_without_a_length_is_read_no_further_than_the_limit(app: Any) -> None:
    client = Client([b"x" * 300] * 1000)
    await BodyLimit(app, lambda path: LIMIT)(client.scope, client.receive, client.send)
    assert client.status == 413
    assert client.problem["code"] == "too_large"
    assert client.problem["limit_bytes"] == LIMIT
    assert client.received == 1200


async def test_a_body_that_says_it_is_too_large_is_not_read_at_all() -> None:
    client = Client([b"x"], content_length=str(LIMIT + 1))
    await BodyLimit(reads_all, lambda path: LIMIT)(client.scope, client.receive, client.send)
    assert (client.status, client.received) == (413, 0)


@pytest.mark.parametrize("length", ["-5", "x", "", "1e9", "²"])
async def test_a_length_that_is_none_does_not_open_the_gate(length: str) -> None:
    client = Client([b"x" * 300] * 10)
    client.scope["headers"] = [(b"content-length", length.encode())]
    await BodyLimit(reads_all, lambda path: LIMIT)(client.scope, client.receive, client.send)
    assert client.status == 413


async def test_a_length_that_lies_does_not_help() -> None:
    client = Client([b"x" * 300] * 10, content_length="5")
    await BodyLimit(reads_all, lambda path: LIMIT)(client.scope, client.receive, client.send)
    assert client.status == 413


async def test_an_answer_that_has_begun_is_not_answered_twice() -> None:
    client = Client([b"x" * 300] * 10)
    with pytest.raises(Exception, match="larger than"):
        await BodyLimit(answers_at_once, lambda path: LIMIT)(client.scope, client.receive, client.send)
    assert [message["type"] for message in client.sent] == ["http.response.start"]


async def test_the_limit_is_that_of_the_path() -> None:
    client = Client([b"x" * 300])
    await BodyLimit(reads_all, lambda path: {"/api/x": 200}[path])(client.scope, client.receive, client.send)
    assert client.status == 413


async def test_other_connections_pass_untouched() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    client = Client([])
    for middleware in (BodyLimit(app, lambda path: 0), RequestIds(app)):
        await middleware({"type": "lifespan"}, client.receive, client.send)
    assert seen == ["lifespan", "lifespan"]


async def test_every_request_has_an_id_of_its_own() -> None:
    ids = set()
    for _ in range(3):
        client = Client([])
        await RequestIds(reads_all)(client.scope, client.receive, client.send)
        [(_, value)] = client.sent[0]["headers"]
        assert client.scope["request_id"] == value.decode()
        ids.add(value)
    assert len(ids) == 3
