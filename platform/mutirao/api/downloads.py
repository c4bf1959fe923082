"""Files of users on their way out. A browser that is signed in must never take one for a page of this server."""

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote

from fastapi import Query
from fastapi.responses import StreamingResponse

# Shown by a browser as what they are, whatever is in them; all else is only saved.
_SHOWN = frozenset({
    "application/json", "application/pdf", "image/gif", "image/jpeg", "image/png", "image/webp", "text/csv",
    "text/markdown", "text/plain",
})  # fmt: skip
_PLAIN = "text/plain; charset=utf-8"
_NO_PAGE = "sandbox; default-src 'none'"
# A sandbox would keep the browser's own viewer out; what a PDF runs, it runs in there and not as a page.
_PDF = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'"

Inline = Annotated[
    bool, Query(description="To be shown by a browser, where its type is one that cannot run; all else is saved.")
]


def download(
    content: AsyncIterator[bytes],
    *,
    name: str,
    media_type: str,
    sha256: str,
    size: int | None = None,
    inline: bool = False,
) -> StreamingResponse:
    """A file as an answer: to be saved under its name or, with `inline` and when it is harmless, to be shown."""
    kind = media_type.partition(";")[0].strip().lower()
    shown = inline and kind in _SHOWN
    if shown and kind.startswith("text/"):
        media_type = _PLAIN
    headers = {
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(name.rpartition('/')[2])}",
        "ETag": f'"{sha256}"',
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": _PDF if shown and kind == "application/pdf" else _NO_PAGE,
        "Cache-Control": "private, no-cache",
    }
    if size is not None:
        headers["Content-Length"] = str(size)
    return StreamingResponse(content, media_type=media_type, headers=headers)
