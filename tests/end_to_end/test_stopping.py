"""Cancel means now, whatever a step does: synchronous code, C code, other programs, coroutines that refuse."""

import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import psutil
import pytest
from mutirao.stack.embedded import EmbeddedParts
from mutirao.stack.identity import any_alive

from tests.servers import Servers, new_database, own_redis

pytestmark = pytest.mark.end_to_end

# The promise is one second; the rest is for a machine that runs other things at the same time.
CANCEL_SECONDS = 3.0


@pytest.fixture(scope="module")
def servers(embedded: EmbeddedParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("stopping")
    with (
        new_database(embedded.database_url) as url,
        Servers(folder, database_url=url, redis_url=own_redis(embedded.redis_url), env=embedded.env) as made,
    ):
        made.start_api()
        made.start_worker("one")
        yield made


class Witness:
    """The file that a job's steps write lines to: process and number."""

    def __init__(self, servers: Servers) -> None:
        self.path = servers.folder / f"w-{uuid4()}"

    @property
    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def writers(self) -> list[psutil.Process]:
        """Processes that wrote and still run."""
        pids = {int(line.split()[0]) for line in self.lines}
        return [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]


def cancelled(servers: Servers, job: UUID) -> float:
    """Cancel, and wait for the end; the seconds that took."""
    began = time.monotonic()
    assert servers.http.post(f"/jobs/{job}/cancel").status_code == 202
    assert servers.ended(job)["state"] == "cancelled"
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("workflow", "how"),
    [
        ("stubborn", "plain"),
        ("stubborn", "signals"),
        ("stubborn", "c"),
        ("stubborn", "grandchild"),
        ("stubborn", "daemon"),
        ("refuses", "coroutine"),
        ("refuses", "program"),
        ("refuses", "shell"),
        ("refuses", "thread"),
        ("refuses", "task"),
    ],
)
def test_nothing_goes_on_after_a_cancel(servers: Servers, workflow: str, how: str) -> None:
    witness = Witness(servers)
    job = servers.submit(workflow, {"witness": str(witness.path), "how": how})
    servers.until(lambda: witness.lines, "the step has begun")
    seconds = cancelled(servers, job)
    lines = len(witness.lines)
    assert seconds < CANCEL_SECONDS
    # Whoever still ran would write another line within this second job's life.
    assert servers.run("sleep", {"witness": str(Witness(servers).path), "seconds": 0.5})["state"] == "succeeded"
    assert len(witness.lines) == lines
    own = how in ("coroutine", "task")  # the shared child itself writes, and lives on
    assert own or [process for process in witness.writers() if str(witness.path) in " ".join(process.cmdline())] == []


def test_a_step_that_keeps_the_loop_to_itself_is_moved_and_the_others_go_on(servers: Servers) -> None:
    witness, other = Witness(servers), Witness(servers)
    bystander = servers.submit("sleep", {"witness": str(other.path), "seconds": 3})
    servers.until(lambda: servers.job(bystander)["state"] == "running", "the bystander runs")
    job = servers.submit("burns", {"witness": str(witness.path), "how": "4"})
    began = time.monotonic()
    assert servers.ended(bystander)["state"] == "succeeded"
    assert time.monotonic() - began < 12
    ended = servers.ended(job)
    assert (ended["state"], ended["kind"]) == ("succeeded", "exclusive")
    [blocked] = [event for event in servers.journal(job) if event["type"] == "attempt.blocked_loop"]
    assert blocked["step"] == "work"
    assert "stubborn.py" in blocked["data"]["where"]
    assert servers.job(bystander)["kind"] == "shared"


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_a_step_that_ends_its_process_is_dead_after_three_attempts_and_alone(servers: Servers, how: str) -> None:
    witness = Witness(servers)
    others = [servers.submit("sleep", {"witness": str(Witness(servers).path), "seconds": 1}) for _ in range(5)]
    job = servers.submit("dies", {"witness": str(witness.path), "how": how})
    ended = servers.ended(job)
    assert (ended["state"], ended["error"]["code"], ended["attempts"]) == ("dead", "attempts_exhausted", 3)
    assert len(witness.lines) == 3
    assert [servers.ended(other)["state"] for other in others] == ["succeeded"] * 5


def test_a_worker_that_is_killed_leaves_no_process(servers: Servers) -> None:
    witness = Witness(servers)
    worker = servers.the_worker("one")
    servers.submit("stubborn", {"witness": str(witness.path), "how": "daemon"})
    servers.until(lambda: witness.lines, "the step has begun")
    writers = witness.writers()
    assert writers
    psutil.Process(worker.pid).kill()
    servers.until(lambda: not any_alive(writers), "all end", 5)
