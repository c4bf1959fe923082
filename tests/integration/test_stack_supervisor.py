"""The supervisor of the embedded stack against crashes, signals and neighbours: nothing may be left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from mutirao.stack.home import read_record
from mutirao.stack.identity import mark_of
from mutirao.stack.part import PartState

from tests.stacks import SERVERS, Stack, nothing_left, stacks_on, wait_for

pytestmark = pytest.mark.integration


@pytest.fixture
def stacks(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Makes stacks on the folder `home` of this test; ends them all."""
    with stacks_on(tmp_path / "home") as make:
        yield make


def test_it_starts_twice_on_the_same_ports_and_leaves_nothing(stacks: Callable[..., Stack], tmp_path: Path) -> None:
    first = stacks().until_ready()
    ports = {name: first.part(name).port for name in SERVERS}
    first.interrupt()
    assert first.ended() == 0
    nothing_left(tmp_path / "home")

    second = stacks().until_ready()
    assert {name: second.part(name).port for name in SERVERS} == ports
    for name in SERVERS:
        assert f"{name:<10}ready" in second.said
    second.process.terminate()
    assert second.ended() == 0
    nothing_left(tmp_path / "home")


def test_a_second_one_on_the_same_folder_refuses(stacks: Callable[..., Stack]) -> None:
    first = stacks("valkey").until_ready()
    second = stacks("valkey")
    assert second.ended() == 1
    assert f"a stack is already running on '{first.home.path}' (process {first.process.pid}," in second.said
    assert "`mutirao down`" in second.said
    assert first.is_ready()


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_part_is_started_again(stacks: Callable[..., Stack], name: str) -> None:
    stack = stacks(name).until_ready()
    before = stack.part(name)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)

    def is_back() -> bool:
        now = stack.part(name)
        return now.state is PartState.READY and now.pid != before.pid and now.restarts >= 1

    wait_for(f"{name} serves again", is_back)
    assert "ended with SIGKILL" in stack.said
    assert "starting again in 0.2 s" in stack.said
    assert stack.part(name).port == before.port


# What the data folder looks like at the moment of the interruption; the last one is a stack that serves.
PHASES: dict[str, Callable[[Stack], bool]] = {
    "folder made": lambda stack: stack.home.lock.exists(),
    "secrets made": lambda stack: (stack.home.secrets / "valkey.password").exists(),
    "initdb begins": lambda stack: (stack.home.path / "postgres.new").exists(),
    "initdb half done": lambda stack: (stack.home.path / "postgres.new" / "base").exists(),
    "cluster made": lambda stack: (stack.home.path / "postgres" / "PG_VERSION").exists(),
    "database starting": lambda stack: stack.part("postgres").state is PartState.STARTING,
    "ready": Stack.is_ready,
}


@pytest.mark.parametrize(
    ("phase", "signals"), [*((phase, 1) for phase in PHASES), ("initdb half done", 2), ("ready", 2)]
)
def test_an_interrupt_leaves_nothing_whenever_it_comes(
    stacks: Callable[..., Stack], tmp_path: Path, phase: str, signals: int
) -> None:
    stack = stacks()
    wait_for(phase, lambda: PHASES[phase](stack))
    began = time.monotonic()
    for _ in range(signals):
        stack.interrupt()
    assert stack.ended() == 0, stack.said
    assert time.monotonic() - began < 10
    nothing_left(tmp_path / "home")
    assert not (tmp_path / "home" / "postgres.new").exists()
    assert not (tmp_path / "home" / "postgres.password.new").exists()


def test_after_an_interrupted_first_start_the_next_one_works(stacks: Callable[..., Stack]) -> None:
    stack = stacks("postgres")
    wait_for("initdb runs", (stack.home.path / "postgres.new" / "base").exists)
    stack.interrupt()
    assert stack.ended() == 0
    stacks("postgres").until_ready()


@pytest.mark.parametrize("phase", ["initdb half done", "ready"])
def test_a_killed_supervisor_takes_everything_with_it(stacks: Callable[..., Stack], tmp_path: Path, phase: str) -> None:
    stack = stacks()
    wait_for(phase, lambda: PHASES[phase](stack))
    stack.process.kill()
    stack.process.wait()
    if sys.platform.startswith("linux"):  # elsewhere the next start ends what is left
        nothing_left(tmp_path / "home", 10)
    stacks().until_ready()


