"""Files of users on their way to a browser that is signed in: none of them is ever taken for a page."""

from collections.abc import AsyncIterator

import pytest
from mutirao.api.downloads import download

SANDBOX = "sandbox; default-src 'none'"


async def nothing() -> AsyncIterator[bytes]:
    yield b""


@pytest.mark.parametrize(
    "media_type",
    [
        "text/html", "text/html; charset=utf-8", "TEXT/HTML", "image/svg+xml", "application/xhtml+xml", "text/xml",
        "application/xml", "text/javascript", "application/javascript", "text/css", "multipart/related", "",
        "application/x-shockwave-flash", "application/octet-stream", "text/html,text/plain", "text/vtt",
    ],
)  # fmt: skip
@pytest.mark.parametrize("inline", [False, True])
def test_what_could_run_is_only_saved(media_type: str, inline: bool) -> None:
    headers = download(nothing(), name="a/b.html", media_type=media_type, sha256="0", inline=inline).headers
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''b.html"
    assert headers["content-security-policy"] == SANDBOX
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("media_type", "shown"),
    [
        ("text/markdown", "text/plain; charset=utf-8"), ("Text/Plain; charset=latin-1", "text/plain; charset=utf-8"),
        ("application/json", "application/json"), ("image/png", "image/png"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_shown_when_that_is_asked_for(media_type: str, shown: str) -> None:
    headers = download(nothing(), name="b", media_type=media_type, sha256="0", inline=True).headers
    assert headers["content-disposition"].startswith("inline")
    assert headers["content-type"] == shown
    assert headers["content-security-policy"] == SANDBOX
    saved = download(nothing(), name="b", media_type=media_type, sha256="0").headers
    assert saved["content-disposition"].startswith("attachment")


def test_a_document_s_viewer_is_let_in_and_nothing_else() -> None:
    policy = download(nothing(), name="b", media_type="application/pdf", sha256="0", inline=True).headers[
        "content-security-policy"
    ]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("name", ['a"; filename=b.html', "a\r\nSet-Cookie: x=y", "ü.html", "../../x.html"])
def test_a_name_stays_a_name(name: str) -> None:
    value = download(nothing(), name=name, media_type="text/html", sha256="0").headers["content-disposition"]
    assert value.startswith("attachment; filename*=UTF-8''")
    assert not set('"\r\n/;') & set(value.partition("''")[2])
