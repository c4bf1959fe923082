"""From a problem the API answers with to the error class of the same `code`."""

from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from mutirao.errors import Conflict, InvalidInput, MutiraoError, NotFound, Unauthorized, Unavailable

_MEMBERS = frozenset({"type", "title", "status", "detail", "code"})
_KINDS: dict[int, type[MutiraoError]] = {
    HTTPStatus.UNAUTHORIZED: Unauthorized,
    HTTPStatus.FORBIDDEN: Unauthorized,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.BAD_REQUEST: InvalidInput,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: InvalidInput,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidInput,
    HTTPStatus.BAD_GATEWAY: Unavailable,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
    HTTPStatus.GATEWAY_TIMEOUT: Unavailable,
    HTTPStatus.INSUFFICIENT_STORAGE: Unavailable,
}


def error_of(status: int, body: Any) -> MutiraoError:
    """The error that an answer of this status and decoded body stands for.

    Its class is the one of `mutirao.errors` with the problem's code. A code that is not known here is kept, in a class
    derived from the one its status means, so that `except NotFound` works for every 404. `details` has the other
    members of the problem, among them `request_id`.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("code"), str):
        message = f"the API answered {status} {_phrase(status)} without saying why; is the URL that of a Mutirão API?"
        return _kind("http_error", status)(message, status=status)
    details = {name: value for name, value in body.items() if name not in _MEMBERS}
    error = _kind(body["code"], status)(str(body.get("detail") or _phrase(status)))
    error.details = details
    return error


@cache
def _kind(code: str, status: int) -> type[MutiraoError]:
    known = {kind.code: kind for kind in _tree(MutiraoError)}.get(code)
    if known is not None and known.status == status:
        return known
    base = _KINDS.get(status, MutiraoError)
    return type(base.__name__, (base,), {"code": code, "status": status, "__doc__": base.__doc__})


def _tree(kind: type[MutiraoError]) -> Iterator[type[MutiraoError]]:
    """`kind` and the errors of `mutirao.errors` below it."""
    if kind.__module__ == MutiraoError.__module__:
        yield kind
        for below in kind.__subclasses__():
            yield from _tree(below)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(unknown status)"
