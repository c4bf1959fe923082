"""The dashboard's page under `/ui/`: built files from a folder, read once, sent as they are.

The page is one document for all of its addresses; a file that there is answers by its name. What Vite has given a name
with a hash never changes, everything else is asked for again. The page may load nothing but what is here, and be in no
frame: whoever gets text into it that was meant to run finds nothing that runs it.
"""

import asyncio
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mutirao import dashboard
from mutirao.api.origins import prefix_of

_ASSETS = "assets/"
_BASE = b'<base href="/ui/"'
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_NOT_BUILT = "The dashboard is not built: in the repository `make dashboard` builds it. The API is not affected.\n"
# Best first: suffix of the file beside the other, and its name in HTTP.
_ENCODINGS = ((".br", "br"), (".gz", "gzip"))
METHODS = ("GET", "HEAD")
# Styles are put into the page by the editor and by the dialogs' scroll lock; no style can run anything.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'self'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_STRICT = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# The types of a machine's own list may be anybody's choice: a script of another type would not run.
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".html": "text/html",
          ".json": "application/json", ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json",
          ".wasm": "application/wasm", ".woff2": "font/woff2", ".ico": "image/x-icon", ".map": "application/json"}  # fmt: skip
_OF_TEXT = ("text/", "application/json", "application/manifest+json", "image/svg+xml")


@dataclass(frozen=True)
class _File:
    """A built file in each of the forms that there are of it, by their names in HTTP; as it is under ``""``."""

    media_type: str
    forms: Mapping[str, bytes]
    tag: str

    def best_for(self, accepted: str) -> tuple[str, bytes]:
        """The smallest form that a reader understands, and its name."""
        for _, name in _ENCODINGS:
            if name in self.forms and _accepts(accepted, name):
                return name, self.forms[name]
        return "", self.forms[""]


class Page:
    """Serves the page of a folder, and, when it was not built, says so. `chosen`: as for `dashboard.folder`."""

    def __init__(self, chosen: Path | None = None) -> None:
        self._chosen = chosen
        self._files: dict[str, _File] = {}
        self._mark: tuple[Path, int] | None = None
        self._reading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix(dashboard.PATH)
        if not path:
            return RedirectResponse(f"{prefix_of(scope)}{dashboard.PATH}/", 307)
        files = await self._read()
        if not files:
            return PlainTextResponse(_NOT_BUILT, 503, headers=_STRICT)
        name = path.removeprefix("/")
        found = files.get(name)
        if found is None and name.startswith(_ASSETS):
            # Of another version: the page must not get a document where it asks for a script.
            return PlainTextResponse("no such file\n", 404, headers={"Cache-Control": "no-store", **_STRICT})
        if found is None or name == dashboard.INDEX:
            return _index(files[dashboard.INDEX], scope)
        return _sent(found, scope, _FOR_EVER if name.startswith(_ASSETS) else _ASK_AGAIN)

    async def _read(self) -> Mapping[str, _File]:
        """The files as they were when the page was last built; empty when it was not."""
        async with self._reading:
            mark = _mark_of(self._chosen)
            if mark != self._mark:
                self._files = await asyncio.to_thread(_files_of, mark[0]) if mark is not None else {}
                self._mark = mark
            return self._files


class ToPage:
    """Leads a browser that asks for `/` to the page; all else goes on to `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["path"] == "/" and scope["method"] in METHODS
        if asked and "text/html" in Headers(scope=scope).get("accept", ""):
            await RedirectResponse(f"{prefix_of(scope)}{dashboard.PATH}/", 307)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _mark_of(chosen: Path | None) -> tuple[Path, int] | None:
    """What is another one when the page is built anew."""
    folder = dashboard.folder(chosen)
    return (folder, (folder / dashboard.INDEX).stat().st_mtime_ns) if folder is not None else None


def _files_of(folder: Path) -> dict[str, _File]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    compressed = {path for path in paths for suffix, _ in _ENCODINGS if path.suffix == suffix}
    return {path.relative_to(folder).as_posix(): _file(path) for path in paths if path not in compressed}


def _file(path: Path) -> _File:
    forms = {"": path.read_bytes()}
    for suffix, name in _ENCODINGS:
        beside = path.with_name(path.name + suffix)
        if beside.is_file():
            forms[name] = beside.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith(_OF_TEXT):
        kind += "; charset=utf-8"
    return _File(kind, forms, hashlib.sha256(forms[""]).hexdigest()[:32])


def _index(file: _File, scope: Scope) -> Response:
    """The page, told where it is: a proxy may show it under another path."""
    prefix = prefix_of(scope)
    base = f'<base href="{prefix}{dashboard.PATH}/"'.encode()
    told = _File(file.media_type, {"": file.forms[""].replace(_BASE, base)}, f"{file.tag}{prefix.replace('/', '.')}")
    return _sent(told, scope, _ASK_AGAIN)


def _sent(file: _File, scope: Scope, caching: str) -> Response:
    headers = Headers(scope=scope)
    encoding, content = file.best_for(headers.get("accept-encoding", ""))
    tag = f'"{file.tag}{"-" if encoding else ""}{encoding}"'
    more = {**_STRICT, "ETag": tag, "Cache-Control": caching, "Content-Type": file.media_type}
    if len(file.forms) > 1:
        more["Vary"] = "Accept-Encoding"
    if encoding:
        more["Content-Encoding"] = encoding
    if _has(headers.get("if-none-match", ""), tag):
        del more["Content-Type"]
        return Response(status_code=304, headers=more)
    answer = Response(content, headers=more)
    if scope["method"] == "HEAD":
        answer.body = b""
    return answer


def _accepts(accepted: str, encoding: str) -> bool:
    """Whether a reader says that it understands an encoding."""
    for part in accepted.split(","):
        name, _, rest = part.partition(";")
        if name.strip().lower() == encoding:
            return rest.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _has(known: str, tag: str) -> bool:
    """Whether a reader has this version already."""
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in known.split(","))
