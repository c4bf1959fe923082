"""Keys over the API: made, shown once, limited by scopes, ended; and what a key had open ends with it."""

import secrets
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from mutirao.api.app import create_app
from mutirao.api.scopes import EVERY, RULES, Rule, needed
from mutirao.keys import Identity, Scope
from mutirao.settings import Settings
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from tests.servers import Servers

pytestmark = pytest.mark.integration

CLOSED_WITHIN_SECONDS = 5.0


def client_of(servers: Servers, key: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=f"{servers.url}/api/v1", headers=headers, timeout=30, trust_env=False)


def make(servers: Servers, *scopes: str, **more: Any) -> dict[str, Any]:
    """A new key of the servers' project."""
    body = {"name": "test", **({"scopes": scopes} if scopes else {}), **more}
    answer = servers.http.post("/keys", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_key_is_shown_once_and_works(servers: Servers) -> None:
    answer = servers.http.post("/keys", json={"name": "nightly"})
    made = answer.json()
    assert answer.headers["location"] == f"/api/v1/keys/{made['id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert made["key"].startswith(made["prefix"] + ".")
    assert made["scopes"] == ["read", "submit"]
    assert made["created_by"] == f"key:{servers.key.partition('.')[0]}"
    with client_of(servers, made["key"]) as client:
        assert client.get("/jobs").status_code == 200
        assert client.post("/jobs", json={"workflow": "noop", "input": {"n": 1}}).status_code == 202
    shown = servers.http.get(f"/keys/{made['id']}").json()
    assert shown["last_used_at"] is not None
    assert "key" not in shown
    assert "secret" not in str(shown)
    assert made["id"] in [key["id"] for key in servers.http.get("/keys").json()["keys"]]


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [("read", {"read"}), ("submit", {"submit"}), ("approve", {"approve"}), ("admin", {"admin"})],
)
def test_a_scope_allows_what_it_says_and_nothing_else(servers: Servers, scope: str, allowed: set[str]) -> None:
    unknown = "00000000-0000-0000-0000-000000000000"
    calls = {
        "read": ("GET", "/jobs", None, 200),
        "submit": ("POST", "/jobs", {"workflow": "noop", "input": {"n": 1}}, 202),
        "approve": ("POST", f"/approvals/{unknown}", {"decision": 1}, 404),
        "admin": ("GET", "/keys", None, 200),
    }
    with client_of(servers, make(servers, scope)["key"]) as client:
        for needs, (method, path, body, status) in calls.items():
            answer = client.request(method, path, json=body)
            if needs in allowed:
                assert answer.status_code == status, answer.text
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
                assert answer.json()["scope"] == needs
                assert repr(needs) in answer.json()["detail"]


def test_nobody_gives_away_what_it_does_not_have(servers: Servers) -> None:
    full = make(servers, "read", "submit", "approve", "admin")
    with client_of(servers, make(servers, "admin", "read")["key"]) as client:
        assert client.post("/keys", json={"name": "x", "scopes": ["submit"]}).status_code == 403
        assert client.post(f"/keys/{full['id']}/rotate").status_code == 403
        assert client.post("/keys", json={"name": "x", "scopes": ["read"]}).status_code == 201


