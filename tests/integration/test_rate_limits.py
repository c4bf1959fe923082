"""Limits of one caller: counted by the process, said in the standard headers, and no business of other callers."""

import asyncio
import concurrent.futures
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from mutirao.api.open_requests import OpenRequests
from mutirao.api.rate_limits import RateLimits
from mutirao.api.scopes import Class
from mutirao.errors import RateLimited, SettingsInvalid
from mutirao.keys import Identity
from mutirao.settings import AccessSettings
from mutirao.stack.embedded import EmbeddedParts
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from tests.servers import Servers, new_database, own_redis

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def limited(embedded: EmbeddedParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """An API that allows little."""
    with (
        new_database(embedded.database_url) as url,
        Servers(
            tmp_path_factory.mktemp("limited"),
            database_url=url,
            redis_url=own_redis(embedded.redis_url),
            env=embedded.env,
        ) as running,
    ):
        running.start_api(
            rate_limit_read="30/hour",
            rate_limit_submit="12/hour",
            rate_limit_failures="10/hour",
            max_streams="2",
            max_threads="2",
            max_store_items="2",
            max_keys="30",
            mcp_sessions_per_caller="2",
            max_body_bytes=str(1 << 20),
        )
        yield running


def client_of(servers: Servers) -> httpx.Client:
    """A client with a key of its own."""
    made = servers.http.post("/keys", json={"name": "limited"})
    assert made.status_code == 201, made.text
    headers = {"Authorization": f"Bearer {made.json()['key']}"}
    return httpx.Client(base_url=f"{servers.url}/api/v1", headers=headers, timeout=30, trust_env=False)


def test_a_caller_that_asks_too_much_is_told_when_to_try_again(limited: Servers) -> None:
    with client_of(limited) as one, client_of(limited) as other:
        first = one.get("/jobs")
        assert first.headers["ratelimit-policy"] == '"read";q=30;w=3600'
        assert first.headers["ratelimit"].startswith('"read";r=29;t=')
        answers = [one.get("/jobs") for _ in range(32)]
        assert [answer.status_code for answer in answers] == [200] * 29 + [429] * 3
        refused = answers[-1]
        assert refused.json()["code"] == "rate_limited"
        assert 0 < int(refused.headers["retry-after"]) <= 3600
        assert refused.headers["ratelimit"].startswith('"read";r=0;')
        assert refused.headers["x-request-id"] == refused.json()["request_id"]
        # What changes something is counted apart, and others are not touched.
        assert one.post("/jobs", json={}).status_code == 422
        assert other.get("/jobs").status_code == 200


def test_signing_in_fails_so_often_and_no_more(limited: Servers) -> None:
    def sign_in(address: str, **proof: str) -> int:
        headers = {"X-Forwarded-For": address}
        return httpx.post(f"{limited.url}/api/v1/session", json=proof, headers=headers, trust_env=False).status_code

    guesses = [{"key": f"mk_0000000{n}.guess"} if n % 2 else {"link": f"guess-{n}"} for n in range(12)]
    assert [sign_in("203.0.113.9", **guess) for guess in guesses] == [401] * 10 + [429] * 2
    assert sign_in("203.0.113.9", key=limited.key) == 429
    assert sign_in("203.0.113.10", key=limited.key) == 201


def test_streams_of_one_caller_are_limited(limited: Servers) -> None:
    worker = limited.start_worker()
    job = limited.submit("sleep", {"seconds": 60, "witness": str(limited.folder / "streams")})
    with client_of(limited) as client:
        path = f"/jobs/{job}/events"
        with client.stream("GET", path) as one, client.stream("GET", path) as two:
            assert (one.status_code, two.status_code) == (200, 200)
            # An iterator that is dropped closes its stream.
            reading = [one.iter_lines(), two.iter_lines()]
            assert all(next(lines) for lines in reading)
            third = client.get(path)
            assert (third.status_code, third.json()["code"]) == (429, "rate_limited")
            assert "MUTIRAO_MAX_STREAMS" in third.json()["detail"]
        limited.until(lambda: closes(client, path), "closed streams are not counted")
    worker.kill()


def closes(client: httpx.Client, path: str) -> bool:
    with client.stream("GET", path) as answer:
        return answer.status_code == 200


def test_what_a_project_may_keep_is_limited(limited: Servers) -> None:
    key = limited.http.post("/projects", json={"name": "small"}).json()["key"]
    with httpx.Client(base_url=limited.url, headers={"X-Api-Key": key}, trust_env=False) as small:
        answers = [small.post("/api/v1/threads", json={}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 422]
        assert (answers[2].json()["code"], answers[2].json()["setting"]) == ("limit_reached", "MUTIRAO_MAX_THREADS")
        items = [small.put("/store/items", json={"namespace": ["a"], "key": str(n), "value": {}}) for n in range(3)]
        assert [answer.status_code for answer in items] == [204, 204, 422]
        assert "MUTIRAO_MAX_STORE_ITEMS" in items[2].json()["detail"]


def test_a_batch_counts_as_what_is_in_it(limited: Servers) -> None:
    for path, body in (
        ("/jobs/batch", {"jobs": [{"workflow": "noop"}] * 13}),
        (f"{limited.url}/runs/batch", [{"assistant_id": "noop"}] * 13),
    ):
        with client_of(limited) as client:
            assert client.post(path, json=body).status_code == 429


INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
}  # fmt: skip


def test_one_caller_has_so_many_mcp_sessions(limited: Servers) -> None:
    accept = {"Accept": "application/json, text/event-stream"}
    with client_of(limited) as one, client_of(limited) as other:
        answers = [one.post(f"{limited.url}/mcp", json=INITIALIZE, headers=accept) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert "MUTIRAO_MCP_SESSIONS_PER_CALLER" in answers[2].text
        assert other.post(f"{limited.url}/mcp", json=INITIALIZE, headers=accept).status_code == 200
        session = {"mcp-session-id": answers[0].headers["mcp-session-id"]}
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        assert other.post(f"{limited.url}/mcp", json=ping, headers=accept | session).status_code == 404
        assert one.post(f"{limited.url}/mcp", json=ping, headers=accept | session).status_code == 200


@pytest.mark.anyio
async def test_a_websocket_counts_command_by_command(limited: Servers) -> None:
    with client_of(limited) as client:
        headers = {"Authorization": client.headers["authorization"]}
    url = f"{limited.url.replace('http', 'ws')}/threads/{uuid4()}/stream/events"
    async with connect(url, additional_headers=headers, proxy=None) as socket:

        async def command(method: str, **params: Any) -> dict[str, Any]:
            await socket.send(json.dumps({"id": 1, "method": method, "params": params}))
            answer: dict[str, Any] = json.loads(await socket.recv())
            return answer

        subscribe = [await command("subscription.subscribe", channels=["values"]) for _ in range(2)]
        assert [answer["type"] for answer in subscribe] == ["success", "error"]
        assert "MUTIRAO_MAX_STREAMS" in subscribe[1]["message"]
        looks = [await command("agent.getTree") for _ in range(30)]
        assert (looks[0]["error"], "more than" in looks[-1]["message"]) == ("no_such_run", True)
        starts = [await command("run.start", assistant_id="nothing") for _ in range(13)]
        assert "more than" in starts[-1]["message"]
        await socket.send("x" * (2 << 20))
        with pytest.raises(ConnectionClosedError):
            await socket.recv()
        assert socket.close_code == 1009


@pytest.mark.anyio
async def test_what_has_no_key_is_not_open_for_ever() -> None:
    def nothing() -> None:
        pass

    requests = OpenRequests(None, None, None, nothing, longest_seconds=0.001)  # type: ignore[arg-type] # neither is asked

    async def ended(identity: Identity) -> bool:
        with requests.entered(identity) as opened:
            opened.began -= 1
            await requests._look()
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                return opened.cut
        return False

    token, user = Identity(project_id=uuid4(), subject="ana"), Identity(project_id=uuid4(), subject="ana", user={})
    assert [await asyncio.create_task(ended(one)) for one in (token, user)] == [True, True]


def test_wrong_keys_are_limited_by_address_and_lock_nobody_out(limited: Servers) -> None:
    with client_of(limited) as client:
        assert client.get("/jobs").status_code == 200
        with httpx.Client(base_url=f"{limited.url}/api/v1", trust_env=False) as guessing:

            def guess(number: int) -> int:
                return guessing.get("/jobs", headers={"X-Api-Key": f"mk_0000.{number}"}).status_code

            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                found = sorted(pool.map(guess, range(30)))
            assert found[:10] == [401] * 10
            assert found[-1] == 429
            assert guessing.get("/jobs").status_code == 429
            assert guessing.get(f"{limited.url}/livez").status_code == 200
        assert client.get("/jobs").status_code == 200


@pytest.mark.anyio
async def test_limits_may_be_off_and_nonsense_is_refused_by_name() -> None:
    off = AccessSettings(rate_limit_read="off", rate_limit_submit="0", rate_limit_failures="off")
    limits = RateLimits(off)
    assert await limits.take("k", Class.READ) == {}
    await limits.failed("a")
    await limits.may_fail("a")
    with pytest.raises(SettingsInvalid, match="MUTIRAO_RATE_LIMIT_READ='often'"):
        RateLimits(AccessSettings(rate_limit_read="often"))
    one = RateLimits(AccessSettings(rate_limit_submit="1/day"))
    await one.take("k", Class.SUBMIT)
    with pytest.raises(RateLimited) as caught:
        await one.take("k", Class.SUBMIT)
    assert caught.value.headers["Retry-After"] == "86400"


def test_the_defaults_do_not_limit_a_busy_client() -> None:
    """A thousand submissions in ten seconds are ordinary."""
    limits = RateLimits(AccessSettings())._limits
    for kind in Class:
        limit = limits[kind]
        assert limit is not None
        assert limit.amount / limit.get_expiry() >= 1_000
