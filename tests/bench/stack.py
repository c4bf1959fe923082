"""The servers and processes a benchmark runs against, started for it and ended after it."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from mutirao.db.migrate import upgrade
from mutirao.projects import new_key_text
from mutirao.stack.embedded import EmbeddedParts

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class BenchStack:
    """Where the API is, its key, and the environment of the processes."""

    url: str
    key: str
    env: dict[str, str]
    pids: dict[str, int]

    def client(self, connections: int = 16) -> httpx.AsyncClient:
        """A client with the key."""
        return httpx.AsyncClient(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=120,
            trust_env=False,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )


@contextlib.contextmanager
def bench_stack() -> Iterator[BenchStack]:
    """PostgreSQL, Valkey, API, one worker process, and the floor's Celery worker with two processes."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedParts(Path(folder), ("postgres", "valkey")) as parts:
        env = _environment(parts, Path(folder))
        upgrade(parts.database_url)
        (Path(folder) / "project").mkdir()
        (Path(folder) / "project" / "mutirao.toml").write_text(
            'workflows = ["tests.bench.workflows"]\nbuiltin = false\n'
        )
        commands = {
            "api": [sys.executable, "-m", "mutirao.api"],
            "worker": [sys.executable, "-m", "mutirao_workers"],
            "floor": [
                sys.executable, "-m", "celery", "-A", "tests.bench.floor", "worker", "-c", "2", "-l", "ERROR",
                "--without-gossip", "--without-mingle", "--without-heartbeat",
            ],
        }  # fmt: skip
        with contextlib.ExitStack() as running:
            pids = {
                name: running.enter_context(_process(name, command, env, Path(folder)))
                for name, command in commands.items()
            }
            stack = BenchStack(f"http://127.0.0.1:{env['MUTIRAO_API_PORT']}", env["MUTIRAO_API_KEY"], env, pids)
            _wait_ready(stack, Path(folder))
            yield stack


def _environment(parts: EmbeddedParts, folder: Path) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MUTIRAO_")}
    return plain | {
        "MUTIRAO_DATABASE_URL": parts.database_url,
        "MUTIRAO_REDIS_URL": parts.redis_url,
        "MUTIRAO_HOME": str(folder),
        "MUTIRAO_MODEL": "none",
        "MUTIRAO_API_PORT": str(port),
        "MUTIRAO_API_KEY": new_key_text(),
        "MUTIRAO_WORKER_NAME": f"bench-{secrets.token_hex(3)}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *(str(ROOT / part) for part in ("platform", "agents", "workers"))]),
        "LANGSMITH_TRACING": "false",
    }


@contextlib.contextmanager
def _process(name: str, command: list[str], env: dict[str, str], folder: Path) -> Iterator[int]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=env, cwd=folder / "project", stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process.pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_ready(stack: BenchStack, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{stack.url}/readyz", trust_env=False, timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    logs = "\n".join(f"== {log.name}\n{log.read_text()[-1500:]}" for log in folder.glob("*.log"))
    raise RuntimeError(f"the stack was not ready in time\n{logs}")
