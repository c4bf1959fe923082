"""The commands and health checks of `docker-compose.yml`, run outside a container with the environment it gives them.

Only what a container would supply is replaced: the folder of secrets, host names, the port, the volume.
"""

import os
import re
import secrets as random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import yaml
from mutirao.samples import sample_documents
from mutirao.stack.embedded import EmbeddedParts

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
READY_SECONDS = 60.0
STOP_SECONDS = 30.0


@pytest.fixture(scope="module")
def empty_database(embedded: EmbeddedParts) -> Iterator[str]:
    """A database as PostgreSQL's container makes it: there, and without a schema."""
    name = f"deploy_{random.token_hex(6)}"
    with psycopg.connect(embedded.database_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield f"{embedded.database_url.rpartition('/')[0]}/{name}"
    with psycopg.connect(embedded.database_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Deployment:
    """Runs services of the compose file as processes of this machine."""

    def __init__(self, embedded: EmbeddedParts, database_url: str, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.secrets = folder / "secrets"
        subprocess.run(["sh", ROOT / "deploy" / "new-secrets", self.secrets], check=True, capture_output=True)
        self._replace("database_url", database_url)
        self._replace("redis_url", embedded.redis_url)
        self._moved = {
            "/run/secrets": str(self.secrets),
            "http://chroma:8000": embedded.chroma_url,
            "/var/lib/mutirao": str(folder / "var"),
            "/opt/mutirao/worker_health.py": str(ROOT / "deploy" / "worker_health.py"),
            "0.0.0.0": "127.0.0.1",
            "8080": str(self.port),
        }
        (folder / "var" / "artifacts").mkdir(parents=True)
        (folder / "project").mkdir()

    def _replace(self, secret: str, text: str) -> None:
        path = self.secrets / secret
        path.chmod(0o600)
        path.write_text(text + "\n", encoding="utf-8")

    def moved(self, text: str) -> str:
        """`text` with what a container would supply replaced by what this machine has."""
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
        for inside, outside in self._moved.items():
            text = text.replace(inside, outside)
        return text

    def environment(self, service: str) -> dict[str, str]:
        """What the container's process would see, and nothing of this process."""
        dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").rpartition("\nENV ")[2]
        image = dict(re.findall(r"\b([A-Z_]+)=(\S+)", dockerfile.partition("\nRUN ")[0]))
        given = {name: str(value) for name, value in COMPOSE["services"][service].get("environment", {}).items()}
        path = f"{Path(sys.executable).parent}:{os.defpath}"
        return {name: self.moved(value) for name, value in {**image, **given}.items()} | {"PATH": path}

    def command(self, words: list[str]) -> list[str]:
        """A command with its program looked up beside this interpreter, as the image's PATH does."""
        program = Path(sys.executable).with_name(words[0])
        return [str(program) if program.exists() else words[0], *map(self.moved, words[1:])]

    def run(self, service: str, words: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the service's command, or another one in its place, to its end."""
        return subprocess.run(
            self.command(words or COMPOSE["services"][service]["command"]),
            cwd=self.folder / "project",
            env=self.environment(service),
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
        )

    def healthy(self, service: str) -> bool:
        """What the service's own health check says."""
        kind, *words = COMPOSE["services"][service]["healthcheck"]["test"]
        assert kind == "CMD"
        return self.run(service, words).returncode == 0

    @contextmanager
    def running(self, service: str) -> Iterator[subprocess.Popen[bytes]]:
        """The service's command, running until the end of the block."""
        with (self.folder / f"{service}.log").open("wb") as log:
            process = subprocess.Popen(
                self.command(COMPOSE["services"][service]["command"]),
                cwd=self.folder / "project",
                env=self.environment(service),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    def log(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text(encoding="utf-8")

    def client(self) -> httpx.Client:
        """A client with the key of the secrets."""
        key = (self.secrets / "api_key").read_text(encoding="utf-8").strip()
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/api/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=READY_SECONDS,
            trust_env=False,
        )

    def status(self, path: str) -> int:
        """Status of a GET on the API; 0 while nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()


@pytest.fixture(scope="module")
def deployment(embedded: EmbeddedParts, empty_database: str, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return Deployment(embedded, empty_database, tmp_path_factory.mktemp("deployment"))


def until(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Whether the condition came true in time and while the process was running."""
    deadline = time.monotonic() + READY_SECONDS
    while not true():
        if time.monotonic() > deadline or process.poll() is not None:
            return False
        time.sleep(0.1)
    return True


def test_the_migration_makes_the_schema_and_may_run_again(deployment: Deployment, empty_database: str) -> None:
    for _ in range(2):
        ran = deployment.run("migrate")
        assert ran.returncode == 0, ran.stderr
    with psycopg.connect(empty_database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert ("jobs",) in tables


def test_api_and_worker_become_ready_and_healthy_and_stop_when_asked(deployment: Deployment) -> None:
    assert deployment.run("migrate").returncode == 0
    with deployment.running("api") as api, deployment.running("worker") as worker:
        assert until(lambda: deployment.status("/livez") == 200, api), deployment.log("api")
        assert deployment.healthy("api")
        assert until(lambda: deployment.healthy("worker"), worker), deployment.log("worker")
        assert until(lambda: deployment.status("/readyz") == 200, api), deployment.log("api")
        index_a_document(deployment)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(STOP_SECONDS) == 0, deployment.log("worker")
        assert not deployment.healthy("worker")
        assert deployment.status("/readyz") == 503
        api.send_signal(signal.SIGTERM)
        api.wait(STOP_SECONDS)
    assert not deployment.healthy("api")


def index_a_document(deployment: Deployment) -> None:
    """What the API stores in the shared volume the worker reads, embeds and puts into Chroma."""
    page = sample_documents()[0]
    with deployment.client() as client:
        added = client.post("/collections/deployed/documents", files={"file": (page.name, page.read_bytes())})
        assert added.status_code == 202, added.text
        ended = client.get(f"/jobs/{added.json()['job']['id']}", params={"wait": 60}).json()
    assert ended["state"] == "succeeded", ended


def test_the_key_of_the_secrets_opens_the_api(deployment: Deployment) -> None:
    assert deployment.run("migrate").returncode == 0
    with deployment.running("api") as api, deployment.client() as client:
        assert until(lambda: deployment.status("/livez") == 200, api), deployment.log("api")
        assert client.get("/jobs").status_code == 200
        assert deployment.status("/api/v1/jobs") == 401
    assert client.headers["Authorization"].removeprefix("Bearer ") not in deployment.log("api")


def test_the_health_check_of_chroma_asks_chroma(embedded: EmbeddedParts) -> None:
    kind, *words = COMPOSE["services"]["chroma"]["healthcheck"]["test"]
    assert kind == "CMD"

    def answer(port: int | None) -> int:
        command = [word.replace("/8000", f"/{port}") for word in words]
        return subprocess.run(command, capture_output=True, timeout=10).returncode

    assert answer(urlsplit(embedded.chroma_url).port) == 0
    assert answer(free_port()) != 0
