"""`python -m tests.bench.durability [name …]`: how long recovery, cancel and isolation take, one figure a promise.

Real servers, real kills, on loopback. It prints JSON and asserts nothing about time; what must never happen (a line
written after a cancel was acknowledged, a finished step run again) is counted and printed.
"""

import contextlib
import json
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil
from mutirao.stack.embedded import EmbeddedParts

from tests.bench.fairness import backlog
from tests.servers import OwnValkey, Program, Servers, eventually, new_database

Figures = dict[str, Any]
JOBS = 30


class Gate:
    """Jobs of three steps whose second waits for one gate; `lines` are (attempt, step) of each."""

    def __init__(self, servers: Servers, count: int = JOBS) -> None:
        self.servers = servers
        self.gate = servers.folder / f"gate-{uuid4()}"
        self.witnesses = [servers.folder / f"w-{uuid4()}" for _ in range(count)]
        given = [{"witness": str(witness), "gate": str(self.gate)} for witness in self.witnesses]
        with ThreadPoolExecutor(8) as pool:
            self.jobs = list(pool.map(lambda each: servers.submit("three", each), given))

    def lines(self) -> list[list[str]]:
        return [path.read_text().splitlines() if path.exists() else [] for path in self.witnesses]

    def until(self, count: int, seconds: float = 60) -> float:
        """Wait until every job has written so many lines; the seconds it took."""
        began = time.monotonic()
        eventually(lambda: all(len(lines) >= count for lines in self.lines()), f"{count} lines each", seconds)
        return time.monotonic() - began

    def open(self) -> dict[str, int]:
        """Let them end; how they ended, and how often a finished step ran again."""
        self.gate.touch()
        states = [self.servers.ended(job)["state"] for job in self.jobs]
        again = sum(" ".join(lines).count("first") > 1 for lines in self.lines())
        return {"succeeded": states.count("succeeded"), "finished_steps_again": again}


def killed_and_restarted(servers: Servers, valkey: OwnValkey) -> Figures:
    """kill -9 of a worker that is started again at once."""
    worker = servers.start_worker("one")
    gate = Gate(servers)
    gate.until(2)
    psutil.Process(worker.pid).kill()
    worker.wait()
    began = time.monotonic()
    servers.start_worker("one", wait=False)
    gate.until(3)
    return {"jobs": JOBS, "all_resumed_seconds": time.monotonic() - began, **gate.open()}


def vanished(servers: Servers, valkey: OwnValkey) -> Figures:
    """A worker whose host is gone, lease 2 s; another takes its jobs."""
    first = servers.start_worker("one", lease_seconds="2")
    gate = Gate(servers)
    gate.until(2)
    servers.start_worker("two", lease_seconds="2")
    psutil.Process(first.pid).kill()
    seconds = gate.until(3)
    return {"jobs": JOBS, "all_resumed_seconds": seconds, **gate.open()}


def handed_over(servers: Servers, valkey: OwnValkey) -> Figures:
    """SIGTERM while another worker serves the queue."""
    first = servers.start_worker("one")
    gate = Gate(servers)
    gate.until(2)
    servers.start_worker("two")
    first.send(signal.SIGTERM)
    seconds = gate.until(3)
    return {"jobs": JOBS, "all_elsewhere_seconds": seconds, "exit_code": first.wait(), **gate.open()}


def without_redis(servers: Servers, valkey: OwnValkey) -> Figures:
    """The broker is away for 30 seconds: jobs go on, a cancel is heard."""
    servers.start_worker("one")
    valkey.kill()
    done, cancels, end = 0, [], time.monotonic() + 30
    while time.monotonic() < end:
        assert servers.run("noop")["state"] == "succeeded"
        cancels.append(_cancel(servers, _begun(servers, "sleep", {"seconds": 30})))
        done += 1
    valkey.start()
    return {"jobs_done": done, "cancel_worst_seconds": max(cancels), "after": servers.run("noop")["state"]}


def flushed(servers: Servers, valkey: OwnValkey) -> Figures:
    """FLUSHALL with 100 jobs queued."""
    servers.start_worker("first")
    servers.stop_workers()
    jobs = [servers.submit("noop") for _ in range(100)]
    valkey.command(b"FLUSHALL\r\n")
    servers.start_worker("one")
    began = time.monotonic()
    states = [servers.ended(job)["state"] for job in jobs]
    return {"succeeded": states.count("succeeded"), "seconds": time.monotonic() - began}