def test_orphans_of_a_killed_run_are_ended(stacks: Callable[..., Stack]) -> None:
    """As on a system that does not tell processes of their parent's end."""
    first = stacks("valkey").until_ready()
    orphan = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env={"MUTIRAO_HOME": str(first.home.path)},
        start_new_session=True,
    )
    record = read_record(first.home.run_file)
    first.process.kill()
    first.process.wait()
    record["parts"][0] |= {"pid": orphan.pid, "mark": mark_of(orphan.pid)}
    first.home.run_file.write_text(json.dumps(record))
    second = stacks("valkey").until_ready()
    assert orphan.wait(10) == -signal.SIGTERM
    assert "valkey of an earlier run was still there" in second.said


def test_a_process_that_only_has_the_number_of_an_old_part_is_left_alone(stacks: Callable[..., Stack]) -> None:
    first = stacks("valkey").until_ready()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    record = read_record(first.home.run_file)
    first.process.kill()
    first.process.wait()
    record["parts"][0] |= {"pid": bystander.pid, "mark": "another-boot:1"}
    first.home.run_file.write_text(json.dumps(record))
    try:
        stacks("valkey").until_ready()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_taken_port_is_replaced_and_said(stacks: Callable[..., Stack]) -> None:
    first = stacks("valkey").until_ready()
    port = first.part("valkey").port
    assert port is not None
    first.interrupt()
    first.ended()
    with socket.create_server(("127.0.0.1", port)):
        second = stacks("valkey").until_ready()
        other = second.part("valkey").port
        assert other != port
        assert f"port {port} of valkey is taken by another program; using {other}" in second.said


def test_a_part_with_a_url_is_not_started(stacks: Callable[..., Stack]) -> None:
    stack = stacks("postgres", "valkey", MUTIRAO_DATABASE_URL="postgresql://someone:pw@db.example/jobs").until_ready()
    assert stack.part("postgres").state is PartState.EXTERNAL
    assert stack.part("postgres").pid is None
    assert not (stack.home.path / "postgres").exists()
    assert "pw@" not in stack.said


def test_a_part_that_cannot_start_is_shown_with_its_last_lines(stacks: Callable[..., Stack], tmp_path: Path) -> None:
    first = stacks("valkey").until_ready()
    first.interrupt()
    first.ended()
    (tmp_path / "home" / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    second = stacks("valkey", "chroma")
    assert second.ended(30) == 1
    assert "valkey ended with exit code 1" in second.said
    assert "Invalid AOF manifest" in second.said.rpartition("its last lines:")[2]
    nothing_left(tmp_path / "home")


def test_no_secret_is_on_a_command_line_or_readable(stacks: Callable[..., Stack]) -> None:
    stack = stacks("postgres", "valkey").until_ready()
    secrets = [path.read_text() for path in stack.home.secrets.iterdir()]
    assert len(secrets) == 2
    for name in ("postgres", "valkey"):
        words = " ".join(psutil.Process(stack.part(name).pid).cmdline())
        assert not any(secret in words for secret in secrets)
    for path in [*stack.home.secrets.iterdir(), stack.home.path / "valkey" / "valkey.conf"]:
        assert path.stat().st_mode & 0o077 == 0


def test_parts_listen_on_loopback_only(stacks: Callable[..., Stack]) -> None:
    stack = stacks().until_ready()
    for name in SERVERS:
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(stack.part(name).pid).net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening == ["127.0.0.1"]


def test_an_unready_model_file_is_said_and_the_rest_runs(stacks: Callable[..., Stack], tmp_path: Path) -> None:
    blocked = tmp_path / "models"
    blocked.write_text("a file where the folder should be")
    stack = stacks("valkey", "model", MUTIRAO_MODELS_DIR=str(blocked)).until_ready()
    assert stack.part("model").state is PartState.MISSING
    assert "cannot be written" in stack.part("model").detail
    assert stack.part("valkey").state is PartState.READY


def test_without_the_built_in_model_there_is_no_model_server(stacks: Callable[..., Stack]) -> None:
    stack = stacks("valkey", "model", MUTIRAO_MODEL="none").until_ready()
    assert stack.part("model").state is PartState.OFF
