"""One scenario's world: a database, a broker, an API, workers and a client of its own, and what was seen in it."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import UUID

import psutil
import psycopg
from mutirao.stack.embedded import EmbeddedParts
from mutirao_workers.inheritance import WAIT_SECONDS
from psycopg.rows import TupleRow

from tests.chaos.client import Client, Wanted
from tests.chaos.evidence import load
from tests.chaos.history import History
from tests.servers import WORKER, OwnValkey, Program, Servers, eventually, new_database

LEASE_SECONDS = 2.0
_WORKER = {
    "lease_seconds": str(LEASE_SECONDS),
    "poll_seconds": "0.3",
    "drain_seconds": "1",
    "worker_slots": "40",
}
_PROJECT = 'workflows = ["./chaos_flows.py"]\nbuiltin = {}\n'
_STUCK_SECONDS = 45.0  # without any job that ends
_MOVED_SECONDS = 40.0
_ENOUGH_SECONDS = 15.0
_REACHED_SECONDS = 30.0
_LOOK_SECONDS = 0.05


class Skipped(Exception):
    """Raised when a scenario cannot be run here; says why."""


class Trial:
    """Started by `with`; everything in it is ended and deleted at the end of the block."""

    def __init__(
        self, parts: EmbeddedParts, parts_folder: Path, folder: Path, seed: int, *, builtin: bool = False
    ) -> None:
        self.parts = parts
        self.parts_folder = parts_folder
        self.folder = folder
        self.random = random.Random(seed)
        self.recoveries: list[float] = []
        self.broken: list[str] = []
        self.notes: list[str] = []
        self.witness = folder / "witness"
        self._builtin = builtin
        self._stack = contextlib.ExitStack()
        self._clients: list[Client] = []
        self._connection: psycopg.Connection[TupleRow] | None = None
        self._workers: dict[str, Program] = {}
        self._settings: dict[str, tuple[dict[str, str], Mapping[str, str]]] = {}
        self.valkey: OwnValkey
        self.servers: Servers
        self.api: Program
        self.client: Client

    def __enter__(self) -> "Trial":
        with contextlib.ExitStack() as stack:
            self.valkey = OwnValkey(self.folder)
            self.valkey.start()
            stack.callback(self.valkey.kill)
            url = stack.enter_context(new_database(self.parts.database_url))
            # What killed servers leave behind is ended before the database is dropped, and after the servers.
            stack.callback(self._end_leftovers)
            env = {**self.parts.env}
            self.servers = stack.enter_context(
                Servers(self.folder, database_url=url, redis_url=self.valkey.url, env=env)
            )
            (self.servers.project / "mutirao.toml").write_text(_PROJECT.format(str(self._builtin).lower()))
            (self.servers.project / "langgraph.json").unlink()
            self.start_api()
            self.client = self.new_client(self.servers.key)
            stack.callback(self._disconnect)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def new_client(self, key: str) -> Client:
        """A client with the key of a project; what it is answered counts."""
        client = Client(self.servers.url, key)
        self._clients.append(client)
        return client

    def start_api(self, **settings: str) -> Program:
        """The API, at the same address each time; returns when it answers."""
        self.api = self.servers.start_api(**settings)
        return self.api

    def postmaster(self) -> int:
        """The process id of the PostgreSQL server, which is this trial's own in a scenario with `own_postgres`."""
        return int((self.parts_folder / "postgres" / "postmaster.pid").read_text().split()[0])

    # Workers

    def start_worker(
        self, name: str, *, wait: bool = True, env: Mapping[str, str] | None = None, **settings: str
    ) -> Program:
        """A worker of that name, restarted by `look_after` when it ends; returns when it is registered."""
        merged = _WORKER | settings
        self._settings[name] = (merged, env or {})
        since = self.now()
        variables = {f"MUTIRAO_{key.upper()}": value for key, value in merged.items()}
        program = self.servers.start(WORKER, name, {**variables, "MUTIRAO_WORKER_NAME": name, **(env or {})})
        self._workers[name] = program
        if wait:
            self.until(
                lambda: self._registered(name, since) or program.exit_code is not None, f"{name!r} is registered"
            )
        return program

    def kill_worker(self, name: str) -> None:
        """SIGKILL to the worker's whole group: as if its host were gone."""
        self._workers[name].kill()

    def stop_worker(self, name: str) -> int:
        """SIGTERM, and no start again; the exit code."""
        self.forget_worker(name)
        leaving = self._workers[name]
        leaving.send(signal.SIGTERM)
        return leaving.wait(30)

    def worker(self, name: str) -> Program:
        """The last started process of that name."""
        return self._workers[name]

    def forget_worker(self, name: str) -> None:
        """Do not start it again."""
        self._settings.pop(name, None)

    def look_after(self) -> None:
        """Start workers again that have ended, without any fault armed, as a supervisor does."""
        for name, (settings, env) in list(self._settings.items()):
            if self._workers[name].exit_code is not None:
                unarmed = {key: value for key, value in settings.items() if key != "faults"}
                self.start_worker(name, wait=False, env=env, **unarmed)

    def tree(self, name: str) -> list[int]:
        """Process ids of a worker and of all that it has started."""
        pid = self._workers[name].pid
        with contextlib.suppress(psutil.NoSuchProcess):
            return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        return []

    def send(self, pids: Sequence[int], number: signal.Signals) -> None:
        """A signal to each process that still is."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def hit(self, program: Program) -> bool:
        """Wait until a fault has happened in a process or in what it has started."""
        reached = self.attempt(lambda: b"fault.hit" in program.log.read_bytes(), _REACHED_SECONDS)
        self.require(reached, "the fault point was never reached: nothing was tested")
        return reached

    def of_worker(self, name: str, least: int = 1) -> list[tuple[UUID, int]]:
        """(job, attempt) of what runs in a worker, as soon as at least so many do."""
        return self.running(least, "AND worker_id IN (SELECT id FROM workers WHERE name = %s)", name)

    # Jobs

    def wanted(self, workflow: str, *, seconds: float = 0.0, **more: Any) -> Wanted:
        """A job of one of our workflows."""
        effects = int(workflow == "chaos.effect")
        return Wanted(workflow, {"witness": str(self.witness), "seconds": seconds}, effects=effects, **more)

    def mixed(self, count: int, seconds: float = 0.05) -> list[Wanted]:
        """That many cheap jobs of one step, of three, and with an effect."""
        kinds = ("chaos.one", "chaos.three", "chaos.effect")
        return [
            self.wanted(self.random.choices(kinds, (2, 2, 1))[0], seconds=seconds * self.random.random())
            for _ in range(count)
        ]

    @contextlib.contextmanager
    def submitting(self, wanted: Sequence[Wanted], batch: int = 8) -> Iterator[threading.Event]:
        """Submit beneath the block; at its end all are accepted. The event is set when they are."""
        done, failures = threading.Event(), []

        def run() -> None:
            try:
                for first in range(0, len(wanted), batch):
                    self.client.submit_all(wanted[first : first + batch])
            except BaseException as error:  # noqa: BLE001 (raised in the thread that waits)
                failures.append(error)
            finally:
                done.set()

        thread = threading.Thread(target=run, name="submitting", daemon=True)
        thread.start()
        yield done
        thread.join(timeout=120)
        if failures:
            raise failures[0]
        assert done.is_set(), "submitting did not end"

    def running(self, least: int = 1, where: str = "", *values: Any) -> list[tuple[UUID, int]]:
        """(job, attempt) of what runs, as soon as at least so many do; fewer after a while, which is noted."""
        found: list[tuple[Any, ...]] = []

        def enough() -> bool:
            nonlocal found
            found = self.sql(f"SELECT id, epoch FROM jobs WHERE state = 'running' {where}", *values)
            return len(found) >= least

        if not self.attempt(enough, _ENOUGH_SECONDS):
            self.notes.append(f"only {len(found)} jobs ran when a fault came")
        return [(job, epoch) for job, epoch in found]

    @contextlib.contextmanager
    def recovery(self, victims: Sequence[tuple[UUID, int]]) -> Iterator[None]:
        """Measures from the begin of the block, where the harm is done, until each victim has ended or begun anew."""
        began = time.monotonic()
        yield
        jobs, epochs = [job for job, _ in victims], [epoch for _, epoch in victims]

        def moved() -> bool:
            self.look_after()
            left = self.sql(
                "SELECT count(*) FROM unnest(%s::uuid[], %s::int[]) AS v(id, held) JOIN jobs j ON j.id = v.id"
                " WHERE j.finished_at IS NULL AND j.epoch <= v.held",
                jobs,
                epochs,
            )
            return left == [(0,)]

        if self.attempt(moved, _MOVED_SECONDS):
            self.recoveries.append(time.monotonic() - began)
        else:
            self.broken.append(f"jobs that a fault has hit did not run again within {_MOVED_SECONDS:g} s")

    def canary(self, began: float) -> None:
        """A job of one step from submission to end; notes the seconds since `began`."""
        job = self.client.submit(self.wanted("chaos.one"))

        def ended() -> bool:
            self.look_after()
            return bool(self.sql("SELECT 1 FROM jobs WHERE id = %s AND finished_at IS NOT NULL", job))

        if self.attempt(ended, _MOVED_SECONDS):
            self.recoveries.append(time.monotonic() - began)
        else:
            self.broken.append(f"a job submitted after the fault had not ended within {_MOVED_SECONDS:g} s")

    @contextlib.contextmanager
    def progress(self) -> Iterator[None]:
        """Measures from the begin of the block until another attempt begins."""
        began, before = time.monotonic(), self._begun()
        yield
        if self.attempt(lambda: self._begun() > before, _MOVED_SECONDS):
            self.recoveries.append(time.monotonic() - began)
        else:
            self.broken.append(f"no attempt began within {_MOVED_SECONDS:g} s after a fault")

    def settle(self) -> None:
        """Wait until every job has ended, or until none ends any more; workers that have died are started again."""
        left, since = -1, time.monotonic()
        while True:
            self.look_after()
            [(now,)] = self.sql("SELECT count(*) FROM jobs WHERE finished_at IS NULL")
            if now == 0:
                return
            if now != left:
                left, since = now, time.monotonic()
            if time.monotonic() - since > _STUCK_SECONDS:
                return  # the history says which
            time.sleep(_LOOK_SECONDS)

    def history(self) -> History:
        """What there is to know now. The journals are left in the trial's folder, for whoever looks for a cause."""
        rows = self.sql("SELECT row_to_json(e)::text FROM events e ORDER BY job_id, seq")
        (self.folder / "journal.jsonl").write_text("".join(f"{row}\n" for (row,) in rows))
        return load(
            self.servers.database_url,
            accepted=[one for client in self._clients for one in client.accepted],
            witness=self.witness,
            logs=[path for path in self.folder.glob("*.log") if not path.name.startswith(("api-", "valkey"))],
            two_jobs=[pair for client in self._clients for pair in client.two_jobs],
        )

    # The rest

    def require(self, condition: object, promise: str) -> None:
        """A promise of this scenario alone."""
        if not condition:
            self.broken.append(promise)

    def now(self) -> Any:
        """The database's time."""
        return self.sql("SELECT clock_timestamp()")[0][0]

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of one statement; a database that is away is waited for."""
        deadline = time.monotonic() + _MOVED_SECONDS
        while True:
            try:
                if self._connection is None or self._connection.broken:
                    self._connection = psycopg.connect(self.servers.database_url, autocommit=True, connect_timeout=5)
                return self._connection.execute(statement.encode(), values).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_SECONDS)

    def until(self, condition: Callable[[], Any], what: str, seconds: float = 60) -> None:
        """Wait for a condition; fails with the logs."""
        eventually(condition, what, seconds, logs=self.servers.logs)

    def attempt(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition; whether it came in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def _begun(self) -> int:
        self.look_after()
        return int(self.sql("SELECT count(*) FROM attempts")[0][0])

    def _registered(self, name: str, since: Any) -> bool:
        return bool(
            self.sql(
                "SELECT 1 FROM workers w WHERE name = %s AND started_at >= %s AND lease_expires_at > now()"
                " AND EXISTS (SELECT 1 FROM worker_workflows s WHERE s.worker_id = w.id)",
                name,
                since,
            )
        )

    def _disconnect(self) -> None:
        for client in self._clients:
            client.close()
        if self._connection is not None:
            self._connection.close()

    def _end_leftovers(self) -> None:
        """End what outlived its killed parent: nothing may for long."""
        left: list[psutil.Process] = []

        def gone() -> bool:
            left[:] = _living(str(self.folder / "home"))
            return not left

        # A zygote whose worker was killed waits a while for a successor.
        if not self.attempt(gone, 5 + WAIT_SECONDS):
            for process in left:
                with contextlib.suppress(psutil.Error):
                    self.broken.append(f"a process outlived its worker: {' '.join(process.cmdline())[:120]}")
                    process.kill()


def _living(home: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("MUTIRAO_HOME") == home and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
