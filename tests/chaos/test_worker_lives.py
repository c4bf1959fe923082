"""A worker's life: starts, names, drains, bad messages, and outages of what it stands on."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import pytest
import redis
from mutirao.hints import HintSender
from mutirao.stack.embedded import EmbeddedParts

from tests.chaos.messages import DEADLY, HARMLESS
from tests.servers import OwnValkey, Program, Servers

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnValkey]:
    own = OwnValkey(tmp_path_factory.mktemp("valkey"))
    own.start()
    yield own
    own.kill()


@pytest.fixture(scope="module")
def api(
    embedded: EmbeddedParts, database_url: str, valkey: OwnValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    """An API; each test starts its workers."""
    folder = tmp_path_factory.mktemp("lives")
    with Servers(folder, database_url=database_url, redis_url=valkey.url, env=embedded.env) as servers:
        servers.start_api()
        yield servers


@pytest.fixture(autouse=True)
def no_workers_left(api: Servers) -> Iterator[None]:
    yield
    api.kill_workers()


def gated(api: Servers) -> tuple[UUID, Path, Path]:
    """A job of three steps that waits in its second, its witness, and its gate."""
    witness, gate = api.folder / f"w-{uuid4()}", api.folder / f"gate-{uuid4()}"
    return api.submit("three", {"witness": str(witness), "gate": str(gate)}), witness, gate


def steps(witness: Path) -> list[tuple[str, str]]:
    """(attempt, step) of every step that ran."""
    if not witness.exists():
        return []
    return [(line.split()[1], line.split()[2]) for line in witness.read_text().splitlines()]


def test_sigterm_lets_steps_end_and_hands_the_rest_back(api: Servers) -> None:
    worker = api.start_worker("first", drain_seconds="0.3")
    job, witness, gate = gated(api)
    api.until(lambda: len(steps(witness)) == 2, "the second step runs")
    began = time.monotonic()
    assert worker.stop() == 0, worker.text()
    assert time.monotonic() - began < 10
    handed = api.job(job)
    assert (handed["state"], handed["attempts"]) == ("queued", 1)
    [attempt] = api.http.get(f"/jobs/{job}/attempts").json()
    assert (attempt["worker"], attempt["outcome"]) == ("first", "handed_back")
    assert api.http.get("/workers").json() == []
    gate.touch()
    api.start_worker("second")
    assert api.ended(job)["output"]["done"] == ["first", "second", "third"]
    assert steps(witness) == [("1", "first"), ("1", "second"), ("2", "second"), ("2", "third")]
    assert "attempt.resumed" in api.event_types(job)


def test_a_worker_that_leaves_hands_over_at_the_next_step_and_takes_no_more(api: Servers) -> None:
    worker = api.start_worker("leaving", drain_seconds="30")
    one, two = gated(api), gated(api)
    api.until(lambda: len(steps(one[1])) == len(steps(two[1])) == 2, "both are in their second step")
    worker.send(signal.SIGTERM)
    api.until(lambda: "worker.draining" in worker.log.read_text(), "it is leaving")
    late = api.submit("noop")
    # A cancel is heard also now.
    began = time.monotonic()
    api.http.post(f"/jobs/{one[0]}/cancel")
    assert api.ended(one[0])["state"] == "cancelled"
    assert time.monotonic() - began < 4
    two[2].touch()
    assert worker.wait() == 0, worker.text()
    assert api.job(two[0])["state"] == "queued"
    assert api.job(late)["attempts"] == 0
    api.start_worker("successor")
    assert api.ended(two[0])["state"] == "succeeded"
    assert [attempt for attempt, _ in steps(two[1])] == ["1", "1", "2"]


def test_a_worker_that_is_told_to_leave_at_once_leaves_nothing_behind(api: Servers) -> None:
    """Before it is registered, and just after: before its consumer stands."""
    for registered in (False, True):
        worker = api.start_worker(f"short-{registered}", wait=registered, drain_seconds="0")
        if not registered:
            api.until(lambda worker=worker: "worker.load_error" in worker.log.read_text(), "it has begun")
        assert worker.stop() == 0, worker.text()
        assert [w["name"] for w in api.http.get("/workers").json() if w["name"].startswith("short-")] == []


def test_a_second_worker_of_a_live_ones_name_does_not_start(api: Servers) -> None:
    first = api.start_worker("only", lease_seconds="1.5")
    second = api.start_worker("only", lease_seconds="1.5", wait=False)
    assert second.wait(30) == 1
    assert "worker_name_taken" in second.text()
    assert "MUTIRAO_WORKER_NAME" in second.text()
    assert first.exit_code is None
    assert api.run("noop")["state"] == "succeeded"


def test_a_worker_without_settings_says_which_are_missing(api: Servers) -> None:
    for module, name in (("mutirao_workers", "MUTIRAO_DATABASE_URL"), ("mutirao.api", "MUTIRAO_REDIS_URL")):
        url = api.env.pop(name)
        try:
            program = api.start(module, "bare", {})
        finally:
            api.env[name] = url
        assert program.wait() == 1
        assert name in program.text()
        assert "Traceback" not in program.text()


def test_hints_that_are_forged_doubled_or_malformed_do_no_harm(api: Servers, valkey: OwnValkey) -> None:
    worker = api.start_worker("sturdy", drain_seconds="0.2")
    sender = HintSender(valkey.url)
    job, witness, gate = gated(api)
    for _ in range(20):
        sender.send("default", job)
        sender.send("default", uuid4())
    sender.close()
    with redis.Redis(port=valkey.port) as client:
        client.lpush("default", *HARMLESS)
        api.until(lambda: client.llen("default") == 0, "all messages are taken")
    gate.touch()
    assert api.ended(job)["attempts"] == 1
    assert len(steps(witness)) == 3
    assert api.run("noop")["state"] == "succeeded"
    assert worker.exit_code is None, worker.text()


def test_a_message_that_ends_the_worker_loses_no_job(api: Servers, valkey: OwnValkey) -> None:
    worker = api.start_worker("fragile", drain_seconds="0.2")
    running, witness, gate = gated(api)
    api.until(lambda: len(steps(witness)) == 2, "the second step runs")
    with redis.Redis(port=valkey.port) as client:
        client.lpush("default", *DEADLY)
        assert worker.wait() != 0
        # Those that are left would end every successor: a person, or the next restarts, take them out.
        client.delete("default")
    waiting = [api.submit("noop") for _ in range(3)]
    gate.touch()
    api.start_worker("fragile")
    assert [api.ended(job)["state"] for job in (running, *waiting)] == ["succeeded"] * 4
    assert [step for _, step in steps(witness)].count("first") == 1


def test_hints_come_again_after_the_broker_has_been_away(api: Servers, valkey: OwnValkey) -> None:
    """With a poll so slow that only a hint can explain a quick start."""
    api.start_worker("hinted", poll_seconds="3600")
    assert api.run("noop")["state"] == "succeeded"
    valkey.kill()
    lost = api.submit("noop")
    valkey.start()

    def quick() -> bool:
        return bool(api.http.get(f"/jobs/{api.submit('noop')}", params={"wait": 1}).json()["finished_at"])

    api.until(quick, "a hint arrives again", 60)
    assert api.job(lost)["state"] in ("queued", "succeeded")


def test_a_worker_starts_works_and_stops_without_the_broker(api: Servers, valkey: OwnValkey) -> None:
    valkey.kill()
    try:
        worker = api.start_worker("alone", poll_seconds="0.3")
        assert api.run("noop")["state"] == "succeeded"
        assert worker.stop() == 0, worker.text()
    finally:
        valkey.start()


def test_a_short_outage_of_the_database_costs_a_pause_and_no_job(api: Servers) -> None:
    worker = api.start_worker("patient", lease_seconds="20")
    jobs = [gated(api) for _ in range(5)]
    api.until(lambda: all(len(steps(witness)) == 2 for _, witness, _ in jobs), "their second steps run")
    with api.outage():
        for _, _, gate in jobs:
            gate.touch()
        # The steps end while nothing can be written: longer than a few quick tries.
        api.until(lambda: worker.log.read_text().count("journal.not_written") > 8, "writing is tried again and again")
    for job, witness, _ in jobs:
        ended = api.ended(job)
        assert (ended["state"], ended["attempts"]) == ("succeeded", 1), ended
        assert [step for _, step in steps(witness)] == ["first", "second", "third"]
        events = api.journal(job)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_an_outage_longer_than_the_lease_leaves_no_worker_that_only_seems_to_live(api: Servers) -> None:
    worker = api.start_worker("doomed", lease_seconds="1")
    job, witness, gate = gated(api)
    api.until(lambda: len(steps(witness)) == 2, "the second step runs")
    with api.outage():
        api.until(lambda: "lease.lost" in worker.log.read_text(), "the worker has lost its lease")
        api.until(lambda: worker.log.read_text().count("worker.database_error") > 2, "it tries to serve again")
    gate.touch()
    # It serves again, or it has ended and its successor serves.
    api.until(lambda: worker.exit_code is not None or worker.pid in api.registered(), "it serves again or ends")
    serving = api.the_worker("doomed", lease_seconds="5")
    ended = api.ended(job)
    children = [process.name() for process in psutil.Process(serving.pid).children(recursive=True)]
    assert children.count("mutirao shared") == 1
    assert (ended["state"], ended["attempts"]) == ("succeeded", 2)
    assert steps(witness) == [("1", "first"), ("1", "second"), ("2", "second"), ("2", "third")]


def test_a_worker_that_was_stopped_past_its_lease_commits_nothing(api: Servers) -> None:
    sleeper = api.start_worker("sleeper", lease_seconds="1.5")
    job, witness, gate = gated(api)
    api.until(lambda: len(steps(witness)) == 2, "the second step runs")
    sleeper.send(signal.SIGSTOP)
    api.start_worker("other", lease_seconds="1.5")
    api.until(lambda: len(steps(witness)) == 3, "another worker runs the second step again")
    gate.touch()
    ended = api.ended(job)
    assert (ended["state"], ended["attempts"]) == ("succeeded", 2)
    before = api.journal(job)
    sleeper.send(signal.SIGCONT)
    api.until(lambda: _woken(sleeper, api), "the sleeper has noticed")
    assert api.journal(job) == before
    assert api.job(job) == ended
    # Its third step never ran.
    assert steps(witness) == [("1", "first"), ("1", "second"), ("2", "second"), ("2", "third")]


def _woken(sleeper: Program, api: Servers) -> bool:
    """It has ended, or has given its lease up and taken a new one."""
    return sleeper.exit_code is not None or (
        "lease.lost" in sleeper.log.read_text() and sleeper.pid in api.registered()
    )


def test_a_step_that_exits_ends_its_worker_and_after_three_attempts_its_job(api: Servers) -> None:
    api.the_worker("victim", lease_seconds="60")
    job = api.submit("deadly", {"what": "exit"})

    def dead() -> bool:
        api.the_worker("victim", lease_seconds="60")
        return bool(api.job(job)["finished_at"])

    api.until(dead, "the job is dead", 90)
    assert api.job(job)["error"]["code"] == "attempts_exhausted"
    assert api.run("noop")["state"] == "succeeded"


def test_code_that_holds_the_interpreter_is_found_as_well(api: Servers) -> None:
    """The watchdog of such a child cannot speak: that it does not answer is enough."""
    api.the_worker("held", lease_seconds="60")
    job = api.submit("burns", {"witness": str(api.folder / f"w-{uuid4()}"), "how": "c"})
    ended = api.ended(job, 120)
    assert (ended["state"], ended["kind"]) == ("succeeded", "exclusive")


def test_a_step_that_kills_the_mother_of_its_process_is_contained_as_well(api: Servers) -> None:
    job = api.submit("dies", {"witness": str(api.folder / f"w-{uuid4()}"), "how": "mother"})

    def dead() -> bool:
        api.the_worker("orphaned", lease_seconds="60")
        return bool(api.job(job)["finished_at"])

    api.until(dead, "the job is dead", 120)
    assert api.job(job)["error"]["code"] == "attempts_exhausted"
    assert api.run("noop")["state"] == "succeeded"
