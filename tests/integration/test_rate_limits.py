"""Limits of one caller: counted by the process, said in the standard headers, and no business of other callers."""

import concurrent.futures
from collections.abc import Iterator

import httpx
import pytest
from mutirao.api.rate_limits import RateLimits
from mutirao.api.scopes import Class
from mutirao.errors import RateLimited, SettingsInvalid
from mutirao.settings import AccessSettings
from mutirao.stack.embedded import EmbeddedParts

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
            rate_limit_read="30/hour", rate_limit_submit="12/hour", rate_limit_failures="10/hour", max_streams="2"
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
