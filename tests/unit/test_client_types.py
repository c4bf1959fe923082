"""What a type checker knows of the two clients: it is read by mypy, not run."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
USE = """
from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type
from uuid import UUID

from mutirao.client import AsyncClient, Client
from mutirao.client.records import Approval, Key, MadeKey, Thread
from mutirao.jobs.records import Event, Job


def sync(client: Client, id: UUID) -> None:
    assert_type(client.submit("report", {"topic": "rain"}, priority=5), Job)
    assert_type(client.job(id), Job)
    assert_type(client.jobs(states=["queued"], limit=None), list[Job])
    assert_type(client.jobs.each(workflow="report"), Iterator[Job])
    assert_type(client.jobs.select(["id"], workflow="report"), list[dict[str, Any]])
    assert_type(client.follow(id, after=3), Iterator[Event])
    assert_type(client.delete_thread(id), None)
    assert_type(client.create_key("ci", ["read"]), MadeKey)
    client.job()  # type: ignore[call-arg]
    client.job(7)  # type: ignore[arg-type]
    client.submit("report", prority=5)  # type: ignore[call-arg]
    client.jobs(workflw="report")  # type: ignore[call-arg]
    client.jobs.each(limit="all")  # type: ignore[arg-type]
    client.change_webhook(id, enbled=True)  # type: ignore[call-arg]


async def asynchronous(client: AsyncClient, id: UUID) -> None:
    assert_type(await client.submit("report", priority=5), Job)
    assert_type(await client.approvals(10, assignee="ana"), list[Approval])
    assert_type(client.keys.each(), AsyncIterator[Key])
    assert_type(await client.threads.select(["id"]), list[dict[str, Any]])
    assert_type(await client.copy_thread(id), Thread)
    async for event in client.follow(id):
        assert_type(event, Event)
    await client.submit("report", prority=5)  # type: ignore[call-arg]
"""


def test_arguments_and_results_are_checked(tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(USE, encoding="utf-8")
    # With the options of `make lint`, so that what is known from there need not be found again.
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(tmp_path / "use.py")]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
