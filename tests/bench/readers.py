"""`python -m tests.bench.readers`: a stream of three modes whose connection is cut every 200 ms, and 200 readers of one
run beside 50 that stand still. Exit code 1: something was lost, came twice or out of order."""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
from mutirao.stack.embedded import EmbeddedParts

from tests.servers import Servers, new_database, own_redis

CUT_SECONDS = 0.2
READERS, STALLED = 200, 50
MODES = ["values", "updates", "custom"]
Frame = tuple[str, str, str]


@dataclass
class Reader:
    """A reader of server-sent events over a plain socket: `frames` are (id, event, data)."""

    url: str
    key: str
    frames: list[Frame] = field(default_factory=list)
    seen_at: list[float] = field(default_factory=list)
    cuts: int = 0

    async def read(self, path: str, *, last: str | None = None, cut: float | None = None) -> bool:
        """Read until the end, or for `cut` seconds; True at the end."""
        address = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        extra = f"Last-Event-ID: {last}\r\n" if last is not None else ""
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {self.key}\r\n{extra}\r\n".encode())
        try:
            async with asyncio.timeout(cut):
                await self._take(reader)
                return True
        except TimeoutError:
            self.cuts += 1
            return False
        finally:
            writer.transport.abort()

    async def _take(self, reader: asyncio.StreamReader) -> None:
        buffer = b""
        await reader.readuntil(b"\r\n\r\n")
        while True:
            size = int((await reader.readuntil(b"\r\n")).strip() or b"0", 16)
            if size == 0:
                return
            buffer += (await reader.readexactly(size + 2))[:-2]
            *whole, buffer = buffer.replace(b"\r\n", b"\n").split(b"\n\n")
            for frame in whole:
                self._frame(frame.decode())

    def _frame(self, text: str) -> None:
        fields = dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith(":") and ": " in line)
        if "event" in fields:
            self.frames.append((fields.get("id", ""), fields["event"], fields["data"]))
            self.seen_at.append(time.monotonic())


async def cut_often(servers: Servers, http: httpx.AsyncClient) -> dict[str, Any]:
    """One run, read twice: in one go, and over connections that are cut."""
    thread = (await http.post("/threads", json={})).json()["thread_id"]
    body = {"assistant_id": "run_ticking", "input": {"items": []}, "stream_mode": MODES, "stream_resumable": True}
    run = (await http.post(f"/threads/{thread}/runs", json=body)).json()["run_id"]
    path = f"/threads/{thread}/runs/{run}/stream"
    whole, cut = Reader(servers.url, servers.key), Reader(servers.url, servers.key)

    async def again_and_again() -> None:
        while not await cut.read(path, last=_last(cut), cut=CUT_SECONDS):
            pass

    await asyncio.gather(whole.read(path, last="-1"), again_and_again())
    expected = [frame for frame in whole.frames if frame[0]]
    got = [frame for frame in cut.frames if frame[0]]
    ids = [frame[0] for frame in got]
    return {
        "frames": len(expected),
        "events": sorted({event for _, event, _ in expected}),
        "cuts": cut.cuts,
        "lost": len({frame[0] for frame in expected} - set(ids)),
        "twice": len(ids) - len(set(ids)),
        "in order": got == expected,
    }


def _last(reader: Reader) -> str:
    return next((id_ for id_, _, _ in reversed(reader.frames) if id_), "-1")


async def many_readers(servers: Servers, http: httpx.AsyncClient, api: psutil.Process) -> dict[str, Any]:
    """200 readers of one run to its end, while 50 others take nothing."""
    thread = (await http.post("/threads", json={})).json()["thread_id"]
    body = {"assistant_id": "run_ticking", "input": {"items": []}, "stream_mode": MODES, "stream_resumable": True}
    before = api.memory_info().rss >> 20
    run = (await http.post(f"/threads/{thread}/runs", json=body)).json()["run_id"]
    path = f"/threads/{thread}/runs/{run}/stream"
    address = urlsplit(servers.url)
    still = [await asyncio.open_connection(address.hostname, address.port, limit=1) for _ in range(STALLED)]
    for _, writer in still:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {servers.key}\r\nLast-Event-ID: -1\r\n\r\n".encode()
        )
    readers = [Reader(servers.url, servers.key) for _ in range(READERS)]
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, api.memory_info().rss >> 20)
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    ended = await asyncio.gather(*(reader.read(path, last="-1") for reader in readers))
    watching.cancel()
    for _, writer in still:
        writer.transport.abort()
    first = [frame for frame in readers[0].frames if frame[0]]
    # The first of all readers to see a frame is the clock: what the others needed beyond it is fan-out.
    spread = [
        max(reader.seen_at[-1 - n] for reader in readers) - min(reader.seen_at[-1 - n] for reader in readers)
        for n in range(min(50, len(first)))
    ]
    return {
        "complete": sum(ended) and sum([f for f in reader.frames if f[0]] == first for reader in readers),
        "of": READERS,
        "frames each": len(first),
        "spread of a frame over all readers, ms": round(statistics.median(spread) * 1000, 1),
        "API MB before / at most": [before, most],
    }


async def measure(servers: Servers, api: psutil.Process) -> int:
    async with httpx.AsyncClient(
        base_url=servers.url, headers={"x-api-key": servers.key}, timeout=60, trust_env=False
    ) as http:
        cut = await cut_often(servers, http)
        many = await many_readers(servers, http, api)
    sys.stdout.write(json.dumps({"cut every 200 ms": cut, "readers": many}, indent=1) + "\n")
    well = (
        cut["frames"] > 100 and cut["in order"] and not cut["lost"] and not cut["twice"] and many["complete"] == READERS
    )
    return 0 if well else 1


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory(prefix="mutirao-streams-") as name:
        folder = Path(name)
        with (
            EmbeddedParts(folder / "parts", ["postgres", "valkey"]) as parts,
            new_database(parts.database_url) as url,
            Servers(folder, database_url=url, redis_url=own_redis(parts.redis_url), env=parts.env) as servers,
        ):
            api = servers.start_api()
            servers.start_worker("streams")
            return asyncio.run(measure(servers, psutil.Process(api.pid)))


if __name__ == "__main__":
    sys.exit(main())
