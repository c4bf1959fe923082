"""Killed workers: their jobs finish by themselves, finished steps stay finished, and poison is contained."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from mutirao.stack.embedded import EmbeddedParts

from tests.servers import Servers, new_database, own_redis

pytestmark = pytest.mark.end_to_end

ONLY_THE_RUNNING_STEP_TWICE = [(1, "first"), (1, "second"), (2, "second"), (2, "third")]


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


class Gated:
    """A job of three steps whose second waits for a gate; every step leaves a line (attempt, step)."""

    def __init__(self, api: Servers, **fields: Any) -> None:
        self.witness = api.folder / f"w-{uuid4()}"
        self.gate = Path(f"{self.witness}.gate")
        self.id: UUID = api.submit("three", {"witness": str(self.witness), "gate": str(self.gate)}, **fields)

    def steps(self) -> list[tuple[int, str]]:
        if not self.witness.exists():
            return []
        lines = [line.split() for line in self.witness.read_text().splitlines()]
        assert {line[0] for line in lines} <= {str(self.id)}
        return [(int(line[1]), line[2]) for line in lines]


@dataclass
class Survivors:
    """Jobs that were all in their second step when their worker was killed, and how long they took after its restart."""

    plain: Gated
    of_thread: Gated
    typed: UUID
    many: list[Gated]
    seconds: float


@pytest.fixture(scope="module")
def survivors(api: Servers) -> Survivors:
    first = api.start_worker("one", lease_seconds="60")
    earlier = Gated(api)
    earlier.gate.touch()
    thread = api.ended(earlier.id)["thread_id"]
    of_thread, plain, many = Gated(api, thread_id=thread), Gated(api), [Gated(api) for _ in range(20)]
    typed_gate = api.folder / "typed.gate"
    typed = api.submit("notes", {"gate": str(typed_gate)})
    jobs = [of_thread, plain, *many]
    api.until(lambda: all(len(job.steps()) == 2 for job in jobs), "all are in their second step")
    # Events are written in batches: the last few of a killed worker may be lost, its steps are not.
    waiting = [*((job.id, "second") for job in jobs), (typed, "wait")]
    api.until(lambda: all(api.journal(job)[-1]["step"] == step for job, step in waiting), "that is written down")
    first.kill()
    for gate in (typed_gate, *(job.gate for job in jobs)):
        gate.touch()
    api.start_worker("one", lease_seconds="60")
    began = time.monotonic()
    for job, _ in waiting:
        api.ended(job)
    return Survivors(plain, of_thread, typed, many, time.monotonic() - began)


def test_a_job_whose_worker_is_killed_goes_on_in_its_successor(api: Servers, survivors: Survivors) -> None:
    """The same name on the same host: the successor knows that its predecessor is dead, and waits for no lease."""
    job = survivors.plain
    assert survivors.seconds < 15, "it waited for the lease"
    ended = api.job(job.id)
    assert (ended["state"], ended["attempts"]) == ("succeeded", 2)
    assert ended["output"]["done"] == ["first", "second", "third"]
    assert job.steps() == ONLY_THE_RUNNING_STEP_TWICE
    attempts = api.http.get(f"/jobs/{job.id}/attempts").json()
    assert [(attempt["attempt"], attempt["outcome"]) for attempt in attempts] == [(1, "lost"), (2, "succeeded")]


def test_the_journal_of_a_resumed_job_tells_what_happened(api: Servers, survivors: Survivors) -> None:
    journal = api.journal(survivors.plain.id)
    assert [event["seq"] for event in journal] == list(range(1, len(journal) + 1))
    types = [event["type"] for event in journal]
    assert types.count("job.started") == 2
    assert types.count("attempt.lost") == types.count("attempt.resumed") == 1
    finished = [(event["attempt"], event["step"]) for event in journal if event["type"] == "step.finished"]
    assert finished == [(1, "first"), (2, "second"), (2, "third")]


def test_a_state_of_ones_own_types_survives(api: Servers, survivors: Survivors) -> None:
    ended = api.job(survivors.typed)
    assert (ended["state"], ended["attempts"]) == ("succeeded", 2)
    assert ended["output"]["kind"] == "Note"


def test_a_later_job_of_a_thread_goes_on_from_its_own_steps(api: Servers, survivors: Survivors) -> None:
    assert api.job(survivors.of_thread.id)["output"]["done"] == ["first", "second", "third"] * 2
    assert survivors.of_thread.steps() == ONLY_THE_RUNNING_STEP_TWICE


def test_all_jobs_of_a_worker_survive_it(api: Servers, survivors: Survivors) -> None:
    assert {api.job(job.id)["state"] for job in survivors.many} == {"succeeded"}
    assert all(job.steps() == ONLY_THE_RUNNING_STEP_TWICE for job in survivors.many)


def test_jobs_whose_host_is_gone_go_on_elsewhere_or_end_when_the_lease_has_run_out(api: Servers) -> None:
    api.kill_workers()
    doomed = api.start_worker("doomed", lease_seconds="2")
    job, unwanted = Gated(api), Gated(api)
    api.until(lambda: len(job.steps()) == len(unwanted.steps()) == 2, "both are in their second step")
    api.start_worker("other", lease_seconds="2")
    doomed.kill()
    began = time.monotonic()
    assert api.http.post(f"/jobs/{unwanted.id}/cancel").status_code == 202
    api.until(lambda: len(job.steps()) == 3, "the second step runs again", 20)
    assert time.monotonic() - began < 12, "a lease of 2 s and 5 s, and as much again for a busy machine"
    job.gate.touch()
    unwanted.gate.touch()
    assert api.ended(job.id)["state"] == "succeeded"
    assert job.steps() == ONLY_THE_RUNNING_STEP_TWICE
    assert api.ended(unwanted.id)["state"] == "cancelled"
    assert unwanted.steps() == [(1, "first"), (1, "second")]


def test_a_job_that_kills_its_worker_is_dead_after_three_attempts(api: Servers) -> None:
    api.kill_workers()
    job = api.submit("deadly", {"what": "kill"})

    def dead() -> bool:
        api.the_worker("victim", lease_seconds="60")
        return bool(api.job(job)["finished_at"])

    api.until(dead, "the job is dead", 90)
    ended = api.job(job)
    assert (ended["state"], ended["attempts"], ended["error"]["code"]) == ("dead", 3, "attempts_exhausted")
    attempts = api.http.get(f"/jobs/{job}/attempts").json()
    assert [attempt["outcome"] for attempt in attempts] == ["lost"] * 3
    assert api.run("noop")["state"] == "succeeded"
    api.kill_workers()