def test_an_expired_key_is_refused_and_a_past_expiry_too(servers: Servers) -> None:
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    refused = servers.http.post("/keys", json={"name": "x", "expires_at": past})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
    made = make(servers, expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    servers.sql("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = %s", made["id"])
    with client_of(servers, made["key"]) as client:
        answer = client.get("/jobs")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_a_rotated_key_has_a_successor_and_an_overlap_when_asked(servers: Servers) -> None:
    old = make(servers, "read")
    answer = servers.http.post(f"/keys/{old['id']}/rotate", json={"overlap_seconds": 600})
    new = answer.json()
    assert (answer.status_code, new["scopes"], new["name"]) == (201, ["read"], "test")
    assert new["prefix"] != old["prefix"]
    for key in (old, new):
        with client_of(servers, key["key"]) as client:
            assert client.get("/jobs").status_code == 200
    assert servers.http.get(f"/keys/{old['id']}").json()["expires_at"] is not None
    assert servers.http.post(f"/keys/{new['id']}/rotate").status_code == 201
    assert servers.http.post(f"/keys/{new['id']}/rotate").json()["code"] == "conflict"
    with client_of(servers, new["key"]) as client:
        servers.until(lambda: client.get("/jobs").status_code == 401, "the old key is refused")


class Reader(threading.Thread):
    """Reads one answer to its end, and says when that was."""

    def __init__(self, client: httpx.Client, path: str, **parameters: Any) -> None:
        super().__init__(daemon=True)
        self.client, self.path, self.parameters = client, path, parameters
        self.begun = threading.Event()
        self.status = 0
        self.body = b""
        self.ended_at = 0.0

    def run(self) -> None:
        with self.client.stream("GET", self.path, params=self.parameters) as answer:
            self.status = answer.status_code
            for part in answer.iter_raw():
                self.body += part
                self.begun.set()
        self.ended_at = time.monotonic()


@pytest.mark.parametrize("how", ["revoked", "expired", "deleted behind the API's back"])
def test_what_a_key_has_open_ends_with_it(servers: Servers, how: str) -> None:
    job = servers.submit("sleep", {"seconds": 60, "witness": str(servers.folder / "kept-open")})
    made = make(servers, "read")
    with client_of(servers, made["key"]) as one, client_of(servers, made["key"]) as two:
        stream, wait = Reader(one, f"/jobs/{job}/events"), Reader(two, f"/jobs/{job}", wait=50)
        stream.start()
        wait.start()
        assert stream.begun.wait(10)
        began = time.monotonic()
        if how == "revoked":
            assert servers.http.delete(f"/keys/{made['id']}").json()["revoked_at"] is not None
        elif how == "expired":
            servers.sql("UPDATE api_keys SET expires_at = now() WHERE id = %s", made["id"])
        else:
            servers.sql("DELETE FROM api_keys WHERE id = %s", made["id"])
        for reader in (stream, wait):
            reader.join(20)
            assert not reader.is_alive()
            assert reader.ended_at - began < CLOSED_WITHIN_SECONDS
    assert stream.body.endswith(b"was revoked while the request was open\n\n")
    assert wait.status == 401
    with client_of(servers, made["key"]) as client:
        assert client.get("/jobs").status_code == 401
    servers.http.post(f"/jobs/{job}/cancel")


def test_the_secret_is_in_no_log_no_error_and_no_table(servers: Servers) -> None:
    made = make(servers, "read")
    secret = made["key"].partition(".")[2]
    with client_of(servers, made["key"]) as client:
        assert client.get("/jobs").status_code == 200
        for answer in (
            client.get("/keys"),
            client.get("/jobs/x"),
            client.post("/keys", json={"name": made["key"] * 99}),
        ):
            assert secret not in answer.headers.__repr__()
            assert answer.status_code in (403, 422)
            assert secret not in answer.text
    servers.http.delete(f"/keys/{made['id']}")
    with client_of(servers, made["key"] + "x") as client:
        assert secret not in client.get("/jobs").text
    for log in Path(servers.folder).glob("*.log"):
        assert secret not in log.read_text(errors="replace")
    with psycopg.connect(servers.database_url) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        for (table,) in tables.fetchall():
            found = connection.execute(
                f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s'.encode(), (f"%{secret}%",)
            )
            assert found.fetchone() == (0,), table


def test_an_identity_holds_no_secret() -> None:
    assert {"secret", "key", "token"}.isdisjoint(Identity.model_fields)


def routes_of(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in routes:
        if included := getattr(route, "original_router", None):
            yield from routes_of(included.routes, prefix + route.include_context.prefix)  # type: ignore[attr-defined]
        elif isinstance(route, Mount):
            yield "GET", f"{prefix}{route.path}/x"
        elif isinstance(route, WebSocketRoute):
            yield "WEBSOCKET", prefix + route.path
        elif isinstance(route, Route) or hasattr(route, "methods"):
            for method in route.methods or ():
                yield method, prefix + route.path


def test_every_route_has_a_line_in_the_table_of_scopes() -> None:
    found = list(routes_of(create_app(Settings()).routes))
    assert len(found) > 40
    for method, path in found:
        assert needed(method, path) is not None, f"{method} {path}: give it a line in mutirao.api.scopes"


def test_the_table_says_what_the_protocol_means() -> None:
    some = "7b0c6f0e-8d7c-4c5e-9c55-0b1d2c3d4e5f"
    read = [
        "POST /threads/search", "POST /threads/count", f"POST /threads/{some}/history", f"GET /threads/{some}/state",
        f"POST /threads/{some}/state/checkpoint", f"GET /threads/{some}/stream", "POST /assistants/search",
        f"POST /assistants/{some}/versions", "POST /runs/crons/search", "POST /store/items/search",
        "POST /store/namespaces", "GET /store/items", "GET /v1/models", "GET /.well-known/agent-card.json",
        "GET /a2a/echo_chat/.well-known/agent-card.json", f"WEBSOCKET /threads/{some}/stream/events",
    ]  # fmt: skip
    submit = [
        "POST /threads", f"PATCH /threads/{some}", f"DELETE /threads/{some}", f"POST /threads/{some}/runs/stream",
        "POST /runs/wait", f"POST /threads/{some}/state", "PUT /store/items", "POST /runs/crons", "POST /assistants",
        f"POST /threads/{some}/commands", "POST /mcp", "POST /v1/chat/completions", "POST /threads/prune",
        f"POST /threads/{some}/runs/{some}/cancel", f"POST /assistants/{some}/latest",
    ]  # fmt: skip
    for scope, requests in ((Scope.READ, read), (Scope.SUBMIT, submit)):
        for request in requests:
            rule = needed(*request.split(" "))
            assert (rule and rule.scope) is scope, request
    # Who may look may be who may not submit: the door asks each method's scope.
    assert needed("POST", "/a2a/echo_chat") == Rule("POST", "/a2a/**", EVERY)
    assert {rule.scope for rule in RULES} == {None, EVERY, *Scope}


def test_projects_are_made_by_operators_only(servers: Servers, stranger: httpx.Client) -> None:
    name = f"team-{secrets.token_hex(4)}"
    made = servers.http.post("/projects", json={"name": name})
    assert made.status_code == 201
    assert servers.http.post("/projects", json={"name": name}).json()["code"] == "conflict"
    assert name in [
        project["name"] for project in servers.http.get("/projects", params={"limit": 200}).json()["projects"]
    ]
    with client_of(servers, made.json()["key"]) as client:
        assert client.get("/project").json()["name"] == name
        assert client.get("/jobs").json()["jobs"] == []
        assert [key["name"] for key in client.get("/keys").json()["keys"]] == ["first key"]
        assert client.get("/projects").status_code == client.post("/projects", json={"name": "x"}).status_code == 403
    assert stranger.post("/projects", json={"name": "x"}).json()["code"] == "forbidden"


def test_a_project_is_changed_only_as_it_was_read(servers: Servers) -> None:
    with client_of(
        servers, servers.http.post("/projects", json={"name": f"p-{secrets.token_hex(4)}"}).json()["key"]
    ) as http:
        read = http.get("/project")
        assert read.headers["etag"] == '"1"'
        changed = http.patch("/project", json={"max_running": 5}, headers={"If-Match": read.headers["etag"]})
        assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
        stale = http.patch("/project", json={"max_running": 6}, headers={"If-Match": read.headers["etag"]})
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
        assert http.get("/project").json()["max_running"] == 5
