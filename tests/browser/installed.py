"""The wheel, built and installed for the session, and the stack that is started from it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from mutirao.client import Client
from mutirao.client.connection import IDLE_SECONDS
from mutirao.jobs.records import Job
from mutirao.stack.home import Home
from mutirao.stack.status import Run, read_run

from tests.servers import Program, eventually

ROOT = Path(__file__).parents[2]
BUILD_SECONDS = 240.0
START_SECONDS = 90.0
END_SECONDS = 60.0


def install_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout and install it, without what it depends on; where it then is."""
    wheels, installed = folder / "wheels", folder / "installed"
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)])
    [wheel] = wheels.glob("*.whl")
    # The rest is there already: what the lock pins.
    quietly = ["install", "-q", "--no-deps", "--no-index", "--target", str(installed), str(wheel)]
    _run([sys.executable, "-m", "pip", *quietly])
    return installed


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BUILD_SECONDS)
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout}\n{ran.stderr}"


class Site:
    """A running stack: where its page and its API are, and what tests want of them.

    `client` has all verbs of the API with the key of the project, `http` is for what is not one.
    """

    def __init__(self, url: str, key: str, project: Path, pids: dict[str, int | None]) -> None:
        self.url = url
        self._pids = pids
        self.key = key
        self.project = project
        self.client = Client(url, key)
        self.http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False,
            limits=httpx.Limits(keepalive_expiry=IDLE_SECONDS),
        )  # fmt: skip

    def close(self) -> None:
        self.client.close()
        self.http.close()

    def pid_of(self, part: str) -> int:
        """The process of a part of the stack: `api`, `worker`."""
        found = self._pids[part]
        assert found is not None
        return found

    def post(self, path: str, body: Any = None, key: str | None = None) -> Any:
        """What the API answers; with another key than its own, where one is given."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = self.http.post(f"/api/v1{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def link(self, key: str | None = None) -> str:
        """An address that signs one browser in, once."""
        return str(self.post("/session/links", key=key)["url"])

    def key_with(self, *scopes: str) -> str:
        """A new key that may do just this."""
        return str(self.post("/keys", {"name": "-".join(scopes), "scopes": scopes})["key"])

    def submit(self, workflow: str, given: dict[str, Any] | None = None, **options: Any) -> Job:
        """A new job."""
        return self.client.submit(workflow, given or {}, **options)

    def until(self, job: Job | UUID, *states: str, seconds: float = END_SECONDS) -> Job:
        """The job, once it is in one of these states; once it has ended, where none is named."""
        job_id = job if isinstance(job, UUID) else job.id

        def look() -> Job | None:
            found = self.client.job(job_id)
            return found if (found.state in states if states else found.finished_at) else None

        what = f"job {job_id} is {' or '.join(states) or 'over'}"
        found = eventually(look, what, seconds, logs=lambda: repr(self.client.job(job_id)))
        assert found is not None
        return found

    def ran(self, workflow: str, given: dict[str, Any] | None = None, *states: str) -> Job:
        """A new job, once it has ended, or is in one of these states."""
        return self.until(self.submit(workflow, given), *states)


@contextmanager
def running_site(installed: Path, folder: Path, project: Path) -> Iterator[Site]:
    """`mutirao up` of the installed wheel in the folder of a project, on a data folder and ports of its own."""
    home = folder / "home"
    env = {name: value for name, value in os.environ.items() if not name.startswith("MUTIRAO_")}
    env |= {
        "PYTHONPATH": str(installed),
        "MUTIRAO_HOME": str(home),
        "MUTIRAO_MODEL": "scripted",
        "MUTIRAO_STREAM_HEARTBEAT_SECONDS": "2",
        "NO_PROXY": "127.0.0.1",
    }
    command = [str(installed / "bin" / "mutirao"), "up", "--no-open"]
    stack = Program("mutirao up", command, env, project, folder / "up.log")

    def ready() -> Run | None:
        assert stack.exit_code is None, stack.text()
        run = read_run(Home(home))
        return run if run is not None and run.state == "ready" else None

    try:
        run = eventually(ready, "the stack is ready", START_SECONDS, logs=stack.text)
        assert run is not None
        assert run.url is not None
        pids = {part.name: part.pid for part in run.parts}
        site = Site(run.url, (home / "api.key").read_text(encoding="utf-8").strip(), project, pids)
        try:
            yield site
        finally:
            site.close()
        assert stack.stop(30) == 0, stack.text()
    finally:
        stack.kill()
