"""The dashboard's page as the API serves it: one document for all addresses, files by their names, strict headers."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from mutirao import dashboard
from mutirao.api.app import create_app
from mutirao.api.origins import BehindProxies
from mutirao.settings import ApiSettings, Settings

pytestmark = pytest.mark.anyio

HTML = '<!doctype html><html><head><base href="/ui/" /><script src="assets/index-1a2b.js"></script></head></html>'
SCRIPT = "console.log('hello')\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page as Vite builds it."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(HTML, encoding="utf-8")
    (tmp_path / "favicon.svg").write_text("<svg/>", encoding="utf-8")
    script = tmp_path / "assets" / "index-1a2b.js"
    script.write_text(SCRIPT, encoding="utf-8")
    script.with_name("index-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    script.with_name("index-1a2b.js.br").write_bytes(b"as if by brotli")
    (tmp_path / "assets" / "font.woff2").write_bytes(b"wOF2")
    return tmp_path


@pytest.fixture
async def http(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(folder) as client:
        yield client


def client_of(folder: Path, address: str = "127.0.0.1") -> httpx.AsyncClient:
    app = create_app(Settings(api=ApiSettings(dashboard_dir=folder)))
    transport = httpx.ASGITransport(app=BehindProxies(app), client=(address, 1234))
    return httpx.AsyncClient(
        transport=transport, base_url="http://mutirao.example", headers={"Accept-Encoding": "identity"}
    )


@pytest.mark.parametrize(
    "path", ["/ui/", "/ui/jobs", "/ui/jobs/7b0c6f0e-8d7c", "/ui/sign-in", "/ui/none/such", "/ui/index.html"]
)
async def test_every_address_of_the_page_is_the_page(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.text) == (200, HTML)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    head = await http.head(path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(HTML)))
    known = await http.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", answer.headers["etag"])


async def test_the_page_may_load_nothing_of_others_and_be_in_no_frame(http: httpx.AsyncClient) -> None:
    for path in ("/ui/", "/ui/assets/index-1a2b.js", "/ui/assets/none.js", "/ui/favicon.svg"):
        headers = (await http.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "frame-ancestors 'none'" in policy
        assert "'unsafe-eval'" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]


async def test_files_with_a_hash_are_kept_for_ever_in_the_form_the_browser_takes(http: httpx.AsyncClient) -> None:
    place = "/ui/assets/index-1a2b.js"
    plain = await http.get(place)
    assert (plain.status_code, plain.text) == (200, SCRIPT)
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (plain.headers["vary"], "content-encoding" in plain.headers) == ("Accept-Encoding", False)
    packed = await http.get(place, headers={"Accept-Encoding": "gzip, deflate"})
    assert (packed.headers["content-encoding"], packed.text) == ("gzip", SCRIPT)
    none = await http.get(place, headers={"Accept-Encoding": "gzip;q=0, br;q=0"})
    assert "content-encoding" not in none.headers
    best = await http.head(place, headers={"Accept-Encoding": "gzip, br"})
    assert (best.headers["content-encoding"], best.headers["content-length"]) == ("br", str(len(b"as if by brotli")))
    assert len({plain.headers["etag"], packed.headers["etag"], best.headers["etag"]}) == 3
    font = await http.get("/ui/assets/font.woff2")
    assert (font.headers["content-type"], "vary" in font.headers) == ("font/woff2", False)


async def test_a_file_that_is_not_there_is_never_the_page(http: httpx.AsyncClient) -> None:
    for path in (
        "/ui/assets/index-0000.js",
        "/ui/assets/",
        "/ui/assets/..%2findex.html",
        "/ui/assets/index-1a2b.js.gz",
    ):
        answer = await http.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store"), path
    assert (await http.get("/ui/favicon.svg")).headers["cache-control"] == "no-cache"
    assert (await http.get("/ui/..%2f..%2fetc%2fpasswd")).text == HTML
    assert (await http.post("/ui/jobs")).status_code == 405


async def test_the_page_without_its_slash_is_led_there(http: httpx.AsyncClient) -> None:
    answer = await http.get("/ui")
    assert (answer.status_code, answer.headers["location"]) == (307, "/ui/")
    answer = await http.get("/ui", headers={"X-Forwarded-Prefix": "/team"})
    assert answer.headers["location"] == "/team/ui/"


async def test_behind_a_proxy_the_page_knows_where_it_is(http: httpx.AsyncClient) -> None:
    here = await http.get("/ui/jobs")
    there = await http.get("/ui/jobs", headers={"X-Forwarded-Prefix": "/team/mutirao/"})
    assert '<base href="/team/mutirao/ui/" />' in there.text
    assert there.headers["etag"] != here.headers["etag"]
    # One that leaves the prefix on the path.
    whole = await http.get("/team/mutirao/ui/jobs", headers={"X-Forwarded-Prefix": "/team/mutirao"})
    assert whole.text == there.text
    for wrong in ("//evil.example", '/"><script>', "javascript:x"):
        assert (await http.get("/ui/", headers={"X-Forwarded-Prefix": wrong})).text == HTML


async def test_a_prefix_is_taken_from_nobody_but_a_trusted_proxy(folder: Path) -> None:
    async with client_of(folder, address="203.0.113.7") as http:
        assert (await http.get("/ui/", headers={"X-Forwarded-Prefix": "/team"})).text == HTML


async def test_what_is_built_anew_is_served_at_once(http: httpx.AsyncClient, folder: Path) -> None:
    before = await http.get("/ui/")
    (folder / "index.html").write_text(HTML + "<!-- new -->", encoding="utf-8")
    after = await http.get("/ui/")
    assert after.text.endswith("<!-- new -->")
    assert after.headers["etag"] != before.headers["etag"]


async def test_a_page_that_was_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    async with client_of(tmp_path / "none") as http:
        for path in ("/ui/", "/ui/jobs", "/ui/assets/x.js"):
            answer = await http.get(path)
            assert answer.status_code == 503
            assert "make dashboard" in answer.text
        assert (await http.get("/livez")).status_code == 200


def test_the_folder_is_the_chosen_one_or_none(folder: Path, tmp_path: Path) -> None:
    assert dashboard.folder(folder) == folder
    assert dashboard.folder(tmp_path / "none") is None
