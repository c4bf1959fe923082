"""A client and an API that is killed and started again under it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutirao.client import Client
from mutirao.jobs.records import Event
from mutirao.stack.embedded import EmbeddedParts

from tests.servers import Servers, eventually, new_database, own_redis

pytestmark = pytest.mark.integration


@pytest.fixture
def own(embedded: EmbeddedParts, tmp_path: Path) -> Iterator[Servers]:
    """An API and a worker of the test's own."""
    redis = own_redis(embedded.redis_url)
    with new_database(embedded.database_url) as url, Servers(tmp_path, database_url=url, redis_url=redis) as servers:
        yield servers


def test_following_and_submitting_outlive_a_restart_of_the_api(own: Servers, tmp_path: Path) -> None:
    api = own.start_api()
    own.start_worker("one")
    gate = tmp_path / "gate"
    seen: list[Event] = []
    with Client(own.url, own.key) as client, Client(own.url, own.key) as other:
        job = client.submit("three", {"witness": str(tmp_path / "w"), "gate": str(gate)})
        follower = threading.Thread(target=lambda: seen.extend(client.follow(job.id)), daemon=True)
        waited = threading.Thread(target=lambda: ended.append(other.wait(job.id).state), daemon=True)
        ended: list[str] = []
        follower.start()
        waited.start()
        eventually(lambda: "step.finished" in own.event_types(job.id), "the first step ends", logs=own.logs)
        for _ in range(2):
            api.kill()
            api = own.start_api()
        gate.touch()
        follower.join(40)
        waited.join(40)
        assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
        assert [event.type for event in seen] == own.event_types(job.id)
        assert (seen[-1].type, ended) == ("job.succeeded", ["succeeded"])
        again = client.submit("noop", {"n": 1}, idempotency_key="same")
        assert client.submit("noop", {"n": 1}, idempotency_key="same").id == again.id
