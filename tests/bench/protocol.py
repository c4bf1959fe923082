"""`python -m tests.bench.protocol [--native] [--langgraph-dev VENV]`: latency, throughput, events, cancels and readers
of our doors, beside the floor and `langgraph dev`, in one run."""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.bench.__main__ import floor_job, many_of_floor, milliseconds
from tests.bench.doors import Door, Native, Protocolled
from tests.bench.graphs import BURST, GRAPHS, TICKS
from tests.bench.stack import ROOT, bench_stack
from tests.bench.usage import Usage

CONNECTIONS = 16
READERS, STALLED = 200, 50
Figures = dict[str, Any]


async def latency(door: Door, runs: int) -> float:
    """Median milliseconds from the submit of a no-op job to its seen end."""
    await milliseconds(lambda _: door.wait(), 5)
    return statistics.median(await milliseconds(lambda _: door.wait(), runs))


async def throughput(door: Door, usage: Callable[[], Usage], count: int) -> Figures:
    """`count` background jobs over `CONNECTIONS` connections, until all have ended."""
    used, gate = usage(), asyncio.Semaphore(CONNECTIONS)

    async def one() -> Any:
        async with gate:
            return await door.submit("noop")

    began = time.perf_counter()
    jobs = await asyncio.gather(*(one() for _ in range(count)))
    accepted = time.perf_counter() - began
    await door.ended(jobs)
    seconds, spent = time.perf_counter() - began, used.milliseconds()
    return {
        "jobs_per_second": count / seconds,
        "accepted_per_second": count / accepted,
        "cpu_ms_per_job": sum(spent.values()) / count,
        "cpu_ms_by_process": {name: round(value / count, 2) for name, value in spent.items()},
        "resident_mb": used.megabytes(),
    }


async def burst(door: Door, rounds: int) -> Figures:
    """Milliseconds from the submit to the first custom event, and events a second until the last."""
    firsts, rates = [], []
    for _ in range(rounds):
        began, first, seen = time.perf_counter(), 0.0, 0
        async for _event in door.fresh("burst"):
            first = first or time.perf_counter()
            seen += 1
        if seen != BURST:
            raise RuntimeError(f"{seen} of {BURST} events")
        firsts.append((first - began) * 1000)
        rates.append(BURST / (time.perf_counter() - first))
    return {"first_event_ms": statistics.median(firsts), "events_per_second": statistics.median(rates)}


async def cancels(door: Door, rounds: int) -> float:
    """Median milliseconds until the cancel of a running job is answered."""
    times = []
    for _ in range(rounds):
        job = await door.submit("sleep")
        await door.running(job)
        began = time.perf_counter()
        await door.cancel(job)
        times.append((time.perf_counter() - began) * 1000)
        await door.ended([job])
    return statistics.median(times)


