"""Readers of a journal that retention has cut: they get what is there, and their stream ends."""

import asyncio
from pathlib import Path

import pytest
from mutirao.artifacts import FolderBlobs
from mutirao.db import Database
from mutirao.retention import Pruned, Retention
from mutirao.settings import RetentionSettings
from mutirao_workers.saver import MaintenanceSaver, open_pool

from tests.servers import Servers, sse

pytestmark = pytest.mark.integration


async def prune(url: str, folder: Path) -> Pruned:
    db = Database(url)
    try:
        async with open_pool(url, 1) as pool:
            return await Retention(db, FolderBlobs(folder), RetentionSettings(), MaintenanceSaver(pool)).prune_once()
    finally:
        await db.close()


@pytest.mark.parametrize("seen", [0, 3, 8])
def test_a_stream_that_begins_below_what_is_kept_gives_the_end(servers: Servers, tmp_path: Path, seen: int) -> None:
    job = servers.run("noop")
    servers.sql("UPDATE jobs SET finished_at = now() - interval '91 days' WHERE id = %s RETURNING 1", job["id"])
    assert asyncio.run(prune(servers.database_url, tmp_path)).events == job["last_seq"] - 1
    with servers.http.stream("GET", f"/jobs/{job['id']}/events", params={"after": seen}, timeout=20) as answer:
        assert [(item["id"], item["event"]) for item in sse(answer.iter_lines())] == [("9", "job.succeeded")]
    [event] = servers.journal(job["id"])
    assert event["seq"] == job["last_seq"] == 9
    assert servers.job(job["id"])["output"] == job["output"]
