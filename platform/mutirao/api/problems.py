"""Errors as RFC 9457 problem details: `application/problem+json` with a stable `code`.

The routes of other protocols answer in their clients' shapes instead: LangGraph's `{"detail": …}`, OpenAI's
`{"error": {"message", …}}`, A2A's `{"jsonrpc", "id", "error": {"code", "message", …}}`.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from mutirao.api.doors.a2a_errors import a2a_error
from mutirao.api.doors.openai_errors import openai_error
from mutirao.api.openapi import amend
from mutirao.db.engine import connection_lost
from mutirao.errors import InvalidInput, MutiraoError, RateLimited
from mutirao.logs import logger

MEDIA_TYPE = "application/problem+json"
_log = logger("api")
_FRAME = {
    "type": "object",
    "description": "A server-sent event; `data` is JSON.",
    "properties": {name: {"type": "string"} for name in ("event", "data", "id")},
}
_MOST_ERRORS = 20  # of one wrong body that an answer lists
_MOST_CHARS = 200  # of one part of a path
_OWN_PATHS = ("/api/", "/mcp", "/v1/", "/livez", "/readyz", "/metrics")
_CARD = "/.well-known/agent-card.json"
_CODES = {404: "not_found", 405: "method_not_allowed", 401: "unauthorized", 400: "bad_request"}


class ProblemDetails(BaseModel):
    """What every error answers with."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="`urn:mutirao:problem:<code>`.")
    title: str = Field(description="The HTTP status in words.")
    status: int
    detail: str = Field(description="What was wrong and what to do, for people.")
    code: str = Field(description="Stable code, for programs.")
    request_id: str | None = Field(None, description="To find the request in the logs.")


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem answer; on a route of another protocol in the words of its clients."""
    challenge = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    given = {**challenge, **(headers or {})}
    path = request.scope["path"]
    if speaks_a2a(path):
        return a2a_error(status, code, detail, given)
    if speaks_langgraph(path):
        return JSONResponse({"detail": detail}, status_code=status, headers=given)
    if speaks_openai(path):
        return openai_error(status, code, detail, (extra or {}).get("errors"), given)
    body = {
        **(extra or {}),
        "type": f"urn:mutirao:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request.scope.get("request_id"),
    }
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=given)


def speaks_langgraph(path: str) -> bool:
    """Whether this path is one of the LangGraph protocol (or of nothing): all that is not our own."""
    return not path.startswith(_OWN_PATHS) and not speaks_a2a(path)


def speaks_a2a(path: str) -> bool:
    """Whether this path is one of the A2A door where methods are called; its cards are as the LangGraph protocol."""
    return path.startswith("/a2a/") and not path.endswith(_CARD)


def speaks_openai(path: str) -> bool:
    """Whether this path is one of the OpenAI door."""
    return path.startswith("/v1/")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of the errors a route may answer with; who needs a key may lack a scope or ask too often."""
    if HTTPStatus.UNAUTHORIZED in statuses:
        statuses += (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
    return {
        status: {
            "model": ProblemDetails,
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
        }
        for status in statuses
    }


class Detail(BaseModel):
    """What an error answers with on the routes of the LangGraph protocol."""

    detail: str = Field(description="What was wrong and what to do, for people.")


def details(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of the errors that a route of the LangGraph protocol may answer with."""
    return {status: {"model": Detail, "description": HTTPStatus(status).phrase} for status in statuses}


def _only_problems(document: dict[str, Any]) -> None:
    """FastAPI declares errors a second time, in the media type of the route's success; no route answers so."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                if MEDIA_TYPE in content:
                    response["content"] = {MEDIA_TYPE: content[MEDIA_TYPE]}


def _bodies(document: dict[str, Any]) -> None:
    """Whatever takes a body refuses one that cannot be read, or is too large; routes need not say so each."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if "requestBody" not in operation:
                continue
            name = _body_of(path)
            media_type = MEDIA_TYPE if name == "ProblemDetails" else "application/json"
            content = {media_type: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
            for status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
                said = {"description": status.phrase, "content": content}
                operation["responses"].setdefault(str(status.value), said)


def _body_of(path: str) -> str:
    """The name of the schema of errors on this path."""
    if speaks_a2a(path):
        return "RpcFailure"
    return "Detail" if speaks_langgraph(path) else "OpenAIError" if speaks_openai(path) else "ProblemDetails"


def _frames(document: dict[str, Any]) -> None:
    """A stream is described by what one of its frames is."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                if (stream := response.get("content", {}).get("text/event-stream")) is not None:
                    stream["schema"] = _FRAME


def install(app: FastAPI) -> None:
    """Answer every error as a problem, and say so in the OpenAPI document."""
    for change in (_only_problems, _bodies, _frames):
        amend(app, change)

    @app.exception_handler(MutiraoError)
    async def _ours(request: Request, error: MutiraoError) -> Response:
        headers = error.headers if isinstance(error, RateLimited) else None
        return problem(request, error.status, error.code, error.message, extra=error.details, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        misses = [
            {"path": _path(miss["loc"]), "message": miss["msg"], "code": miss["type"]}
            for miss in error.errors()[:_MOST_ERRORS]
        ]
        detail = "; ".join(f"{miss['path']}: {miss['message']}" for miss in misses[:5])
        return problem(request, 422, "invalid_request", detail, extra={"errors": misses})

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = _CODES.get(error.status_code, "http_error")
        detail = f"{request.method} {request.url.path}: {error.detail}"
        return problem(request, error.status_code, code, detail, headers=error.headers)

    @app.exception_handler(SQLAlchemyError)
    async def _database(request: Request, error: SQLAlchemyError) -> Response:
        reason = getattr(error, "orig", error)
        if isinstance(reason, psycopg.DataError) and "NUL" in str(reason):
            # The driver refuses it before PostgreSQL does.
            return problem(request, InvalidInput.status, InvalidInput.code, "text may not contain NUL characters")
        _log.error("api.database_error", error=str(reason), path=request.url.path)
        if not connection_lost(error):
            return problem(request, 500, "internal_error", "the database refused a statement; the log has the details")
        return problem(request, 503, "unavailable", "the database does not answer; nothing was accepted, try again")

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> Response:
        _log.error("api.unexpected_error", path=request.url.path, exc_info=error)
        return problem(request, 500, "internal_error", "an unexpected error; the log has it under this request id")


def _path(location: tuple[int | str, ...]) -> str:
    return "/" + "/".join(str(part)[:_MOST_CHARS] for part in location if part != "body")
