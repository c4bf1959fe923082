"""A Celery worker as a part of the embedded stack."""

import sys
from collections.abc import Mapping

from mutirao.stack.command import Command
from mutirao.stack.part import Part
from mutirao.stack.probe import get_json

READYZ_SECONDS = 3.5
"""The API waits three seconds for the parts it asks."""


class WorkerPart(Part):
    """`python -m mutirao_workers` in the project's folder; ready when the API sees a live worker."""

    poll_seconds = 0.2  # each question makes the API ask every part

    def __init__(self, name: str, api_url: str, env: Mapping[str, str]) -> None:
        self.name = name
        self._api_url = api_url
        self._env = env

    def command(self) -> Command:
        return Command(argv=(sys.executable, "-m", "mutirao_workers"), env=self._env)

    async def ready(self, pid: int) -> bool:
        report = await get_json(f"{self._api_url}/readyz", READYZ_SECONDS)
        parts = report.get("parts")
        workers = parts.get("workers") if isinstance(parts, dict) else None
        return isinstance(workers, dict) and workers.get("ok") is True
