"""Routes of projects' own (`http.app` of a `langgraph.json`): what no route of the API answers is passed on to a worker
whose project has some. The API never imports them."""

import time
from collections.abc import AsyncIterator

import httpx
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mutirao.errors import Unavailable
from mutirao.workers import WorkerStore

_KNOWN_SECONDS = 2.0
_HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "host",
}  # fmt: skip
_KEY = "mk_"  # how keys of the platform begin
_OURS = ("/api/", "/console")
_TIMEOUT = httpx.Timeout(None, connect=5.0)


class CustomRoutes:
    """Stands where a router says that it has no such route; `missing` says so when no live worker serves any."""

    def __init__(self, missing: ASGIApp) -> None:
        self._missing = missing
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, follow_redirects=False)
        self._known: tuple[float, list[str]] = (0.0, [])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_OURS):
            await self._missing(scope, receive, send)
            return
        request = Request(scope, receive)
        places = await self._places(request.app.state.services.workers)
        if not places:
            await self._missing(scope, receive, send)
            return
        answer = await self._passed_on(request, places)
        await answer(scope, receive, send)

    async def close(self) -> None:
        await self._client.aclose()

    async def _places(self, workers: WorkerStore) -> list[str]:
        until, places = self._known
        if until < time.monotonic():
            places = await workers.apps()
            self._known = (time.monotonic() + _KNOWN_SECONDS, places)
        return places

    async def _passed_on(self, request: Request, places: list[str]) -> StreamingResponse:
        """The answer of the first worker that can be reached. Raises Unavailable."""
        headers = _headers(request.headers)
        body = request.stream() if {"content-length", "transfer-encoding"} & set(request.headers) else None
        path = request.scope.get("raw_path") or request.url.path.encode()
        target = path.decode("latin-1") + (f"?{request.url.query}" if request.url.query else "")
        for place in places:
            asked = self._client.build_request(request.method, place + target, headers=headers, content=body)
            try:
                answer = await self._client.send(asked, stream=True)
            except httpx.ConnectError:
                continue  # nothing of the body has been read
            except httpx.HTTPError as error:
                raise Unavailable(f"the project's own routes do not answer: {error!r}") from error
            return _answer(answer)
        self._known = (0.0, [])
        raise Unavailable("no worker that serves the project's own routes can be reached")


def _headers(headers: Headers) -> list[tuple[str, str]]:
    """What is passed on. A key of the platform's is not."""
    return [
        (name, value)
        for name, value in headers.items()
        if name not in _HOP_BY_HOP and _KEY not in (value[:3], value.removeprefix("Bearer ")[:3])
    ]


def _answer(answer: httpx.Response) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        async for part in answer.aiter_raw():
            yield part

    response = StreamingResponse(parts(), status_code=answer.status_code, background=BackgroundTask(answer.aclose))
    response.raw_headers = [
        (name.lower(), value) for name, value in answer.headers.raw if name.lower().decode("latin-1") not in _HOP_BY_HOP
    ]
    return response
