"""Alive and ready: which part is down, and what the API does meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mutirao.stack.embedded import EmbeddedParts

from tests.servers import OwnValkey, Servers, eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnValkey]:
    own = OwnValkey(tmp_path_factory.mktemp("valkey"))
    own.start()
    yield own
    own.kill()


@pytest.fixture(scope="module")
def alone(
    embedded: EmbeddedParts, database_url: str, valkey: OwnValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    """An API and a worker on a database and a Valkey that tests may stop."""
    folder = tmp_path_factory.mktemp("alone")
    with Servers(folder, database_url=database_url, redis_url=valkey.url, env=embedded.env) as servers:
        servers.start_api()
        servers.start_worker("alone", lease_seconds="4", poll_seconds="0.5")
        yield servers


def ready(servers: Servers) -> tuple[int, dict[str, Any]]:
    answer = httpx.get(f"{servers.url}/readyz", headers={"X-Api-Key": servers.key}, timeout=20, trust_env=False)
    body = answer.json()
    assert body["status"] == ("ready" if answer.status_code == 200 else "not_ready")
    return answer.status_code, body["parts"]


def down(servers: Servers) -> set[str]:
    """Parts that do not answer."""
    return {name for name, part in ready(servers)[1].items() if not part["ok"]}


def test_a_ready_api_names_every_part(alone: Servers) -> None:
    status, parts = ready(alone)
    assert status == 200
    assert set(parts) == {"database", "redis", "workers", "chroma"}
    assert parts["database"]["detail"].startswith("PostgreSQL ")
    assert "valkey" in parts["redis"]["detail"]
    assert "alone (0/" in parts["workers"]["detail"]
    assert parts["chroma"]["detail"].startswith("Chroma ")
    for headers in ({}, {"X-Api-Key": "mk_wrong.key"}):
        without = httpx.get(f"{alone.url}/readyz", headers=headers, timeout=20, trust_env=False)
        assert (without.status_code, without.json()["parts"]["redis"]) == (200, {"ok": True, "detail": None})


def test_without_redis_it_is_not_ready_and_jobs_run_all_the_same(alone: Servers, valkey: OwnValkey) -> None:
    valkey.kill()
    try:
        eventually(lambda: down(alone) == {"redis"}, "what was found is not kept for long")
        status, parts = ready(alone)
        assert status == 503
        assert "refused" in parts["redis"]["detail"]
        assert httpx.get(f"{alone.url}/livez", trust_env=False).json()["status"] == "ok"
        jobs = [alone.submit("noop", {"n": n}) for n in range(10)]
        assert [alone.ended(job)["output"]["n"] for job in jobs] == [n + 3 for n in range(10)]
    finally:
        valkey.start()
    eventually(lambda: ready(alone)[0] == 200, "it is ready again")
    assert alone.run("noop")["state"] == "succeeded"


def test_without_its_database_nothing_is_accepted_and_it_recovers(alone: Servers) -> None:
    with alone.outage():
        eventually(lambda: down(alone) >= {"database"}, "the database is seen to be down")
        assert httpx.get(f"{alone.url}/livez", trust_env=False).status_code == 200
        for answer in (alone.http.post("/jobs", json={"workflow": "noop"}), alone.http.get("/jobs")):
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert answer.json()["code"] == "unavailable"
    eventually(lambda: ready(alone)[0] == 200, "it is ready again", logs=alone.logs)
    assert alone.run("noop")["state"] == "succeeded"


def test_a_stream_outlives_an_outage_of_the_notices(alone: Servers) -> None:
    """The connection that listens breaks; the reader still sees everything, a little later."""
    gate = Path(alone.folder / "gate")
    job = alone.submit("three", {"witness": str(alone.folder / "w"), "gate": str(gate)})
    with alone.http.stream("GET", f"/jobs/{job}/events", timeout=20) as answer:
        lines = answer.iter_lines()
        assert next(lines)
        alone.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%%' AND %s = %s",
            1,
            1,
        )
        gate.touch()
        assert "event: job.succeeded" in list(lines)


def test_without_a_worker_it_says_so_and_accepts(alone: Servers) -> None:
    alone.stop_workers()
    assert down(alone) == {"workers"}
    job = alone.submit("noop")
    assert alone.job(job)["state"] == "queued"
    alone.start_worker("another")
    assert alone.ended(job)["state"] == "succeeded"
    assert down(alone) == set()
