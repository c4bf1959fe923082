"""Faults of Chroma: killed while documents are taken in, then its store is deleted."""

import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

import httpx

from tests.chaos.client import Wanted
from tests.chaos.history import Accepted
from tests.chaos.scenario import Scenario, Size
from tests.chaos.trial import Trial
from tests.servers import Program, eventually, free_port

_COLLECTION = "chaos"


class OwnChroma:
    """A Chroma server of the trial's own, on one port."""

    def __init__(self, folder: Path) -> None:
        self._store = folder / "chroma"
        self._folder = folder
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._running: Program | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        argv = [sys.executable, "-m", "mutirao.stack.chroma_server", "run", "--path", str(self._store)]
        argv += ["--host", "127.0.0.1", "--port", str(self._port)]
        self._running = Program("chroma", argv, _environment(), self._folder, self._folder / "valkey-chroma.log")
        eventually(self._answers, "Chroma answers", 60, logs=self._running.text)

    def kill(self) -> None:
        """End it at once."""
        if self._running is not None:
            self._running.kill()

    def lose_store(self) -> None:
        """Delete everything in it."""
        shutil.rmtree(self._store)

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/api/v2/heartbeat", trust_env=False).is_success
        return False


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MUTIRAO_")}


def chroma_killed(trial: Trial, size: Size) -> None:
    """Chroma dies while documents are taken in and comes back without its store; reindexing rebuilds what was ready."""
    chroma = OwnChroma(trial.folder)
    chroma.start()
    try:
        trial.servers.env["MUTIRAO_CHROMA_URL"] = chroma.url
        trial.start_worker("one")
        ingests = [_add(trial, number) for number in range(size.jobs)]
        trial.running(1)
        began = time.monotonic()
        chroma.kill()
        chroma.lose_store()
        chroma.start()
        trial.settle()
        trial.recoveries.append(time.monotonic() - began)
        trial.client.submit(Wanted("knowledge.reindex", {"collection": _COLLECTION}))
        trial.settle()
        _judge(trial)
        trial.notes.append(f"{len(ingests)} documents")
    finally:
        chroma.kill()


def _add(trial: Trial, number: int) -> Accepted:
    text = "\n\n".join(
        f"# Part {part}\n\nDocument {number} says what only it says: {number}-{part}." for part in range(60)
    )
    answer = trial.client.post(
        f"/collections/{_COLLECTION}/documents", files={"file": (f"d{number}.md", text.encode())}
    )
    return trial.client.keep(answer.json()["job"]["id"], frozenset({"succeeded", "failed"}))


def _judge(trial: Trial) -> None:
    """Every ready document is found by its meaning: its vectors are there again."""
    ready = [row[0] for row in trial.sql("SELECT name FROM documents WHERE state = 'ready'")]
    trial.notes.append(f"{len(ready)} ready")
    for name in ready:
        number = name.removeprefix("d").removesuffix(".md")
        query = {"collections": [_COLLECTION], "query": f"what document {number} says", "limit": 50}
        hits = trial.client.post("/search", json=query).json()["hits"]
        found = [hit for hit in hits if hit["document"]["name"] == name and hit["dense_rank"] is not None]
        trial.require(found, f"document {name!r} is ready and has no vectors after reindexing")


SCENARIOS = [
    Scenario(
        name="Chroma killed during ingest, its store deleted", run=chroma_killed, jobs=6, repetitions=1, builtin=True
    )
]
