"""Where this server is as a browser sees it, and whether a browser's request comes from a page of its own."""

import re
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from mutirao.errors import CrossOrigin

_PREFIX = "mutirao.prefix"
_PREFIX_HEADER = b"x-forwarded-prefix"
# Nothing that a browser could take for another host, for a parent folder, or for markup.
_SAFE_PREFIX = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+")
_LONGEST_PREFIX = 200
_HTTP = {"ws": "http", "wss": "https"}
_USUAL_PORT = {"http": ":80", "https": ":443"}
_SAFE_METHODS = ("GET", "HEAD")
_OF_OTHERS = ("cross-site", "same-site")


class BehindProxies(ProxyHeadersMiddleware):
    """What trusted proxies say of a request, taken over: the client's address and scheme, as uvicorn does, and besides
    the path under which they show this server (`X-Forwarded-Prefix`), whether they take it off the path or leave it."""

    def __init__(self, app: ASGIApp, trusted_hosts: list[str] | str = "127.0.0.1") -> None:
        told: Any = app  # uvicorn has types of its own for what starlette has, too
        super().__init__(told, trusted_hosts)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        client = scope.get("client")
        if scope["type"] != "lifespan" and (client[0] if client else None) in self.trusted_hosts:
            said = [value for name, value in scope["headers"] if name == _PREFIX_HEADER]
            prefix = safe_prefix(said[-1].decode("latin-1")) if said else ""
            if prefix:
                scope = {**scope, _PREFIX: prefix}
                if scope["path"].startswith(f"{prefix}/"):
                    raw = scope.get("raw_path") or b""
                    scope["path"] = scope["path"].removeprefix(prefix)
                    scope["raw_path"] = raw.removeprefix(prefix.encode())
        await super().__call__(scope, receive, send)


def safe_prefix(said: str) -> str:
    """A path that this server is shown under, without a slash at its end; empty when it is none, or not to be trusted."""
    path = said.strip().rstrip("/")
    return path if len(path) <= _LONGEST_PREFIX and _SAFE_PREFIX.fullmatch(path) else ""


def prefix_of(scope: Scope) -> str:
    """What stands before every path of this server as browsers see it; empty, or with a slash at its beginning only."""
    return scope.get(_PREFIX) or safe_prefix(scope.get("app_root_path", scope.get("root_path", "")))


def own_origin(scope: Scope, headers: Headers) -> str:
    """Scheme, host and port of this server as the request has them."""
    asked: str = scope.get("scheme", "http")
    scheme = _HTTP.get(asked, asked)
    host = headers.get("host", "").lower()
    return f"{scheme}://{host.removesuffix(_USUAL_PORT.get(scheme, ':'))}"


def is_own(scope: Scope, headers: Headers) -> bool:
    """Whether a browser says that a page of this server has sent this. No page can write these two headers itself."""
    return headers.get("sec-fetch-site") == "same-origin" or headers.get("origin") == own_origin(scope, headers)


def is_of_others(headers: Headers) -> bool:
    """Whether a browser says that a page of another origin has sent this. A program says nothing."""
    return headers.get("sec-fetch-site") in _OF_OTHERS


def is_secure(scope: Scope, headers: Headers) -> bool:
    """Whether the browser has come by https, be it that a proxy has not said so."""
    return own_origin(scope, headers).startswith("https:") or headers.get("origin", "").startswith("https:")


def check_own(scope: Scope, headers: Headers) -> None:
    """For requests that a browser proves by a cookie, which it sends along whoever asks it to. Raises CrossOrigin."""
    reads = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
    if is_of_others(headers) or not (reads or is_own(scope, headers)):
        raise CrossOrigin(
            f"a session is for pages of {own_origin(scope, headers)} only, and this request is not from one; send a key "
            "instead. Behind a proxy: it must pass on `Host` and, for https, `X-Forwarded-Proto`"
        )
