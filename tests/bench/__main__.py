"""`python -m tests.bench`: latency and throughput against the floor, and jobs at once in one worker process."""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

import httpx
import psutil

from tests.bench.stack import BenchStack, bench_stack

LATENCY_RUNS = 60
ROUNDS = 3
THROUGHPUT_JOBS = 500
CONNECTIONS = 16
AT_ONCE = 100


async def our_job(client: httpx.AsyncClient, workflow: str = "bench.noop") -> None:
    """Submit a job and wait until the client sees that it has succeeded."""
    job = (await client.post("/jobs", json={"workflow": workflow, "input": {"n": 0}})).raise_for_status().json()
    seen = (await client.get(f"/jobs/{job['id']}", params={"wait": 60})).raise_for_status().json()
    if seen["state"] != "succeeded":
        raise RuntimeError(f"job {job['id']} ended as {seen['state']}: {seen['error']}")


def floor_job(number: int) -> None:
    """Send the floor's task and wait for its result."""
    from tests.bench.floor import run

    if run.delay(f"{os.getpid()}-{number}").get(timeout=60) != {"n": 3}:
        raise RuntimeError("the floor's graph gave a wrong result")


async def milliseconds(one: Callable[[int], Awaitable[None]], runs: int) -> list[float]:
    """Wall time of each of `runs` calls, one after another."""
    times = []
    for number in range(runs):
        began = time.perf_counter()
        await one(number)
        times.append((time.perf_counter() - began) * 1000)
    return times


async def many_of_ours(client: httpx.AsyncClient, count: int) -> float:
    """Jobs per second of `count` jobs, submitted and awaited over `CONNECTIONS` connections."""
    gate = asyncio.Semaphore(CONNECTIONS)

    async def one() -> None:
        async with gate:
            await our_job(client)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(count)))
    return count / (time.perf_counter() - began)


def many_of_floor(count: int, offset: int) -> float:
    """Runs per second of `count` floor tasks: all sent, then all awaited."""
    from tests.bench.floor import run

    began = time.perf_counter()
    results = [run.delay(f"{os.getpid()}-{offset}-{number}") for number in range(count)]
    for result in results:
        result.get(timeout=120)
    return count / (time.perf_counter() - began)


async def at_once(client: httpx.AsyncClient) -> float:
    """Seconds for `AT_ONCE` jobs of which each waits two seconds, in one worker process."""
    began = time.perf_counter()
    await asyncio.gather(*(our_job(client, "bench.wait") for _ in range(AT_ONCE)))
    return time.perf_counter() - began


async def measure(stack: BenchStack) -> dict[str, object]:
    """Rounds of ours and the floor's in turn; medians."""
    ours, floor, our_rate, floor_rate = [], [], [], []
    async with stack.client(CONNECTIONS) as client, stack.client(AT_ONCE) as wide:

        async def one_of_ours(_: int) -> None:
            await our_job(client)

        async def one_of_floor(number: int) -> None:
            await asyncio.to_thread(floor_job, number)

        await milliseconds(one_of_ours, 10)
        await milliseconds(one_of_floor, 10)
        for turn in range(ROUNDS):
            ours += await milliseconds(one_of_ours, LATENCY_RUNS // ROUNDS)
            floor += await milliseconds(one_of_floor, LATENCY_RUNS // ROUNDS)
            our_rate.append(await many_of_ours(client, THROUGHPUT_JOBS))
            floor_rate.append(await asyncio.to_thread(many_of_floor, THROUGHPUT_JOBS, turn))
        together = await at_once(wide)
    worker = psutil.Process(stack.pids["worker"])
    median = statistics.median
    return {
        "latency_ms": {"ours": median(ours), "floor": median(floor), "ratio": median(ours) / median(floor)},
        "jobs_per_second": {
            "ours": median(our_rate),
            "floor": median(floor_rate),
            "ratio": median(our_rate) / median(floor_rate),
            "rounds": {"ours": our_rate, "floor": floor_rate},
        },
        f"{AT_ONCE}_jobs_waiting_2s_seconds": together,
        "worker_resident_mb": worker.memory_info().rss / 2**20,
    }


def main() -> int:
    """Print the figures as JSON."""
    with bench_stack() as stack:
        # The floor's task is called from here: its module reads the same URLs.
        os.environ.update({name: stack.env[name] for name in ("MUTIRAO_DATABASE_URL", "MUTIRAO_REDIS_URL")})
        figures = asyncio.run(measure(stack))
    print(json.dumps(figures, indent=2, default=lambda value: round(value, 2)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
