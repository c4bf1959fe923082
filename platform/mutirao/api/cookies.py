"""The cookie of a browser's session: read, set, cleared, and kept from others."""

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import Response

from mutirao.api.origins import is_secure, prefix_of

NAME = "mutirao_session"


def session_token(headers: Headers) -> str | None:
    """The token of a session that the browser sends, None when it sends none."""
    sent = headers.get("cookie")
    return (cookie_parser(sent).get(NAME) or None) if sent and NAME in sent else None


def set_session(request: Request, response: Response, token: str, seconds: float) -> None:
    """Let the browser keep the session for so long. No script can read it, and no other site's page sends it."""
    _set(request, response, token, int(seconds))


def clear_session(request: Request, response: Response) -> None:
    """Let the browser forget the session."""
    _set(request, response, "", 0)


def without_session(cookies: str) -> str:
    """The cookies of a request for others to see: without ours."""
    parts = [part.strip() for part in cookies.split(";")]
    return "; ".join(part for part in parts if part and part.partition("=")[0].strip() != NAME)


def _set(request: Request, response: Response, value: str, seconds: int) -> None:
    response.set_cookie(
        NAME,
        value,
        max_age=seconds,
        path=prefix_of(request.scope) or "/",
        secure=is_secure(request.scope, request.headers),
        httponly=True,
        samesite="strict",
    )
