"""Errors in the shape that A2A's clients read: `{"jsonrpc", "id", "error": {"code", "message", "data"}}`."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from http import HTTPStatus
from typing import Any, Literal

import orjson
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from mutirao.errors import Conflict, InvalidInput, MutiraoError, NotFound, TooLarge

_MOST_MISSES = 5
_MOST_CHARS = 200  # of one part of a path


class Code(IntEnum):
    """What went wrong, as JSON-RPC and A2A number it."""

    UNREADABLE = -32700
    INVALID_REQUEST = -32600
    UNKNOWN_METHOD = -32601
    INVALID_PARAMS = -32602
    INTERNAL = -32603
    REFUSED = -32000  # by whoever stands before all doors: the HTTP status and `data.code` say why
    TASK_UNKNOWN = -32001
    NOT_CANCELABLE = -32002
    NO_PUSH_NOTIFICATIONS = -32003
    UNSUPPORTED = -32004
    CONTENT_TYPE = -32005
    NO_EXTENDED_CARD = -32007
    VERSION = -32009


# How 1.0 calls them in `data`, where it has a word for them.
_REASONS = {
    Code.TASK_UNKNOWN: "TASK_NOT_FOUND",
    Code.NOT_CANCELABLE: "TASK_NOT_CANCELABLE",
    Code.NO_PUSH_NOTIFICATIONS: "PUSH_NOTIFICATION_NOT_SUPPORTED",
    Code.UNSUPPORTED: "UNSUPPORTED_OPERATION",
    Code.CONTENT_TYPE: "CONTENT_TYPE_NOT_SUPPORTED",
    Code.NO_EXTENDED_CARD: "EXTENDED_AGENT_CARD_NOT_CONFIGURED",
    Code.VERSION: "VERSION_NOT_SUPPORTED",
}
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"

# Clients look at these before they read a body.
_BY_STATUS = {
    HTTPStatus.UNAUTHORIZED: Code.REFUSED,
    HTTPStatus.FORBIDDEN: Code.REFUSED,
    HTTPStatus.TOO_MANY_REQUESTS: Code.REFUSED,
    HTTPStatus.SERVICE_UNAVAILABLE: Code.REFUSED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Code.INVALID_REQUEST,
}


class RpcError(BaseModel):
    """What went wrong."""

    code: int = Field(description="Of JSON-RPC, or of A2A (-32001 to -32099).")
    message: str
    data: dict[str, Any] | list[dict[str, Any]] | None = Field(
        None, description="`code`: that of the native API. Version 1.0 has it in the `metadata` of an `ErrorInfo`."
    )


class RpcFailure(BaseModel):
    """Body of an error."""

    jsonrpc: Literal["2.0"] = "2.0"
    id: str | int | None = None
    error: RpcError


class Refusal(Exception):
    """Raised when a request is not done: A2A's number for why, and in `data` our own code (`why`)."""

    def __init__(
        self, code: Code, message: str, why: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = {**(details or {}), **({"code": why} if why else {})}

    @classmethod
    def of(cls, error: MutiraoError) -> "Refusal":
        """The same in A2A's numbers."""
        return cls(_code_of(error), error.message, error.code, error.details)


def wrong(error: ValidationError, code: Code) -> Refusal:
    """A refusal that names what does not fit, and where."""
    misses = [f"{path_of(miss['loc'])}: {miss['msg']}" for miss in error.errors()[:_MOST_MISSES]]
    return Refusal(code, "; ".join(misses), "invalid_request")


def path_of(location: Sequence[int | str]) -> str:
    """A place in a request."""
    return "/" + "/".join(str(part)[:_MOST_CHARS] for part in location)


def a2a_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of the errors a route may answer with; who needs a key may lack a scope or ask too often."""
    statuses += (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
    return {status: {"model": RpcFailure, "description": HTTPStatus(status).phrase} for status in statuses}


def failure(request_id: Any, refusal: Refusal, *, newer: bool = False) -> dict[str, Any]:
    """The body of an error; `newer`: in the words of 1.0."""
    data: Any = _typed(refusal) if newer else refusal.data
    error = {"code": int(refusal.code), "message": refusal.message}
    return {"jsonrpc": "2.0", "id": request_id, "error": error | ({"data": data} if data else {})}


def refused(request_id: Any, error: Refusal | MutiraoError, *, newer: bool = False) -> Response:
    """An answer about what was not done. It is a 200, as JSON-RPC has it, unless a client must see it before it reads."""
    if isinstance(error, Refusal):
        return _answer(failure(request_id, error, newer=newer), HTTPStatus.OK, {})
    status = HTTPStatus(error.status) if error.status in _BY_STATUS else HTTPStatus.OK
    return _answer(failure(request_id, Refusal.of(error), newer=newer), status, getattr(error, "headers", {}))


def a2a_error(status: int, code: str, detail: str, headers: Mapping[str, str]) -> Response:
    """An error answer of what stands before the door, with its HTTP status."""
    number = _BY_STATUS.get(HTTPStatus(status))
    if number is None:
        number = Code.INVALID_PARAMS if status < HTTPStatus.INTERNAL_SERVER_ERROR else Code.INTERNAL
    return _answer(failure(None, Refusal(number, detail, code)), status, headers)


def last_frame(message: str) -> bytes:
    """The last event of a stream whose key is over."""
    return b"data: %b\n\n" % orjson.dumps(failure(None, Refusal(Code.REFUSED, message, "unauthorized")))


def _typed(refusal: Refusal) -> list[dict[str, Any]]:
    why = refusal.data.get("code")
    reason = _REASONS.get(refusal.code) or str(why or refusal.code.name).upper()
    info = {"@type": _ERROR_INFO, "reason": reason, "domain": "a2a-protocol.org"}
    return [info | {"metadata": {"code": why} if why else {}}]


def _answer(body: dict[str, Any], status: int, headers: Mapping[str, str]) -> Response:
    return Response(orjson.dumps(body), status, dict(headers), "application/json")


def _code_of(error: MutiraoError) -> Code:
    if (known := _BY_STATUS.get(HTTPStatus(error.status))) is not None:
        return known
    if isinstance(error, TooLarge):
        return Code.INVALID_REQUEST
    if isinstance(error, InvalidInput | NotFound):
        return Code.INVALID_PARAMS
    return Code.UNSUPPORTED if isinstance(error, Conflict) else Code.INTERNAL
