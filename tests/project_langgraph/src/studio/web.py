"""Routes of the project's own."""

from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


async def hello(request: Request) -> Response:
    return JSONResponse({"hello": request.path_params["name"], "query": dict(request.query_params)})


async def echo(request: Request) -> Response:
    words = (await request.body()).split()

    async def parts() -> AsyncIterator[bytes]:
        for word in words:
            yield word + b" "

    return StreamingResponse(parts(), status_code=201, headers={"X-Kind": request.headers.get("x-kind", "-")})


async def headers(request: Request) -> Response:
    return JSONResponse(dict(request.headers))


app = Starlette(
    routes=[
        Route("/studio/hello/{name}", hello),
        Route("/studio/echo", echo, methods=["POST"]),
        Route("/studio/headers", headers),
        Route("/studio/public", headers),
    ]
)
