"""An API whose jobs the test itself works on, step by step: what a worker would do, and nothing by itself."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
from mutirao.catalogue import WorkflowEntry
from mutirao.db import Database
from mutirao.ids import new_id
from mutirao.jobs.approvals import Approval, ApprovalStore, Question
from mutirao.jobs.records import Claim, NewEvent, Problem
from mutirao.jobs.states import JobState
from mutirao.projects import DEFAULT_PROJECT, Projects, new_key_text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.servers import Servers
from tests.stores import QUEUE, Stores, entry

_INPUT = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}


class Driven:
    """The API's client (`http`), the stores behind it, and a worker that serves `workflow` in this process."""

    def __init__(self, servers: Servers, stores: Stores, worker: UUID, workflow: str) -> None:
        self.servers = servers
        self.http = servers.http
        self.stores = stores
        self.worker = worker
        self.workflow = workflow
        self.approvals = ApprovalStore(stores.db)

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, while this process goes on."""
        return await asyncio.to_thread(self.http.request, method, path, **options)

    async def submit(self, **fields: Any) -> UUID:
        """The id of a new job."""
        answer = await self.call("POST", "/jobs", json={"workflow": self.workflow, **fields})
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    async def claim(self, job_id: UUID) -> Claim:
        """Begin an attempt."""
        [claim] = await self.stores.claims.claim(
            self.worker, "driven", [QUEUE], slots={"shared": 1, "exclusive": 1}, ids=[job_id]
        )
        return claim

    async def running(self, **fields: Any) -> Claim:
        """A new job that has begun."""
        return await self.claim(await self.submit(**fields))

    async def failed(self, **fields: Any) -> Claim:
        """A new job that has failed."""
        claim = await self.running(**fields)
        await self.stores.claims.finish(claim, JobState.FAILED, error=Problem(code="step_failed", message="no good"))
        return claim

    async def asks(self, *requests: Any, steps: Sequence[str] = (), **fields: Any) -> tuple[Claim, list[Approval]]:
        """A new job that is paused for the decisions on these requests; those of `steps` are not finished."""
        claim = await self.running(**fields)
        events = [NewEvent(type="step.started", step=step, data={"id": uuid4().hex}) for step in steps]
        questions = [Question(id=new_id(), interrupt_id=uuid4().hex, step="ask", request=asked) for asked in requests]

        async def also(connection: AsyncConnection) -> None:
            await self.approvals.open(connection, claim, questions)

        state = await self.stores.claims.hold(claim, JobState.PAUSED, "approval", events=events, also=also)
        assert state is JobState.PAUSED
        return claim, await self.approvals.of_job(self.stores.project, claim.job_id)

    async def stranger(self) -> httpx.Client:
        """A client with the key of another project; the caller closes it."""
        key = new_key_text()
        projects = self.stores.projects
        await projects.add_key(await projects.ensure(f"other-{secrets.token_hex(4)}"), key, "test")
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=f"{self.servers.url}/api/v1", headers=headers, timeout=30, trust_env=False)


def takes_a_number(name: str, version: str = "1") -> WorkflowEntry:
    """A workflow whose input is `{"n": integer}`, in the catalogue and nowhere else."""
    return entry(name, version).model_copy(update={"input_schema": _INPUT})


@asynccontextmanager
async def drive(servers: Servers) -> AsyncIterator[Driven]:
    """See `Driven`."""
    db = Database(servers.database_url)
    try:
        stores = Stores(db, await Projects(db).ensure(DEFAULT_PROJECT))
        workflow = f"flow-{secrets.token_hex(4)}"
        worker = await stores.worker(workflow, workflows=())
        await stores.catalogue.publish(worker, [takes_a_number(workflow)])
        yield Driven(servers, stores, worker, workflow)
        await stores.workers.stop(worker)
    finally:
        await db.close()