def cancelled(servers: Servers, valkey: OwnValkey) -> Figures:
    """100 cancels at random phases, ten at a time."""
    worker = servers.start_worker("one")
    chance = random.Random(7)
    kinds = [("sleep", {"seconds": 20}), ("stubborn", {"how": "plain"}), ("three", {"gate": "never"}), ("noop", None)]

    def one(number: int) -> tuple[float, str]:
        workflow, given = kinds[number % len(kinds)]
        witness = {"witness": str(servers.folder / f"w-{uuid4()}")}
        job = servers.submit(workflow, {} if given is None else witness | given)
        time.sleep(chance.random() * 0.5)
        began = time.monotonic()
        answer = servers.http.post(f"/jobs/{job}/cancel")
        state = servers.ended(job)["state"]
        return time.monotonic() - began, "late" if answer.status_code == 409 else state

    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(one, range(100)))
    stopped = [seconds for seconds, state in results if state == "cancelled"]
    writers = [p for p in psutil.Process(worker.pid).children(recursive=True) if "-c" in p.cmdline()]
    return {
        "cancelled": len(stopped),
        "had_ended_before": sum(state == "late" for _, state in results),
        "succeeded_after_cancel": sum(state == "succeeded" for _, state in results),
        "median_seconds": statistics.median(stopped),
        "worst_seconds": max(stopped),
        "processes_left": len(writers),
    }


def stubborn(servers: Servers, valkey: OwnValkey) -> Figures:
    """Steps that append a line every 100 ms for six seconds, cancelled in the middle."""
    servers.start_worker("one")
    figures = {}
    for workflow, how in (
        ("stubborn", "plain"), ("stubborn", "signals"), ("stubborn", "c"), ("stubborn", "grandchild"),
        ("stubborn", "daemon"), ("refuses", "coroutine"), ("refuses", "program"), ("refuses", "shell"),
        ("refuses", "thread"), ("refuses", "task"),
    ):  # fmt: skip
        witness = servers.folder / f"w-{uuid4()}"
        job = servers.submit(workflow, {"witness": str(witness), "how": how})
        wanted = 1 if how == "c" else 20
        eventually(lambda: len(_lines(witness)) >= wanted, "it writes", logs=servers.logs)  # noqa: B023
        began = time.monotonic()
        answer = servers.http.post(f"/jobs/{job}/cancel").json()
        answered, at_answer = time.monotonic() - began, len(_lines(witness))
        servers.ended(job)
        ended, at_end = time.monotonic() - began, len(_lines(witness))
        time.sleep(1.5)
        pids = {int(line.split()[0]) for line in _lines(witness)}
        left = [pid for pid in pids if psutil.pid_exists(pid) and (how == "program" or workflow == "stubborn")]
        figures[f"{workflow}: {how}"] = {
            "state_in_the_answer": answer["state"],
            "answer_seconds": answered,
            "terminal_seconds": ended,
            "lines_before": at_answer,
            "lines_after_the_answer": len(_lines(witness)) - at_answer,
            "lines_after_terminal": len(_lines(witness)) - at_end,
            "processes_left": len([pid for pid in left if _writes(pid, witness)]),
        }
    return figures


def burned(servers: Servers, valkey: OwnValkey) -> Figures:
    """A coroutine that keeps its loop busy for 8 s, beside jobs of three short steps."""
    servers.start_worker("one")
    worst, stop = [0.0], threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=servers.url, trust_env=False) as client:
            while not stop.is_set():
                began = time.monotonic()
                client.get("/livez")
                servers.http.get("/jobs", params={"limit": 1})
                worst.append(time.monotonic() - began)
                time.sleep(0.02)

    thread = threading.Thread(target=ask)
    thread.start()
    others = [servers.submit("sleep", {"witness": str(servers.folder / "others"), "seconds": 2}) for _ in range(10)]
    job = servers.submit("burns", {"witness": str(servers.folder / f"w-{uuid4()}"), "how": "8"})
    began = time.monotonic()
    late = [_submitted_to_end(servers) for _ in range(10)]
    ended = [servers.ended(other) for other in others]
    waited = time.monotonic() - began
    final = servers.ended(job)
    stop.set()
    thread.join()
    return {
        "api_two_calls_worst_ms": max(worst) * 1000,
        "others_of_the_loop_seconds": waited,
        "others_of_the_loop": [each["state"] for each in ended].count("succeeded"),
        "new_short_jobs_worst_seconds": max(late),
        "the_job": {name: final[name] for name in ("state", "kind", "attempts")},
    }


