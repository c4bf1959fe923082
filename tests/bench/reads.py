"""What the page reads: lists of many jobs, and all there is about a job with a long history."""

import statistics
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from tests.bench.history import EVENTS, THREAD

ROUNDS = 30
# What the list asks for; see `platform/dashboard/src/features/jobs/rows.ts`.
ROW = (
    "id,thread_id,workflow,version,state,error,attempts,last_seq,priority,parent_id,waiting_for,available_at,schedule_id,"
    "created_at,started_at,finished_at,created_by,cancel_requested_at"
)
SORTS = ("-created_at", "created_at", "-finished_at", "finished_at", "-priority")
Figures = dict[str, Any]


def lists(now: datetime | None = None) -> Mapping[str, Mapping[str, Any]]:
    """Filters of the page's list by what they are called."""
    now = now or datetime.now(UTC)
    hour, week = (str((now - timedelta(hours=hours)).isoformat()) for hours in (1, 168))
    return {
        "all": {},
        "one state of most": {"state": "succeeded"},
        "one state of few": {"state": "dead"},
        "one state of some": {"state": "failed"},
        "several states": {"state": ["failed", "dead", "budget_exhausted"]},
        "all that is not over": {"state": ["queued", "running", "waiting", "paused", "stranded"]},
        "a workflow": {"workflow": "report"},
        "a workflow of few": {"workflow": "rare"},
        "a workflow that there is not": {"workflow": "gone"},
        "a workflow and a state": {"workflow": "rare", "state": "failed"},
        "a thread": {"thread_id": str(THREAD)},
        "of a key": {"created_by": "key:bench"},
        "of a key that there is not": {"created_by": "key:gone"},
        "the last hour": {"created_after": hour},
        "the last week": {"created_after": week},
        "before the last week": {"created_before": week},
        "a workflow of the last week": {"created_after": week, "workflow": "rare"},
        "children of a job": {"parent_id": str(THREAD)},
        "of a schedule": {"schedule_id": str(THREAD)},
    }


async def of_lists(client: httpx.AsyncClient) -> Figures:
    """Milliseconds, p50 and p95, of the first page with each filter, in each order, and of the counts."""
    found: Figures = {}
    for name, wanted in lists().items():
        page = {**wanted, "limit": 50, "fields": ROW}
        found[f"list: {name}"] = await timed(client, "/jobs", page)
        found[f"counts: {name}"] = await timed(
            client, "/jobs/counts", {key: value for key, value in wanted.items() if key != "state"}
        )
    for sort in SORTS:
        page = {"sort": sort, "limit": 50, "fields": ROW}
        found[f"list by {sort}"] = await timed(client, "/jobs", page)
        found[f"list by {sort}, one state"] = await timed(client, "/jobs", {**page, "state": "failed"})
        cursor = (await client.get("/jobs", params=page)).raise_for_status().json()["next"]
        found[f"list by {sort}, second page"] = await timed(client, "/jobs", {**page, "cursor": cursor})
    found["what a page of jobs is about"] = await timed(client, "/jobs", {"limit": 50, "fields": "id,input,metadata"})
    found["ids for a bulk action"] = await timed(client, "/jobs", {"limit": 200, "fields": "id"})
    for path in ("/threads", "/approvals", "/system", "/workers", "/workflows", "/project", "/session"):
        found[path] = await timed(client, path, {})
    return found


async def of_long_job(client: httpx.AsyncClient, job_id: UUID) -> Figures:
    """Milliseconds of each call of a job's page, and of its whole journal, in pages and as the stream's beginning."""
    root = f"/jobs/{job_id}"
    calls = ("", "/usage", "/attempts", "/checkpoints?limit=100", "/children", "/artifacts", "/approvals")
    found: Figures = {f"job{path}": await timed(client, f"{root}{path}", {}) for path in calls}
    found["workflow"] = await timed(client, "/workflows/bench.rounds", {"version": "1"})
    found["counts of children"] = await timed(client, "/jobs/counts", {"parent_id": str(job_id)})
    journal = f"{root}/journal"
    pages = [await _once(client, journal, {"after": after, "limit": 200}) for after in range(0, EVENTS, 200)]
    found["a page of 200 events"] = _figures(pages)
    streams = [await _stream(client, f"{root}/events") for _ in range(5)]
    found[f"stream: the first of {EVENTS} events"] = _figures([first for first, _, _ in streams])
    found[f"stream: all {EVENTS} events"] = _figures([whole for _, whole, _ in streams])
    found["stream: bytes"] = streams[0][2]
    return found


async def timed(client: httpx.AsyncClient, path: str, query: Mapping[str, Any]) -> Figures:
    """The best, p50 and p95 in milliseconds of the same call, one after another, after some that warm up."""
    for _ in range(3):
        await _once(client, path, query)
    return _figures([await _once(client, path, query) for _ in range(ROUNDS)])


async def _once(client: httpx.AsyncClient, path: str, query: Mapping[str, Any]) -> float:
    began = time.perf_counter()
    (await client.get(path, params=query or None)).raise_for_status()
    return (time.perf_counter() - began) * 1000


async def _stream(client: httpx.AsyncClient, path: str) -> tuple[float, float, int]:
    began, first, size = time.perf_counter(), 0.0, 0
    async with client.stream("GET", path) as answer:
        answer.raise_for_status()
        async for part in answer.aiter_raw():
            first = first or time.perf_counter()
            size += len(part)
    return (first - began) * 1000, (time.perf_counter() - began) * 1000, size


def _figures(milliseconds: list[float]) -> Figures:
    ordered = sorted(milliseconds)
    return {
        "best": round(ordered[0], 1),
        "p50": round(statistics.median(ordered), 1),
        "p95": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 1),
    }
