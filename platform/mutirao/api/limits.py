"""What stands before every route: a request id, and a limit on the size of bodies."""

import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog import contextvars

from mutirao.api.problems import problem
from mutirao.errors import TooLarge
from mutirao.logs import logger

_log = logger("api")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Gives every request an id (the caller's `X-Request-Id` where it is sane), in its answer and its log lines."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        scope["request_id"] = request_id
        began = time.perf_counter()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
                milliseconds = round((time.perf_counter() - began) * 1000, 1)
                _log.debug(
                    "api.request", method=scope["method"], path=scope["path"], status=message["status"], ms=milliseconds
                )
            await send(message)

        with contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, answer)


class BodyLimit:
    """Refuses bodies over a limit: at once by their `Content-Length`, else as soon as too much has come.

    `limit_of` gives the limit in bytes for a path.
    """

    def __init__(self, app: ASGIApp, limit_of: Callable[[str], int]) -> None:
        self.app = app
        self.limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit_of(scope["path"])
        length = Headers(scope=scope).get("content-length", "")
        if length.isdigit() and int(length) > limit:
            await self._refuse(scope, receive, send, limit)
            return
        received, started = 0, False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise TooLarge(_message(limit))
            return message

        async def answer(message: Message) -> None:
            nonlocal started
            # What reads the body may answer to the error above in its own words: ours is sent instead.
            if started or received <= limit:
                started = True
                await send(message)

        try:
            await self.app(scope, counted, answer)
        except TooLarge:
            if started:
                raise
        if received > limit and not started:
            await self._refuse(scope, receive, send, limit)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        answer = problem(Request(scope), TooLarge.status, TooLarge.code, _message(limit), extra={"limit_bytes": limit})
        answer.headers["Connection"] = "close"
        await answer(scope, receive, send)


def _message(limit: int) -> str:
    return (
        f"the body is larger than {limit} bytes; send less, or raise MUTIRAO_MAX_BODY_BYTES or MUTIRAO_MAX_UPLOAD_BYTES"
    )
