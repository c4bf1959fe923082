"""Routes of projects' own (`http.app` of a `langgraph.json`): what no route of the API answers is passed on to a worker
whose project has some. The API never imports them.

Whoever calls one needs a key, to read or to submit by the method, unless `MUTIRAO_PUBLIC_ROUTES` says that it is public.
"""

import re
import time
from collections.abc import AsyncIterator
from urllib.parse import unquote

import httpx
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mutirao.api.access import for_others
from mutirao.api.gate import IDENTITY, enter
from mutirao.api.scopes import of_own_route
from mutirao.errors import Unavailable
from mutirao.settings import ApiSettings
from mutirao.workers import WorkerStore

_KNOWN_SECONDS = 2.0
_HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "host",
}  # fmt: skip
_OURS = ("/api/", "/ui/")
_CONNECT_SECONDS = 5.0


class CustomRoutes:
    """Stands where a router says that it has no such route; `missing` says so when no live worker serves any."""

    def __init__(self, missing: ASGIApp, settings: ApiSettings) -> None:
        self._missing = missing
        self._public = tuple(part.strip().rstrip("/") for part in settings.public_routes.split(",") if part.strip("/ "))
        timeout = httpx.Timeout(settings.own_routes_seconds, connect=_CONNECT_SECONDS, pool=_CONNECT_SECONDS)
        limits = httpx.Limits(max_connections=settings.own_routes_connections)
        self._client = httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False, follow_redirects=False)
        self._known: tuple[float, list[str]] = (0.0, [])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_OURS) or _winds(scope):
            await self._missing(scope, receive, send)
            return
        places = await self._places(scope["app"].state.services.workers)
        rule = of_own_route(scope["method"])
        if not places or (rule is None and not self._is_public(scope["path"])):
            await self._missing(scope, receive, send)
        elif rule is None or IDENTITY in scope or self._is_public(scope["path"]):
            await self._pass_on(scope, receive, send)
        else:
            await enter(self._pass_on, rule, scope, receive, send)

    async def close(self) -> None:
        await self._client.aclose()

    def _is_public(self, path: str) -> bool:
        return any(path == prefix or path.startswith(f"{prefix}/") for prefix in self._public)

    async def _places(self, workers: WorkerStore) -> list[str]:
        until, places = self._known
        if until < time.monotonic():
            places = await workers.apps()
            self._known = (time.monotonic() + _KNOWN_SECONDS, places)
        return places

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._passed_on(Request(scope, receive), await self._places(scope["app"].state.services.workers))
        await answer(scope, receive, send)

    async def _passed_on(self, request: Request, places: list[str]) -> StreamingResponse:
        """The answer of the first worker that can be reached. Raises Unavailable."""
        headers = _headers(request.headers)
        body = request.stream() if {"content-length", "transfer-encoding"} & set(request.headers) else None
        path = request.scope.get("raw_path") or request.url.path.encode()
        query = request.scope.get("query_string") or b""
        # As it came: a URL would be normalised, and would then be another one than was judged.
        target = {"target": path + (b"?" + query if query else b"")}
        for place in places:
            asked = self._client.build_request(request.method, place, headers=headers, content=body, extensions=target)
            try:
                answer = await self._client.send(asked, stream=True)
            except httpx.ConnectError:
                continue  # nothing of the body has been read
            except httpx.HTTPError as error:
                raise Unavailable(f"the project's own routes do not answer: {error!r}") from error
            return _answer(answer)
        self._known = (0.0, [])
        raise Unavailable("no worker that serves the project's own routes can be reached")


def _winds(scope: Scope) -> bool:
    """Whether a path has parts that lead elsewhere, in any of the spellings that somebody behind this may read."""
    raw = unquote((scope.get("raw_path") or b"").decode("latin-1"))
    parts = (part for path in (scope["path"], raw, unquote(raw)) for part in re.split(r"[/\\]", path))
    return any(part in (".", "..") for part in parts)


def _headers(headers: Headers) -> list[tuple[str, str]]:
    """What is passed on. A key of the platform's is not, nor a browser's session."""
    passed = ((name, for_others(name, value)) for name, value in headers.items() if name not in _HOP_BY_HOP)
    return [(name, value) for name, value in passed if value is not None]


def _answer(answer: httpx.Response) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        async for part in answer.aiter_raw():
            yield part

    response = StreamingResponse(parts(), status_code=answer.status_code, background=BackgroundTask(answer.aclose))
    response.raw_headers = [
        (name.lower(), value) for name, value in answer.headers.raw if name.lower().decode("latin-1") not in _HOP_BY_HOP
    ]
    return response
