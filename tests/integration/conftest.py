"""One API and one worker process for all tests that only talk to them; tests that kill or stop something have their own."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from mutirao.db import Database
from mutirao.projects import Projects, new_key_text
from mutirao.stack.embedded import EmbeddedParts

from tests.driven import Driven, drive
from tests.servers import Servers, new_database, own_redis


@pytest.fixture(scope="session")
def servers(embedded: EmbeddedParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A running API and a running worker that serves `tests/project`."""
    folder = tmp_path_factory.mktemp("servers")
    with (
        new_database(embedded.database_url) as url,
        Servers(folder, database_url=url, redis_url=own_redis(embedded.redis_url), env=embedded.env) as running,
    ):
        running.start_api(stream_heartbeat_seconds="2", max_body_bytes=str(3 << 20), max_upload_bytes=str(4 << 20))
        running.start_worker("shared", lease_seconds="3")
        yield running


@pytest.fixture(scope="session")
def quiet(embedded: EmbeddedParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A running API without any worker: tests claim, hold and end its jobs themselves, see `tests.driven`."""
    folder = tmp_path_factory.mktemp("quiet")
    with (
        new_database(embedded.database_url) as url,
        Servers(folder, database_url=url, redis_url=own_redis(embedded.redis_url), env=embedded.env) as running,
    ):
        running.start_api(stream_heartbeat_seconds="2")
        yield running


@pytest.fixture
async def driven(quiet: Servers) -> AsyncIterator[Driven]:
    """That API, and the verbs of a worker that serves a workflow of the test's own."""
    async with drive(quiet) as found:
        yield found


@pytest.fixture(scope="session")
def stranger(servers: Servers) -> Iterator[httpx.Client]:
    """A client of the same API with the key of another project."""

    async def key_of_another_project() -> str:
        db = Database(servers.database_url)
        try:
            key = new_key_text()
            await Projects(db).add_key(await Projects(db).ensure("another"), key, "test")
            return key
        finally:
            await db.close()

    headers = {"Authorization": f"Bearer {asyncio.run(key_of_another_project())}"}
    with httpx.Client(base_url=f"{servers.url}/api/v1", headers=headers, timeout=30, trust_env=False) as client:
        yield client
