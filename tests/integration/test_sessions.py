"""Browsers: signed in with a key or a link, known by a cookie, kept from pages of others, gone with their key."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from mutirao.api.access import for_others
from mutirao.api.cookies import without_session
from mutirao.api.origins import safe_prefix
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.integration.test_keys import CLOSED_WITHIN_SECONDS, Reader, make
from tests.servers import Servers

pytestmark = pytest.mark.integration

UNKNOWN = "00000000-0000-0000-0000-000000000000"


def nobody(servers: Servers) -> httpx.Client:
    """A browser that is not signed in."""
    return httpx.Client(base_url=f"{servers.url}/api/v1", timeout=30, trust_env=False)


@contextlib.contextmanager
def signed_in(servers: Servers, key: str | None = None) -> Iterator[httpx.Client]:
    """A browser that is; it shows a page of the API's own origin."""
    with nobody(servers) as client:
        answer = client.post("/session", json={"key": key or servers.key})
        assert answer.status_code == 201, answer.text
        client.headers["Origin"] = servers.url
        yield client


def test_a_key_begins_a_session_that_is_known_by_a_cookie(servers: Servers) -> None:
    made = make(servers, "read", "submit")
    with nobody(servers) as client:
        answer = client.post("/session", json={"key": made["key"]})
        assert answer.status_code == 201
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("mutirao_session=")
        for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
            assert part.lower() in cookie.lower()
        assert "secure" not in cookie.lower()
        view = client.get("/session").json()
        assert view == {**answer.json(), "expires_at": view["expires_at"]}
        assert view["subject"] == f"key:{made['prefix']}"
        assert view["scopes"] == ["read", "submit"]
        assert view["project"] == {"id": servers.http.get("/project").json()["id"], "name": "default"}
        assert (view["version"], view["demo"]) == (servers.http.get(f"{servers.url}/livez").json()["version"], False)
        assert client.get("/jobs").status_code == 200
        assert client.get("/keys").json()["scope"] == "admin"


