"""The ways to the same jobs that are measured: ours natively, ours through langgraph-sdk, `langgraph dev` through it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import httpx
import orjson
from langgraph_sdk import get_client

from tests.bench.streams import lines

_LOOK_SECONDS = 0.05


class Door(Protocol):
    """A server as a client sees it. Jobs are named as the door likes."""

    async def wait(self) -> None:
        """A no-op job, from the submit to its seen end."""

    async def submit(self, graph: str) -> Any:
        """Accept a job; what it is called."""

    async def ended(self, jobs: Sequence[Any]) -> None:
        """Return when all of them have ended; nothing else runs at that time."""

    def events(self, job: Any) -> AsyncIterator[dict[str, Any]]:
        """The custom events of a job as they come."""

    def fresh(self, graph: str) -> AsyncIterator[dict[str, Any]]:
        """The same of a job that is submitted now."""

    async def running(self, job: Any) -> None:
        """Return when it runs."""

    async def cancel(self, job: Any) -> None:
        """Ask for its end; returns with the answer."""


class Native:
    """`/api/v1`."""

    name = "native"

    def __init__(self, url: str, key: str, connections: int = 16) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api/v1", headers=self._headers, timeout=120, trust_env=False, limits=limits
        )

    async def wait(self) -> None:
        job = await self.submit("noop")
        seen = (await self._http.get(f"/jobs/{job}", params={"wait": 60})).raise_for_status().json()
        if seen["state"] != "succeeded":
            raise RuntimeError(f"job {job} ended as {seen['state']}: {seen['error']}")

    async def submit(self, graph: str) -> Any:
        body = {"workflow": f"bench.{graph}", "input": {"n": 0}}
        return (await self._http.post("/jobs", json=body)).raise_for_status().json()["id"]

    async def ended(self, jobs: Sequence[Any]) -> None:
        params = {"state": ["queued", "running"], "limit": 1}
        while (await self._http.get("/jobs", params=params)).raise_for_status().json()["jobs"]:
            await asyncio.sleep(_LOOK_SECONDS)

    async def _job(self, job: Any) -> Any:
        return (await self._http.get(f"/jobs/{job}")).raise_for_status().json()

    async def events(self, job: Any) -> AsyncIterator[dict[str, Any]]:
        async for line in lines(f"{self._url}/api/v1/jobs/{job}/events", self._headers):
            if b'"type":"custom"' in line:
                yield orjson.loads(line)["data"]

    async def fresh(self, graph: str) -> AsyncIterator[dict[str, Any]]:
        async for event in self.events(await self.submit(graph)):
            yield event

    async def running(self, job: Any) -> None:
        while (await self._job(job))["state"] != "running":
            await asyncio.sleep(_LOOK_SECONDS)

    async def cancel(self, job: Any) -> None:
        (await self._http.post(f"/jobs/{job}/cancel")).raise_for_status()

    async def close(self) -> None:
        await self._http.aclose()


class Protocolled:
    """The LangGraph protocol, through langgraph-sdk. A job is (thread, run)."""

    def __init__(self, name: str, url: str, key: str | None = None) -> None:
        self.name = name
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = get_client(url=url, api_key=key, headers=self._headers or None)

    async def wait(self) -> None:
        if (await self._client.runs.wait(None, "bench.noop", input={"n": 0})) != {"n": 3}:
            raise RuntimeError(f"{self.name}: a wrong result")

    async def submit(self, graph: str) -> Any:
        thread = (await self._client.threads.create())["thread_id"]
        run = await self._client.runs.create(
            thread, f"bench.{graph}", input={"n": 0}, stream_mode="custom", stream_resumable=True
        )
        return thread, run["run_id"]

    async def ended(self, jobs: Sequence[Any]) -> None:
        while await self._client.threads.search(status="busy", limit=1):
            await asyncio.sleep(_LOOK_SECONDS)

    async def events(self, job: Any) -> AsyncIterator[dict[str, Any]]:
        thread, run = job
        # As the SDK asks, which opens no more than a hundred connections.
        async for line in lines(f"{self._url}/threads/{thread}/runs/{run}/stream?stream_mode=custom", self._headers):
            if b'"at"' in line:
                yield orjson.loads(line)

    async def fresh(self, graph: str) -> AsyncIterator[dict[str, Any]]:
        async for part in self._client.runs.stream(None, f"bench.{graph}", input={"n": 0}, stream_mode="custom"):
            if part.event == "custom":
                yield part.data

    async def running(self, job: Any) -> None:
        while (await self._client.runs.get(*job))["status"] != "running":
            await asyncio.sleep(_LOOK_SECONDS)

    async def cancel(self, job: Any) -> None:
        await self._client.runs.cancel(*job)

    async def close(self) -> None:
        await self._client.aclose()