def poisoned(servers: Servers, valkey: OwnValkey) -> Figures:
    """A job that kills its process, beside others of three short steps."""
    servers.start_worker("one")
    calm = max(_submitted_to_end(servers) for _ in range(10))
    job = servers.submit("dies", {"witness": str(servers.folder / f"w-{uuid4()}"), "how": "kill"})
    with ThreadPoolExecutor(10) as pool:
        times = list(pool.map(lambda _: _submitted_to_end(servers), range(40)))
    ended = servers.ended(job)
    return {
        "state": ended["state"],
        "attempts": ended["attempts"],
        "code": ended["error"]["code"],
        "others_worst_seconds": max(times),
        "others_median_seconds": statistics.median(times),
        "one_alone_worst_seconds": calm,
    }


def fanned_out(servers: Servers, valkey: OwnValkey) -> Figures:
    """A parent with 1,000 children on two workers."""
    servers.start_worker("one")
    servers.start_worker("two")
    began = time.monotonic()
    job = servers.submit("spread", {"count": 1000})
    slots = set()

    def waits() -> bool:
        found = servers.job(job)
        if found["state"] == "waiting":
            slots.add(servers.sql("SELECT count(*) FROM jobs WHERE id = %s AND state = 'running'", job)[0][0])
        return bool(found["finished_at"])

    eventually(waits, "the parent ends", 300, logs=servers.logs)
    ended = servers.job(job)
    return {
        "state": ended["state"],
        "seconds": time.monotonic() - began,
        "slots_held_while_waiting": max(slots, default=0),
        "results": len(ended["output"]["squares"]),
        "in_order": ended["output"]["squares"] == [None if n == 13 else n**2 for n in range(1000)],
        "failed": ended["output"]["states"].count("failed"),
        "attempts": ended["attempts"],
    }


SCENARIOS: dict[str, Callable[[Servers, OwnValkey], Figures]] = {
    scenario.__name__: scenario
    for scenario in (
        killed_and_restarted,
        vanished,
        handed_over,
        without_redis,
        flushed,
        cancelled,
        stubborn,
        burned,
        poisoned,
        backlog,
        fanned_out,
    )
}


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _writes(pid: int, witness: Path) -> bool:
    """Whether a process still is the writer that it was, and not the child of the worker that it ran in."""
    try:
        return str(witness) in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


def _begun(servers: Servers, workflow: str, given: dict[str, Any]) -> UUID:
    job = servers.submit(workflow, {"witness": str(servers.folder / f"w-{uuid4()}"), **given})
    servers.until(lambda: servers.job(job)["state"] == "running", "it runs")
    return job


def _cancel(servers: Servers, job: UUID) -> float:
    began = time.monotonic()
    servers.http.post(f"/jobs/{job}/cancel")
    assert servers.ended(job)["state"] == "cancelled"
    return time.monotonic() - began


def _submitted_to_end(servers: Servers) -> float:
    began = time.monotonic()
    assert servers.run("noop")["state"] == "succeeded"
    return time.monotonic() - began


@contextlib.contextmanager
def _world(parts: EmbeddedParts) -> Iterator[tuple[Servers, OwnValkey]]:
    with tempfile.TemporaryDirectory(prefix="mutirao-bench-") as name, new_database(parts.database_url) as url:
        folder = Path(name)
        valkey = OwnValkey(folder)
        valkey.start()
        try:
            with Servers(folder, database_url=url, redis_url=valkey.url, env=parts.env) as servers:
                api: Program = servers.start_api()
                assert api.exit_code is None
                yield servers, valkey
        finally:
            valkey.kill()


def main() -> int:
    """Run the named scenarios, or all."""
    names = sys.argv[1:] or list(SCENARIOS)
    figures: Figures = {}
    with (
        tempfile.TemporaryDirectory(prefix="mutirao-") as folder,
        EmbeddedParts(Path(folder), ("postgres", "chroma")) as parts,
    ):
        for name in names:
            with _world(parts) as (servers, valkey):
                figures[name] = SCENARIOS[name](servers, valkey)
            print(json.dumps({name: figures[name]}, indent=2, default=str), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
