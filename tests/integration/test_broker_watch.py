"""Probes that a worker sends itself: a consumer that is deaf is noticed, a broker that is away is not its fault."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from mutirao.ids import new_id
from mutirao_workers.broker_watch import BrokerWatch, probe_queue

from tests.servers import OwnValkey, eventually

pytestmark = pytest.mark.integration
SECONDS = 0.1


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[OwnValkey]:
    own = OwnValkey(tmp_path)
    own.start()
    yield own
    own.kill()


@pytest.fixture
def deaf() -> threading.Event:
    return threading.Event()


@pytest.fixture
def watch(valkey: OwnValkey, deaf: threading.Event) -> Iterator[BrokerWatch]:
    made = BrokerWatch(valkey.url, "me", new_id(), SECONDS, deaf.set)
    yield made
    made.stop()


def test_probes_that_nobody_reads_mean_a_deaf_consumer(watch: BrokerWatch, deaf: threading.Event) -> None:
    watch.start()
    assert deaf.wait(20)


def test_probes_that_come_back_mean_nothing(watch: BrokerWatch, valkey: OwnValkey, deaf: threading.Event) -> None:
    watch.start()
    with redis.Redis.from_url(valkey.url) as client:
        for _ in range(10):
            assert client.blpop([probe_queue("me")], timeout=10) is not None
            watch.heard()
    assert not deaf.is_set()


def test_a_broker_that_is_away_is_not_the_consumers_fault(
    watch: BrokerWatch, valkey: OwnValkey, deaf: threading.Event
) -> None:
    valkey.kill()
    watch.start()
    looks = [0]
    ask = watch._answers

    def counted() -> bool:
        looks[0] += 1
        return ask()

    watch._answers = counted  # type: ignore[method-assign] # counts the looks, and looks
    eventually(lambda: looks[0] > 8, "it has looked several times", 60)
    assert not deaf.is_set()