def test_everybody_who_is_known_may_ask_who_it_is(servers: Servers) -> None:
    for scope in ("read", "submit", "approve", "admin"):
        made = make(servers, scope)
        view = servers.http.get("/session", headers={"Authorization": f"Bearer {made['key']}"})
        assert (view.status_code, view.json()["scopes"], view.json()["expires_at"]) == (200, [scope], None)
    with nobody(servers) as client:
        assert client.get("/session").json()["code"] == "unauthorized"
        assert client.post("/session/links").json()["code"] == "unauthorized"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"key": "mk_00000000.wrong"}, 401, "unauthorized"),
        ({"key": "no key"}, 401, "unauthorized"),
        ({"link": "no-link"}, 401, "link_spent"),
        ({}, 422, "invalid_request"),
        ({"key": "mk_00000000.wrong", "link": "x"}, 422, "invalid_request"),
        ({"key": "mk_00000000.wrong", "remember": True}, 422, "invalid_request"),
    ],
)
def test_what_is_wrong_begins_no_session(servers: Servers, body: dict[str, Any], status: int, code: str) -> None:
    with nobody(servers) as client:
        answer = client.post("/session", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "set-cookie" not in answer.headers


def test_a_link_signs_in_once_with_the_rights_of_its_key(servers: Servers) -> None:
    made = make(servers, "read")
    made_link = servers.http.post("/session/links", headers={"Authorization": f"Bearer {made['key']}"})
    link = made_link.json()
    assert (made_link.status_code, made_link.headers["cache-control"]) == (201, "no-store")
    assert link["url"] == f"{servers.url}/ui/sign-in#{link['token']}"
    with nobody(servers) as client:
        view = client.post("/session", json={"link": link["token"]})
        assert (view.status_code, view.json()["scopes"]) == (201, ["read"])
        assert client.get("/jobs").status_code == 200
        again = client.post("/session", json={"link": link["token"]})
        assert (again.status_code, again.json()["code"]) == (401, "link_spent")


def test_a_link_is_good_for_a_short_time_and_as_long_as_its_key(servers: Servers) -> None:
    late = servers.http.post("/session/links").json()["token"]
    servers.sql("UPDATE sign_in_links SET expires_at = now() - interval '1 second'")
    made = make(servers, "read")
    revoked = servers.http.post("/session/links", headers={"Authorization": f"Bearer {made['key']}"}).json()["token"]
    servers.http.delete(f"/keys/{made['id']}")
    with nobody(servers) as client:
        for token in (late, revoked):
            assert client.post("/session", json={"link": token}).json()["code"] == "link_spent"


def test_a_session_makes_links_too(servers: Servers) -> None:
    with signed_in(servers) as client:
        token = client.post("/session/links").json()["token"]
        with nobody(servers) as phone:
            assert phone.post("/session", json={"link": token}).status_code == 201


def test_other_pages_change_nothing(servers: Servers) -> None:
    job = {"workflow": "noop", "input": {"n": 1}}
    with signed_in(servers) as client:
        assert client.post("/jobs", json=job).status_code == 202
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": servers.url.replace("127.0.0.1", "localhost")},
            {"Origin": f"http://127.0.0.1:{servers.port + 1}", "Sec-Fetch-Site": "same-site"},
            {"Origin": servers.url.replace("http:", "https:")},
        ):
            answer = client.post("/jobs", json=job, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin"), headers
        del client.headers["Origin"]
        assert client.post("/jobs", json=job).json()["code"] == "cross_origin"
        assert client.post("/jobs", json=job, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 202
        # Who sends a key proves it, whatever page it is.
        key = {"Authorization": f"Bearer {servers.key}", "Origin": "https://evil.example"}
        assert client.post("/jobs", json=job, headers=key).status_code == 202


def test_every_door_asks_where_a_session_comes_from(servers: Servers) -> None:
    with signed_in(servers) as client:
        evil = {"Origin": "https://evil.example"}
        assert client.post(f"{servers.url}/threads", json={}).status_code == 200
        assert client.post(f"{servers.url}/threads", json={}, headers=evil).status_code == 403
        assert client.post(f"{servers.url}/mcp", json={}, headers=evil).status_code == 403
        assert client.post(f"{servers.url}/a2a/echo_chat", json={}, headers=evil).status_code == 403
        assert client.delete("/session", headers=evil).status_code == 403
        assert client.get("/jobs", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert client.get("/jobs", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
        cookie = {"Cookie": f"mutirao_session={client.cookies['mutirao_session']}"}
    thread = servers.http.post(f"{servers.url}/threads", json={}).json()["thread_id"]
    place = f"{servers.url.replace('http', 'ws')}/threads/{thread}/stream/events"
    with connect(place, additional_headers=cookie, origin=servers.url, proxy=None):  # type: ignore[arg-type]
        pass
    for origin in ("https://evil.example", None):
        with (
            pytest.raises(InvalidStatus, match="403"),
            connect(place, additional_headers=cookie, origin=origin, proxy=None),  # type: ignore[arg-type]
        ):
            pass


def test_no_other_page_signs_a_browser_in(servers: Servers) -> None:
    with nobody(servers) as client:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
            answer = client.post("/session", json={"key": servers.key}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")
        assert client.post("/session", json={"key": servers.key}, headers={"Origin": servers.url}).status_code == 201


def test_behind_a_proxy_the_cookie_is_where_the_browser_is(servers: Servers) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/team/mutirao", "Host": "agents.example"}
    with nobody(servers) as client:
        answer = client.post("/session", json={"key": servers.key}, headers=forwarded)
        cookie = answer.headers["set-cookie"].lower()
        assert "path=/team/mutirao;" in cookie
        assert "secure" in cookie
    link = servers.http.post("/session/links", headers=forwarded).json()
    assert link["url"].startswith("https://agents.example/team/mutirao/ui/sign-in#")


def test_signing_out_ends_the_session_and_what_it_has_open(servers: Servers) -> None:
    with signed_in(servers) as client, signed_in(servers) as other:
        token = client.cookies["mutirao_session"]
        job = servers.submit("sleep", {"seconds": 60, "witness": str(servers.folder / "signed-out")})
        stream = Reader(client, f"/jobs/{job}/events")
        stream.start()
        assert stream.begun.wait(10)
        began = time.monotonic()
        answer = client.delete("/session")
        assert answer.status_code == 204
        assert "max-age=0" in answer.headers["set-cookie"].lower()
        stream.join(20)
        assert stream.ended_at - began < CLOSED_WITHIN_SECONDS
        with nobody(servers) as client_again:
            refused = client_again.get("/jobs", headers={"Cookie": f"mutirao_session={token}"})
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert other.get("/jobs").status_code == 200
        assert servers.http.delete("/session").status_code == 204
        assert servers.http.get("/jobs").status_code == 200
        servers.http.post(f"/jobs/{job}/cancel")


@pytest.mark.parametrize("how", ["revoked", "expired", "its session has expired"])
def test_a_session_ends_with_its_key(servers: Servers, how: str) -> None:
    made = make(servers, "read")
    job = servers.submit("sleep", {"seconds": 60, "witness": str(servers.folder / "session")})
    with signed_in(servers, made["key"]) as client:
        stream = Reader(client, f"/jobs/{job}/events")
        stream.start()
        assert stream.begun.wait(10)
        began = time.monotonic()
        if how == "revoked":
            servers.http.delete(f"/keys/{made['id']}")
        elif how == "expired":
            servers.sql("UPDATE api_keys SET expires_at = now() WHERE id = %s", made["id"])
        else:
            servers.sql("UPDATE sessions SET expires_at = now() WHERE key_id = %s", made["id"])
        stream.join(20)
        assert stream.ended_at - began < CLOSED_WITHIN_SECONDS
        servers.until(lambda: client.get("/session").status_code == 401, "the session is refused")
    servers.http.post(f"/jobs/{job}/cancel")


def test_a_session_that_is_used_goes_on(servers: Servers) -> None:
    made = make(servers, "read")
    with signed_in(servers, made["key"]) as client:
        servers.sql(
            "UPDATE sessions SET expires_at = now() + interval '1 minute', last_used_at = now() - interval '1 hour'"
            " WHERE key_id = %s",
            made["id"],
        )
        servers.until(
            lambda: client.get("/jobs").status_code == 200 and _hours_left(servers, made["id"]) > 11, "put off"
        )
        answer = client.get("/session")
        assert "Max-Age=43200" in answer.headers["set-cookie"]
        assert answer.json()["expires_at"] is not None


def _hours_left(servers: Servers, key_id: str) -> float:
    rows = servers.sql("SELECT extract(epoch FROM expires_at - now()) / 3600 FROM sessions WHERE key_id = %s", key_id)
    return float(rows[0][0])


def test_who_did_it_is_the_key_whose_session_it_is(servers: Servers) -> None:
    made = make(servers, "read", "submit", "admin")
    with signed_in(servers, made["key"]) as client:
        job = client.post("/jobs", json={"workflow": "noop", "input": {"n": 1}}).json()
        assert job["created_by"] == f"key:{made['prefix']}"
        acts = [
            entry["action"]
            for entry in client.get("/audit", params={"actor": f"key:{made['prefix']}"}).json()["entries"]
        ]
    assert acts == ["session.create"]


def test_no_token_is_in_a_table_or_a_log(servers: Servers) -> None:
    with signed_in(servers) as client:
        secrets = [client.cookies["mutirao_session"], client.post("/session/links").json()["token"]]
        assert client.get("/jobs/x").status_code == 422
    for secret in secrets:
        for log in Path(servers.folder).glob("*.log"):
            assert secret not in log.read_text(errors="replace")
        with psycopg.connect(servers.database_url) as connection:
            for table in ("sessions", "sign_in_links", "audit_log"):
                found = connection.execute(
                    f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s".encode(), (f"%{secret}%",)
                )
                assert found.fetchone() == (0,), table


def test_a_browser_keeps_nothing_of_what_it_was_shown_and_guesses_no_types(servers: Servers) -> None:
    job = servers.run("files")["id"]
    with signed_in(servers) as client:
        for path in ("/jobs", f"/jobs/{job}", "/keys", "/session", f"/jobs/{job}/events", f"/jobs/{UNKNOWN}"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff", path
            assert "no-store" in headers["cache-control"] or path.endswith("/events"), path
        # A file may be kept, but is asked for again each time.
        file = client.get(f"/jobs/{job}/artifacts/page.html").headers
        assert file["cache-control"] == "private, no-cache"
    assert "cache-control" not in servers.http.get("/jobs").headers


def test_a_token_of_a_session_is_no_key(servers: Servers) -> None:
    with signed_in(servers) as client:
        token = client.cookies["mutirao_session"]
    for headers in ({"Authorization": f"Bearer {token}"}, {"X-Api-Key": token}):
        with nobody(servers) as anybody:
            assert anybody.get("/jobs", headers=headers).status_code == 401


def test_code_of_a_project_sees_no_session() -> None:
    assert without_session("a=1; mutirao_session=secret; b=2") == "a=1; b=2"
    assert without_session(" mutirao_session = secret") == ""
    assert for_others("cookie", "mutirao_session=secret") is None
    assert for_others("Cookie", "a=1;mutirao_session=secret") == "a=1"
    assert for_others("x-other", "mk_12345678.secret") is None


@pytest.mark.parametrize(
    ("said", "prefix"),
    [
        ("/team", "/team"), ("/team/a.b_c-d/", "/team/a.b_c-d"), ("/", ""), ("", ""), ("team", ""), ("//evil.example", ""),
        ("/a//b", ""), ("/../x", ""), ("/a/..", ""), ('/"><script>', ""), ("/a b", ""), ("/" + "a" * 300, ""),
    ],
)  # fmt: skip
def test_a_prefix_is_a_path_and_nothing_else(said: str, prefix: str) -> None:
    assert safe_prefix(said) == prefix


def test_a_browser_that_asks_for_the_root_is_led_to_the_dashboard(servers: Servers) -> None:
    page = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = httpx.get(servers.url, headers=page, trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/ui/")
    answer = httpx.get(servers.url, headers={**page, "X-Forwarded-Prefix": "/team"}, trust_env=False)
    assert answer.headers["location"] == "/team/ui/"
    assert httpx.get(servers.url, headers={"Accept": "application/json"}, trust_env=False).status_code == 404
    assert httpx.get(f"{servers.url}/none", headers=page, trust_env=False).status_code == 404