async def readers(door: Door, usage: Callable[[], Usage]) -> Figures:
    """`READERS` of one job: 95th percentile of the delay of its events, and memory while `STALLED` others stand still."""
    job = await door.submit("ticks")
    delays: list[float] = []
    stalled = [door.events(job) for _ in range(STALLED)]

    async def follow() -> int:
        seen = 0
        async for event in door.events(job):
            delays.append((time.time() - event["at"]) * 1000)
            seen += 1
        return seen

    standing = [asyncio.create_task(anext(stream)) for stream in stalled]
    counts = await asyncio.gather(*(follow() for _ in range(READERS)))
    await asyncio.gather(*standing, return_exceptions=True)
    memory = usage().megabytes()
    for stream in stalled:
        await stream.aclose()  # type: ignore[attr-defined] # they are generators
    delays.sort()
    return {
        "complete": sum(count == TICKS for count in counts),
        "p50_ms": delays[len(delays) // 2],
        "p95_ms": delays[int(len(delays) * 0.95)],
        "resident_mb": memory,
    }


async def measure(door: Any, usage: Callable[[], Usage], args: argparse.Namespace) -> Figures:
    """All figures of a door."""
    parts: dict[str, Callable[[], Any]] = {
        "wait_ms": lambda: latency(door, args.runs),
        "background": lambda: throughput(door, usage, args.jobs),
        "burst": lambda: burst(door, args.rounds),
        "cancel_ms": lambda: cancels(door, args.rounds),
        "readers": lambda: readers(door, usage),
    }
    found: Figures = {}
    try:
        for name, part in parts.items():
            if not args.only or name in args.only:
                try:
                    found[name] = await part()
                except Exception as error:  # noqa: BLE001 (a door that fails at one thing is measured at the others)
                    found[name] = f"{type(error).__name__}: {error}"
    finally:
        await door.close()
    return found


async def floor(args: argparse.Namespace, usage: Callable[[], Usage]) -> Figures:
    """The floor's latency and throughput."""

    async def one(number: int) -> None:
        await asyncio.to_thread(floor_job, number)

    await milliseconds(one, 5)
    times = await milliseconds(one, args.runs)
    used = usage()
    rate = await asyncio.to_thread(many_of_floor, args.jobs, 1)
    spent = used.milliseconds()
    return {
        "wait_ms": statistics.median(times),
        "background": {"jobs_per_second": rate, "cpu_ms_per_job": sum(spent.values()) / args.jobs},
    }


@contextlib.contextmanager
def langgraph_dev(venv: Path) -> Iterator[tuple[str, int]]:
    """`langgraph dev` of another environment with the same graphs; its URL and process."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        (Path(folder) / "graphs.py").write_text((ROOT / "tests/bench/graphs.py").read_text())
        graphs = {f"bench.{name}": f"./graphs.py:{name}" for name in GRAPHS}
        (Path(folder) / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "graphs": graphs}))
        free.close()
        command = [str(venv / "bin" / "langgraph"), "dev", "--no-browser", "--no-reload", "--port", str(port)]
        env = {"PATH": f"{venv / 'bin'}:{os.defpath}", "HOME": folder, "LANGSMITH_TRACING": "false"}
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
            try:
                _until_ok(f"http://127.0.0.1:{port}/ok", Path(folder) / "log")
                yield f"http://127.0.0.1:{port}", process.pid
            finally:
                process.terminate()
                process.wait(20)


def _until_ok(url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False, timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"langgraph dev was not ready in time\n{log.read_text()[-2000:]}")


def run(args: argparse.Namespace) -> Figures:
    """Everything that is asked for, one after another."""
    found: Figures = {}
    with bench_stack() as stack:
        os.environ.update({name: stack.env[name] for name in ("MUTIRAO_DATABASE_URL", "MUTIRAO_REDIS_URL")})
        ours = lambda: Usage.of_all_but([stack.pids["floor"]])  # noqa: E731
        if not args.no_floor:
            theirs = lambda: Usage.of_all_but([stack.pids["api"], stack.pids["worker"]])  # noqa: E731
            found["floor"] = asyncio.run(floor(args, theirs))
        found["native"] = asyncio.run(_native(stack.url, stack.key, ours, args))
        if not args.native:
            found["ours"] = asyncio.run(_protocolled("ours", stack.url, stack.key, ours, args))
    if args.langgraph_dev is not None:
        with langgraph_dev(args.langgraph_dev) as (url, pid):
            found["langgraph dev"] = asyncio.run(_protocolled("langgraph dev", url, None, lambda: Usage([pid]), args))
    return found


async def _native(url: str, key: str, usage: Callable[[], Usage], args: argparse.Namespace) -> Figures:
    return await measure(Native(url, key, CONNECTIONS), usage, args)


async def _protocolled(
    name: str, url: str, key: str | None, usage: Callable[[], Usage], args: argparse.Namespace
) -> Figures:
    return await measure(Protocolled(name, url, key), usage, args)


def main(words: Sequence[str] | None = None) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.protocol", description=__doc__)
    parser.add_argument("--native", action="store_true", help="only /api/v1, not the LangGraph protocol")
    parser.add_argument("--no-floor", action="store_true")
    parser.add_argument("--langgraph-dev", type=Path, metavar="VENV", help="measure `langgraph dev` of this venv, too")
    parser.add_argument("--jobs", type=int, default=1000, help="background jobs (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=60, help="waits one after another (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="bursts, and cancels (default: %(default)s)")
    parser.add_argument("--only", nargs="*", metavar="FIGURE", help="wait_ms background burst cancel_ms readers")
    figures = run(parser.parse_args(words))
    print(json.dumps(figures, indent=2, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
