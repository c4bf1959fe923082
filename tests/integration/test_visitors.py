"""Callers without a key, where the settings let them in."""

from collections.abc import Iterator

import httpx
import pytest
from langgraph_sdk import get_sync_client
from mutirao.api.visitors import Visitors, is_loopback
from mutirao.errors import SettingsInvalid
from mutirao.settings import AccessSettings, ApiSettings, Settings
from mutirao.stack.embedded import EmbeddedParts

from tests.servers import Servers, new_database, own_redis

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def open_house(embedded: EmbeddedParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with (
        new_database(embedded.database_url) as url,
        Servers(
            tmp_path_factory.mktemp("open"), database_url=url, redis_url=own_redis(embedded.redis_url), env=embedded.env
        ) as running,
    ):
        running.start_api(anonymous_project="default")
        yield running


def status(servers: Servers, path: str = "/api/v1/jobs", **headers: str) -> int:
    return httpx.get(f"{servers.url}{path}", headers=headers, trust_env=False).status_code


def test_programs_of_this_machine_need_no_key_and_may_not_administer(open_house: Servers) -> None:
    with get_sync_client(url=open_house.url, api_key=None) as client:
        assert client.threads.create()["status"] == "idle"
    assert status(open_house) == 200
    assert status(open_house, "/api/v1/keys") == 403


def test_pages_of_other_origins_and_names_pointed_here_are_kept_out(open_house: Servers) -> None:
    assert status(open_house, origin="https://evil.example") == 401
    assert status(open_house, host="evil.example") == 401
    assert status(open_house, authorization="Bearer mk_wrong.key") == 401


def test_our_own_page_is_let_in(open_house: Servers) -> None:
    for name in ("127.0.0.1", "localhost"):
        own = f"http://{name}:{open_house.port}"
        assert status(open_house, origin=own, host=f"{name}:{open_house.port}") == 200
        assert status(open_house, origin=own, host=f"{name}:{open_house.port + 1}") == 401
    assert status(open_house, **{"sec-fetch-site": "same-origin"}) == 200
    for site in ("same-site", "cross-site"):
        assert status(open_house, **{"sec-fetch-site": site}) == 401
    view = httpx.get(f"{open_house.url}/api/v1/session", trust_env=False).json()
    assert (view["subject"], view["scopes"]) == ("subject:anonymous", ["read", "submit", "approve"])
    refused = httpx.post(f"{open_house.url}/api/v1/session/links", trust_env=False)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_what_a_proxy_passes_on_is_kept_out(open_house: Servers) -> None:
    for name in ("x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip", "via"):
        assert status(open_house, **{name: "127.0.0.1"}) == 401


def test_nobody_comes_in_beside_the_auth_of_a_project(open_house: Servers) -> None:
    open_house.sql(
        "INSERT INTO workers (id, name, pid, host, kind, queues, slots, lease_expires_at, stopped_at, brings)"
        " VALUES (gen_random_uuid(), 'gone', 1, 'h', 'shared', '{default}', 1, now(), now(), '{\"auth\": true}')"
    )
    assert status(open_house) == 401
    open_house.sql("DELETE FROM workers")
    assert status(open_house) == 200


def test_they_are_not_let_in_by_default(servers: Servers) -> None:
    assert status(servers) == 401


def test_not_with_an_api_that_others_can_reach() -> None:
    settings = Settings(api=ApiSettings(api_host="0.0.0.0"), access=AccessSettings(anonymous_project="default"))
    with pytest.raises(SettingsInvalid, match="MUTIRAO_API_HOST"):
        Visitors(settings, None)  # type: ignore[arg-type] # it does not come so far


def test_not_with_pages_of_all_origins() -> None:
    settings = Settings(api=ApiSettings(cors_origins="*"), access=AccessSettings(anonymous_project="default"))
    with pytest.raises(SettingsInvalid, match="MUTIRAO_CORS_ORIGINS"):
        Visitors(settings, None)  # type: ignore[arg-type] # it does not come so far


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True), ("10.0.0.1", False), ("evil", False)],
)
def test_what_is_this_machine(host: str, own: bool) -> None:
    assert is_loopback(host) is own
