"""Killed workers: their jobs finish by themselves, finished steps stay finished, and poison is contained."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from mutirao.stack.embedded import EmbeddedParts

from tests.servers import Servers, new_database, own_redis

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def api(embedded: EmbeddedParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """An API; each test starts and kills its workers."""
    folder = tmp_path_factory.mktemp("resume")
    with (
        new_database(embedded.database_url) as url,
        Servers(folder, database_url=url, redis_url=own_redis(embedded.redis_url), env=embedded.env) as servers,
    ):
        servers.start_api()
        yield servers


@pytest.fixture(autouse=True)
def no_workers_left(api: Servers) -> Iterator[None]:
    yield
    api.kill_workers()


class Gated:
    """A job of three steps whose second waits for a gate; every step leaves a line (attempt, step)."""

    def __init__(self, api: Servers) -> None:
        self.witness = api.folder / f"w-{uuid4()}"
        self.gate = Path(f"{self.witness}.gate")
        self.id: UUID = api.submit("three", {"witness": str(self.witness), "gate": str(self.gate)})

    def steps(self) -> list[tuple[int, str]]:
        if not self.witness.exists():
            return []
        lines = [line.split() for line in self.witness.read_text().splitlines()]
        assert {line[0] for line in lines} <= {str(self.id)}
        return [(int(line[1]), line[2]) for line in lines]


def test_a_job_whose_worker_is_killed_goes_on_in_its_successor(api: Servers) -> None:
    """The same name on the same host: the successor knows that its predecessor is dead, and waits for no lease."""
    first = api.start_worker("one", lease_seconds="60")
    job = Gated(api)
    api.until(lambda: job.steps() == [(1, "first"), (1, "second")], "the second step runs")
    # Events are written in batches: the last few of a killed worker may be lost, its steps are not.
    api.until(lambda: api.journal(job.id)[-1]["step"] == "second", "that is written down")
    first.kill()
    job.gate.touch()
    api.start_worker("one", lease_seconds="60")
    began = time.monotonic()
    ended = api.ended(job.id)
    assert time.monotonic() - began < 10, "it waited for the lease"
    assert (ended["state"], ended["attempts"]) == ("succeeded", 2)
    assert ended["output"]["done"] == ["first", "second", "third"]
    # Of the steps only the one that was running ran twice.
    assert job.steps() == [(1, "first"), (1, "second"), (2, "second"), (2, "third")]
    attempts = api.http.get(f"/jobs/{job.id}/attempts").json()
    assert [(attempt["attempt"], attempt["outcome"]) for attempt in attempts] == [(1, "lost"), (2, "succeeded")]
    types = api.event_types(job.id)
    assert types.count("job.started") == 2
    assert types.count("attempt.lost") == types.count("attempt.resumed") == 1
    journal = api.journal(job.id)
    assert [event["seq"] for event in journal] == list(range(1, len(journal) + 1))
    finished = [(event["attempt"], event["step"]) for event in journal if event["type"] == "step.finished"]
    assert finished == [(1, "first"), (2, "second"), (2, "third")]


def test_a_job_whose_host_is_gone_goes_on_elsewhere_when_the_lease_has_run_out(api: Servers) -> None:
    doomed = api.start_worker("doomed", lease_seconds="2")
    job = Gated(api)
    api.until(lambda: len(job.steps()) == 2, "the second step runs")
    api.start_worker("other", lease_seconds="2")
    doomed.kill()
    began = time.monotonic()
    api.until(lambda: len(job.steps()) == 3, "the second step runs again", 20)
    assert time.monotonic() - began < 2 + 5 + 5
    job.gate.touch()
    assert api.ended(job.id)["state"] == "succeeded"
    assert job.steps() == [(1, "first"), (1, "second"), (2, "second"), (2, "third")]


def test_a_state_of_ones_own_types_survives_a_kill(api: Servers) -> None:
    first = api.start_worker("typed", lease_seconds="60")
    gate = api.folder / f"gate-{uuid4()}"
    job = api.submit("notes", {"gate": str(gate)})
    api.until(lambda: "step.finished" in api.event_types(job), "the first step is done")
    first.kill()
    gate.touch()
    api.start_worker("typed", lease_seconds="60")
    ended = api.ended(job)
    assert (ended["state"], ended["attempts"]) == ("succeeded", 2)
    assert ended["output"]["kind"] == "Note"


def test_a_later_job_of_a_thread_goes_on_from_its_own_steps_and_not_from_the_earlier_jobs(api: Servers) -> None:
    first = api.start_worker("thread", lease_seconds="60")
    earlier = api.ended(open_from_the_start(api))
    witness, gate = api.folder / f"w-{uuid4()}", api.folder / f"gate-{uuid4()}"
    given = {"witness": str(witness), "gate": str(gate)}
    job = api.submit("three", given, thread_id=earlier["thread_id"])
    api.until(lambda: witness.exists() and "second" in witness.read_text(), "the second step runs")
    first.kill()
    gate.touch()
    api.start_worker("thread", lease_seconds="60")
    ended = api.ended(job)
    assert ended["output"]["done"] == ["first", "second", "third"] * 2
    lines = [line.split()[1:] for line in witness.read_text().splitlines()]
    assert lines == [["1", "first"], ["1", "second"], ["2", "second"], ["2", "third"]]


def open_from_the_start(api: Servers) -> UUID:
    job = Gated(api)
    job.gate.touch()
    return job.id


def test_a_job_that_kills_its_worker_is_dead_after_three_attempts(api: Servers) -> None:
    for how in ("kill", "exit"):
        job = api.submit("deadly", {"what": how})

        def dead(job: UUID = job) -> bool:
            api.the_worker("victim", lease_seconds="60")
            return bool(api.job(job)["finished_at"])

        api.until(dead, "the job is dead", 90)
        ended = api.job(job)
        assert (ended["state"], ended["attempts"], ended["error"]["code"]) == ("dead", 3, "attempts_exhausted")
        attempts = api.http.get(f"/jobs/{job}/attempts").json()
        assert [attempt["outcome"] for attempt in attempts] == ["lost"] * 3
    api.the_worker("victim")
    assert api.run("noop")["state"] == "succeeded"


def test_a_job_that_waits_for_a_killed_worker_can_be_cancelled(api: Servers) -> None:
    first = api.start_worker("gone", lease_seconds="2")
    job = Gated(api)
    api.until(lambda: len(job.steps()) == 2, "the second step runs")
    first.kill()
    assert api.http.post(f"/jobs/{job.id}/cancel").status_code == 202
    api.start_worker("another", lease_seconds="2")
    assert api.ended(job.id)["state"] == "cancelled"
    job.gate.touch()
    assert job.steps() == [(1, "first"), (1, "second")]


def test_twenty_jobs_survive_their_worker_together(api: Servers) -> None:
    first = api.start_worker("many", lease_seconds="60")
    jobs = [Gated(api) for _ in range(20)]
    api.until(lambda: all(len(job.steps()) == 2 for job in jobs), "all are in their second step")
    first.kill()
    for job in jobs:
        job.gate.touch()
    api.start_worker("many", lease_seconds="60")
    for job in jobs:
        assert api.ended(job.id)["state"] == "succeeded"
        assert job.steps() == [(1, "first"), (1, "second"), (2, "second"), (2, "third")]
