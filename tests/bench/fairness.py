"""A long queue of one project and one job of another: who goes first, and what a claim costs meanwhile."""

import asyncio
import statistics
import time
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil
from mutirao.db import Database
from mutirao.ids import new_id
from mutirao.jobs.claims import ClaimStore
from mutirao.projects import Projects, new_key_text
from mutirao.workers import WorkerStore

from tests.servers import OwnValkey, Servers

QUEUED = 10_000


async def _other_key(url: str) -> str:
    db = Database(url)
    try:
        key = new_key_text()
        await Projects(db).add_key(await Projects(db).ensure("other"), key, "bench")
        return key
    finally:
        await db.close()


async def _claims(url: str, count: int = 300) -> list[float]:
    """Milliseconds of each claim of one job by a worker that hands it back."""
    db = Database(url)
    try:
        claims, worker = ClaimStore(db), new_id()
        await WorkerStore(db).register(
            worker,
            name=f"probe-{uuid4()}",
            host="bench",
            pid=1,
            kind="shared",
            queues=["default"],
            slots=1,
            lease_seconds=60,
        )
        async with db.autocommit() as connection:
            await connection.exec_driver_sql(
                f"INSERT INTO worker_workflows SELECT '{worker}', name, version FROM workflows"
            )
        times = []
        for _ in range(count):
            began = time.perf_counter()
            taken = await claims.claim(worker, "probe", ["default"], slots={"shared": 1, "exclusive": 0})
            times.append((time.perf_counter() - began) * 1000)
            for claim in taken:
                await claims.hand_back(claim)
        await WorkerStore(db).stop(worker)
        return times
    finally:
        await db.close()


def backlog(servers: Servers, valkey: OwnValkey) -> dict[str, Any]:
    """10,000 queued jobs of project A, then one of project B."""
    first = servers.start_worker("one", worker_slots="8")
    api = next(program for program in servers.programs if program.name == "api")
    servers.run("noop")
    servers.stop_workers()
    seed = servers.submit("noop")
    servers.sql(
        """WITH n AS (SELECT gen_random_uuid() AS id, gen_random_uuid() AS thread FROM generate_series(2, %s)),
        t AS (INSERT INTO threads (id, project_id) SELECT n.thread, j.project_id FROM n, jobs j WHERE j.id = %s)
        INSERT INTO jobs (id, project_id, thread_id, workflow, version, queue, state, max_attempts, kind)
        SELECT n.id, j.project_id, n.thread, j.workflow, j.version, j.queue, 'queued', 3, j.kind
        FROM n, jobs j WHERE j.id = %s""",
        QUEUED, seed, seed,
    )  # fmt: skip
    servers.sql("ANALYZE jobs")
    times = sorted(asyncio.run(_claims(servers.database_url)))
    worker = servers.start_worker("two", worker_slots="8")
    servers.until(lambda: _ended(servers) > 100, "the queue moves")
    headers = {"Authorization": f"Bearer {asyncio.run(_other_key(servers.database_url))}"}
    with httpx.Client(base_url=f"{servers.url}/api/v1", headers=headers, trust_env=False) as other:
        began = time.monotonic()
        job = UUID(other.post("/jobs", json={"workflow": "noop", "input": {}}).json()["id"])
        servers.until(lambda: other.get(f"/jobs/{job}").json()["started_at"], "B starts")
        started = time.monotonic() - began
    queued = servers.sql("SELECT count(*) FROM jobs WHERE state = 'queued'")[0][0]
    return {
        "b_started_seconds": started,
        "still_queued_then": queued,
        "claim_ms": {"median": statistics.median(times), "p99": times[int(len(times) * 0.99) - 1]},
        "api_mb": _megabytes(api.pid),
        "worker_mb": _megabytes(worker.pid),
        "first_worker_exit": first.exit_code,
    }


def _ended(servers: Servers) -> int:
    return int(servers.sql("SELECT count(*) FROM jobs WHERE state = 'succeeded'")[0][0])


def _megabytes(pid: int) -> float:
    """Resident memory of a process and all below it, what they share counted once each (proportional set size)."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(process.memory_full_info().pss for process in processes) / 2**20
