"""Errors in the shape that OpenAI's clients read: `{"error": {"message", "type", "param", "code"}}`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from starlette.responses import JSONResponse

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class ErrorDetails(BaseModel):
    """What went wrong, as OpenAI says it."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class OpenAIError(BaseModel):
    """Body of an error."""

    error: ErrorDetails


def openai_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of the errors a route may answer with; who needs a key may lack a scope or ask too often."""
    if HTTPStatus.UNAUTHORIZED in statuses:
        statuses += (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
    return {status: {"model": OpenAIError, "description": HTTPStatus(status).phrase} for status in statuses}


def error_body(message: str, status: int, code: str, param: str | None = None) -> dict[str, Any]:
    """The body of an error."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def openai_error(
    status: int, code: str, detail: str, errors: Sequence[Mapping[str, Any]] | None, headers: Mapping[str, str]
) -> JSONResponse:
    """An error answer. A request that is wrong (`errors` has where) is 400 there."""
    param = None
    if errors and code == "invalid_request":
        status, param = 400, str(errors[0]["path"]).strip("/").replace("/", ".")
    return JSONResponse(error_body(detail, status, code, param), status_code=status, headers=dict(headers))
