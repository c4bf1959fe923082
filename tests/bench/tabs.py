"""Two hundred tabs on one API process: half watch lists, half the jobs that run."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx
import orjson
import psutil

from tests.bench.graphs import TICKS
from tests.bench.stack import BenchStack
from tests.bench.streams import lines

TABS = 200
WATCHED = 20
PER_SECOND = 10
Figures = dict[str, Any]
Delays = list[float]


class _Tabs:
    """What the tabs have seen so far: seconds from an event or a change to its arrival."""

    def __init__(self, stack: BenchStack) -> None:
        self.stack = stack
        self.headers = {"Authorization": f"Bearer {stack.key}"}
        self.events: Delays = []
        self.from_step: Delays = []
        self.changes: Delays = []
        self.open = 0

    async def watch_job(self, job_id: str) -> None:
        """A job's page, until the job has ended."""
        self.open += 1
        async for data in lines(f"{self.stack.url}/api/v1/jobs/{job_id}/events?", self.headers):
            now, event = time.time(), orjson.loads(data)
            if event["type"] == "custom":
                self.events.append(now - datetime.fromisoformat(event["at"]).timestamp())
                self.from_step.append(now - event["data"]["at"])

    async def watch_list(self) -> None:
        """A list of jobs, until it is cancelled. A change is when a job has begun, or has ended."""
        seen: set[tuple[str, str]] = set()
        async for data in lines(f"{self.stack.url}/api/v1/changes?", self.headers):
            now, frame = time.time(), orjson.loads(data)
            if "at" in frame:
                self.open += 1
            for job in frame.get("jobs", []):
                moment = job["finished_at"] or job["started_at"]
                if moment is not None and (change := (job["id"], moment)) not in seen:
                    seen.add(change)
                    self.changes.append(now - datetime.fromisoformat(moment).timestamp())


async def of_tabs(stack: BenchStack, client: httpx.AsyncClient, tabs: int = TABS) -> Figures:
    """`tabs` streams while `WATCHED` jobs speak and `PER_SECOND` others begin each second: delays and the API's memory."""
    api, seen = psutil.Process(stack.pids["api"]), _Tabs(stack)
    before = api.memory_info().rss
    listing = [asyncio.create_task(seen.watch_list()) for _ in range(tabs // 2)]
    jobs = [await _submit(client, "bench.ticks") for _ in range(min(WATCHED, tabs - len(listing)))]
    reading = [asyncio.create_task(seen.watch_job(jobs[n % len(jobs)])) for n in range(tabs - len(listing))]
    others = asyncio.create_task(_others(client))
    most = before
    while not all(task.done() for task in reading):
        most = max(most, api.memory_info().rss)
        await asyncio.sleep(0.1)
    for task in (*listing, others):
        task.cancel()
    ended = await asyncio.gather(*reading, *listing, others, return_exceptions=True)
    if broken := [one for one in ended if isinstance(one, Exception)]:
        raise broken[0]
    if len(seen.events) != TICKS * len(reading):
        raise RuntimeError(f"{len(seen.events)} events seen of {TICKS * len(reading)}")
    await asyncio.sleep(1)
    return {
        "streams": seen.open,
        "event, from its making to the reader, ms": _delays(seen.events),
        "event, from the line of code to the reader, ms": _delays(seen.from_step),
        "change, from its commit to the reader, ms": _delays(seen.changes),
        "API MB before / at most / after": [round(size / 2**20) for size in (before, most, api.memory_info().rss)],
    }


async def _others(client: httpx.AsyncClient) -> None:
    while True:
        began = time.monotonic()
        await _submit(client, "bench.noop")
        await asyncio.sleep(max(0.0, 1 / PER_SECOND - (time.monotonic() - began)))


async def _submit(client: httpx.AsyncClient, workflow: str) -> str:
    answer = await client.post("/jobs", json={"workflow": workflow, "input": {"n": 0}})
    return str(answer.raise_for_status().json()["id"])


def _delays(seconds: Sequence[float]) -> Figures:
    ordered = sorted(seconds)
    return {
        "median": round(statistics.median(ordered) * 1000, 1),
        "p95": round(ordered[int(len(ordered) * 0.95)] * 1000, 1),
        "of": len(ordered),
    }
