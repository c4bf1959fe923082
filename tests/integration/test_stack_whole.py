"""The whole embedded stack: every part, API and worker included."""

import http.client
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from mutirao.settings import load_settings
from mutirao.stack.background import resident_mb
from mutirao.stack.part import PartState

from tests.stacks import Stack, nothing_left, stacks_on, wait_for

pytestmark = pytest.mark.integration

PARTS = ("postgres", "valkey", "chroma", "model", "api", "worker")
LARGEST_MB = 1_200


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Callable[[], Stack]]:
    """Makes whole stacks on the folder `home` of this test; `make setup` got the model's file."""
    models = str(load_settings().stack.models_path.absolute())
    with stacks_on(tmp_path / "home") as make:
        yield lambda: make(*PARTS, MUTIRAO_MODELS_DIR=models)


def ready_parts(url: str) -> dict[str, bool]:
    try:
        return {name: part["ok"] for name, part in httpx.get(f"{url}/readyz").json()["parts"].items()}
    except httpx.TransportError:
        return {}


def all_answer(url: str) -> bool:
    """The API asks once a second at most: what it says may be of a moment ago."""
    return ready_parts(url) == dict.fromkeys(("database", "redis", "chroma", "model", "workers"), True)


def url_of(stack: Stack) -> str:
    return f"http://127.0.0.1:{stack.part('api').port}"


def test_everything_serves_within_the_memory_promised_and_comes_back(whole: Callable[[], Stack]) -> None:
    stack = whole().until_ready()
    url, key = url_of(stack), stack.home.api_key_file.read_text().strip()
    wait_for("every part answers", partial(all_answer, url))
    assert httpx.get(f"{url}/api/v1/jobs").status_code == http.client.UNAUTHORIZED
    assert httpx.get(f"{url}/api/v1/jobs", headers={"Authorization": f"Bearer {key}"}).is_success
    assert f"API  {url}" in stack.said
    assert key not in stack.said
    memory = resident_mb(stack.process.pid)
    assert memory is not None
    assert memory < LARGEST_MB

    for name in ("api", "worker", "model"):
        pid = stack.part(name).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    for name in ("api", "worker", "model"):
        wait_for(f"{name} is back", partial(is_back, stack, name))
    wait_for("every part answers again", partial(all_answer, url))

    stack.interrupt()
    assert stack.ended() == 0
    nothing_left(stack.home.path)
    again = whole().until_ready()
    assert url_of(again) == url
    assert again.home.api_key_file.read_text().strip() == key


def is_back(stack: Stack, name: str) -> bool:
    status = stack.part(name)
    return status.state is PartState.READY and status.restarts == 1


@pytest.mark.parametrize("name", ["migration", "api", "worker"])
def test_an_interrupt_while_programs_load_leaves_nothing(whole: Callable[[], Stack], tmp_path: Path, name: str) -> None:
    stack = whole()
    if name == "migration":
        wait_for("the migration runs", stack.home.log_of("migration").exists)
    else:
        wait_for(f"{name} starts", lambda: stack.part(name).state is PartState.STARTING)
    began = time.monotonic()
    stack.interrupt()
    assert stack.ended() == 0
    assert time.monotonic() - began < 10
    nothing_left(tmp_path / "home")
