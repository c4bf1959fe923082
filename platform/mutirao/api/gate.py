"""What stands before every route of every door: who is calling, whether it may, how often, and until when.

The identity is in the request's scope (`Caller` gives it to a route), the database is bound to its project while the
request runs, and the request is ended when its key is over: a stream, a long wait or a websocket, whoever serves it.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mutirao.api.doors.a2a_errors import last_frame
from mutirao.api.open_requests import OpenRequest, caller_of
from mutirao.api.problems import speaks_a2a
from mutirao.api.scopes import EVERY, OWN, Rule, needed
from mutirao.db.tenancy import bound_to
from mutirao.errors import MutiraoError, RateLimited, Unauthorized

if TYPE_CHECKING:
    from mutirao.api.services import Services

IDENTITY = "mutirao.identity"
OPENED = "mutirao.opened"
"""In the scope: the `OpenRequest`."""
_EVENTS = "text/event-stream"
_OVER = "the key or token has expired or was revoked while the request was open"
_POLICY_VIOLATION = 1008  # close code of a websocket
_LAST_WORD_SECONDS = 1.0
# What an answer says unless its route says otherwise. A browser keeps nothing of what a session was shown.
_USUAL = {"X-Content-Type-Options": "nosniff"}
_TO_BROWSERS = _USUAL | {"Cache-Control": "no-store"}


class Gate:
    """Lets requests pass by the table of `mutirao.api.scopes`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        rule = needed(scope.get("method", "WEBSOCKET"), scope["path"])
        if rule is None or rule.scope is None:  # a project's own routes ask for their caller behind it: `CustomRoutes`
            await self.app(scope, receive, send)
            return
        await enter(self.app, rule, scope, receive, send)


async def enter(app: ASGIApp, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
    """Let a request pass to `app` when its caller may do what `rule` says; answer with the refusal otherwise."""
    services: Services = scope["app"].state.services
    try:
        assert rule.scope is not None
        identity = await services.access.identify(scope)
        headers = await services.rate_limits.take(str(caller_of(identity)), rule.limit)
        if rule.scope != EVERY:
            identity.need(rule.scope)
    except Exception as error:  # noqa: BLE001 (what answers to errors of routes stands behind this)
        await refuse(scope, receive, send, error)
        return
    scope[IDENTITY] = identity
    with services.open_requests.entered(identity) as opened, bound_to(identity.project_id):
        scope[OPENED] = opened
        if identity.user is not None and rule.path != OWN:
            try:
                receive = await services.own_rules.apply(scope, receive, identity)
            except Exception as error:  # noqa: BLE001 (as above)
                await refuse(scope, receive, send, error)
                return
        usual = _USUAL if identity.session_id is None else _TO_BROWSERS
        passage = _Passage(app, services, opened, headers, usual if rule.path != OWN else {})
        await passage.run(scope, receive, send)


class _Passage:
    """One request that was let in."""

    def __init__(
        self,
        app: ASGIApp,
        services: "Services",
        opened: OpenRequest,
        headers: Mapping[str, str],
        usual: Mapping[str, str],
    ) -> None:
        self.app = app
        self.services = services
        self.opened = opened
        self.headers = headers
        self.usual = usual
        self.media_type: str | None = None
        """Of the answer, once it has begun."""
        self.refused: MutiraoError | None = None

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            kind = message["type"]
            if kind == "http.response.start":
                self._begin(message)
            elif kind == "websocket.accept":
                self._count_stream()
                self.media_type = kind
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except asyncio.CancelledError:
            if not self.opened.cut:
                raise
            self.opened.task.uncancel()
            await self._end(scope, receive, send)
        except Exception:
            if self.refused is None:
                raise
            await refuse(scope, receive, send, self.refused)

    def _begin(self, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        if headers.get("content-type", "").startswith(_EVENTS):
            self._count_stream()
        for name, value in self.headers.items():
            headers[name] = value
        for name, value in self.usual.items():
            headers.setdefault(name, value)
        self.media_type = headers.get("content-type", "")

    def _count_stream(self) -> None:
        """Raises RateLimited, out of the application, when this stream is one too many."""
        try:
            check_streams(self.services, self.opened)
        except RateLimited as refused:
            self.refused = refused
            raise
        self.opened.streams += 1

    async def _end(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The last word of a request that is ended: never a connection that hangs."""
        if self.media_type is None:
            await refuse(scope, receive, send, Unauthorized(_OVER))
            return
        last: Message | None = None
        if scope["type"] == "websocket":
            last = {"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "unauthorized"}
        elif self.media_type.startswith(_EVENTS):
            last = {"type": "http.response.body", "body": _last_event(scope["path"]), "more_body": False}
        # Any other body has been promised whole: it breaks off, so that nobody takes it for the whole.
        if last is not None:
            try:
                async with asyncio.timeout(_LAST_WORD_SECONDS):  # a reader that has stopped reading is not waited for
                    await send(last)
            except (TimeoutError, OSError):
                return


def check_streams(services: "Services", opened: OpenRequest) -> None:
    """Raises RateLimited when one more stream of this caller would be too many."""
    most = services.settings.access.max_streams
    if most and services.open_requests.streams_of(opened.identity) >= most:
        raise RateLimited(
            f"this key has {most} streams open; close one, or raise MUTIRAO_MAX_STREAMS", headers={"Retry-After": "5"}
        )


def _last_event(path: str) -> bytes:
    if path.startswith("/api/"):
        return f": {_OVER}\n\n".encode()
    if speaks_a2a(path):
        return last_frame(_OVER)
    return f'event: error\ndata: {{"error": "Unauthorized", "message": "{_OVER}"}}\n\n'.encode()


async def refuse(scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
    """Answer with an error as the application's own handlers do."""
    if scope["type"] == "websocket":
        status, detail = getattr(error, "status", 500), getattr(error, "message", "an unexpected error")
        await JSONResponse({"detail": detail}, status_code=status)(scope, receive, send)
        return
    handlers: Mapping[Any, Any] = scope["app"].exception_handlers
    handler = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
    response = await handler(Request(scope), error)
    await response(scope, receive, send)
