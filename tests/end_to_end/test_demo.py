"""`mutirao demo`, without a model: the report is made of quotes, and nothing is left running."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mutirao.stack.home import Home
from mutirao.stack.lock import is_held

from tests.servers import Program, eventually
from tests.stacks import nothing_left

pytestmark = pytest.mark.end_to_end

MUTIRAO = str(Path(sys.executable).with_name("mutirao"))
STOP_SECONDS = 12


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts `mutirao demo` on the data folder `home` of this test; a test that fails leaves nothing, either."""
    names = {name: value for name, value in os.environ.items() if not name.startswith("MUTIRAO_")}
    env = {**names, "MUTIRAO_HOME": str(tmp_path / "home"), "MUTIRAO_MODEL": "none"}
    started: list[Program] = []

    def start(*arguments: str) -> Program:
        started.append(Program("mutirao demo", [MUTIRAO, "demo", *arguments], env, tmp_path, tmp_path / "log"))
        return started[-1]

    yield start
    for program in started:
        program.kill()
    subprocess.run([MUTIRAO, "down"], env=env, cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.timeout(300)
def test_the_demo_writes_a_report_and_leaves_nothing_running(demo: Callable[..., Program], tmp_path: Path) -> None:
    program = demo()
    assert program.wait(280) == 0, program.text()
    out = tmp_path / "demo-output"
    assert {path.name for path in out.iterdir()} == {"report.md", "report.docx", "citations.json", "quality.json"}
    citations = json.loads((out / "citations.json").read_text(encoding="utf-8"))
    assert citations["citations"]
    text = program.text()
    assert "12/12" in text
    assert "demo-output/report.md" in text
    assert (out / "report.md").read_text(encoding="utf-8").splitlines()[0] in text
    assert "seconds: start " in text
    assert not is_held(Home(tmp_path / "home"))
    nothing_left(tmp_path / "home")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_stops_what_it_started(
    demo: Callable[..., Program], tmp_path: Path, number: signal.Signals
) -> None:
    program = demo()
    eventually(
        lambda: "ready in" in program.text() or "postgres  ready" in program.text(), "it starts", logs=program.text
    )
    began = time.monotonic()
    program.send(number)
    assert program.wait(STOP_SECONDS) == 130, program.text()
    assert time.monotonic() - began < STOP_SECONDS
    assert "Traceback" not in program.text()
    nothing_left(tmp_path / "home")
