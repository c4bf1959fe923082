"""The stores on a test's own database, without any process: what tests of jobs, claims and checkpoints begin with."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from mutirao.catalogue import Catalogue, WorkflowEntry
from mutirao.db import Database
from mutirao.ids import new_id
from mutirao.jobs.claims import ClaimStore
from mutirao.jobs.lists import JobFilter, JobLists
from mutirao.jobs.records import Claim, Event, Job, Submission
from mutirao.jobs.store import JobStore
from mutirao.projects import Projects
from mutirao.workers import WorkerStore
from sqlalchemy import text

WORKFLOW = "flow"
QUEUE = "default"


class Stores:
    """Every store on one database, and one project."""

    def __init__(self, db: Database, project: UUID) -> None:
        self.db = db
        self.project = project
        self.jobs = JobStore(db)
        self.claims = ClaimStore(db)
        self.workers = WorkerStore(db)
        self.projects = Projects(db)
        self.catalogue = Catalogue(db)

    async def worker(self, name: str, *, lease: float = 60, workflows: Sequence[str] = (WORKFLOW,)) -> UUID:
        """A registered worker of that name which serves the workflows."""
        worker = new_id()
        await self.workers.register(
            worker, name=name, host="test", pid=1, kind="shared", queues=[QUEUE], slots=100, lease_seconds=lease
        )
        await self.catalogue.publish(worker, [entry(workflow) for workflow in workflows])
        return worker

    async def accept(self, **fields: Any) -> Job:
        """A new job."""
        job, new = await self.jobs.accept(submission(self.project, **fields))
        assert new
        return job

    async def take(self, worker: UUID, *, limit: int = 1, ids: Sequence[UUID] | None = None) -> list[Claim]:
        """What the worker can claim into `limit` slots of each kind."""
        slots = {"shared": limit, "exclusive": limit}
        return await self.claims.claim(worker, "w", [QUEUE], slots=slots, ids=ids)

    async def claimed(self, **fields: Any) -> Claim:
        """A new job that a new worker has claimed."""
        job = await self.accept(**fields)
        [claim] = await self.take(await self.worker(f"w-{job.id}"), ids=[job.id])
        return claim

    async def expire(self, worker: UUID) -> None:
        """Let the worker's lease have run out a moment ago."""
        await self.run("UPDATE workers SET lease_expires_at = now() - interval '1 second' WHERE id = :id", id=worker)

    async def lose(self, worker: UUID) -> list[tuple[UUID, str, Any]]:
        """The worker vanishes and its jobs are taken from it."""
        await self.expire(worker)
        return await self.claims.reconcile()

    async def page(
        self, project: UUID | None = None, *, after: UUID | None = None, limit: int = 50, **wanted: Any
    ) -> list[Job]:
        """Jobs, newest first, of the project or of another one."""
        jobs = JobLists(self.db)
        return await jobs.page(project or self.project, JobFilter(**wanted), after=after, limit=limit)

    async def get(self, job_id: UUID) -> Job:
        """The job as clients see it."""
        return await self.jobs.get(self.project, job_id)

    async def events(self, job_id: UUID) -> list[Event]:
        """The whole journal of a job."""
        return await self.jobs.events(job_id, limit=100_000)

    async def run(self, statement: str, **values: Any) -> list[Any]:
        """Rows of a statement."""
        async with self.db.autocommit() as connection:
            result = await connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []


@asynccontextmanager
async def stores(database_url: str) -> AsyncIterator[Stores]:
    """Stores with a project of their own. Jobs that earlier tests left behind are gone."""
    db = Database(database_url)
    try:
        async with db.autocommit() as connection:
            await connection.execute(text("TRUNCATE projects, workers, workflows CASCADE"))
        yield Stores(db, await Projects(db).ensure(f"project-{new_id()}"))
    finally:
        await db.close()


def submission(project: UUID, **fields: Any) -> Submission:
    """A job to submit."""
    values: dict[str, Any] = {"workflow": WORKFLOW, "version": "1", "queue": QUEUE, "input": {}}
    return Submission(project_id=project, **(values | fields))


def entry(name: str = WORKFLOW, version: str = "1") -> WorkflowEntry:
    """A workflow that takes anything."""
    return WorkflowEntry(
        name=name,
        version=version,
        description="",
        queue=QUEUE,
        kind="shared",
        input_schema={},
        output_schema={},
        graph={},
    )
