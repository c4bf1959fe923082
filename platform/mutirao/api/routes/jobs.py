"""Jobs: submit, read, list, and what belongs to one: attempts, children, checkpoints, usage."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, Field

from mutirao.api import pages
from mutirao.api.pages import Cursor, Limit
from mutirao.api.problems import responses
from mutirao.api.routes.filters import Filtered
from mutirao.api.selection import AskedFields
from mutirao.api.services import Caller, HasServices, Services
from mutirao.api.submission import JobRequest, submit
from mutirao.db.notices import wait_for
from mutirao.jobs.checkpoints import Checkpoint
from mutirao.jobs.lists import JobSort
from mutirao.jobs.records import Attempt, Job
from mutirao.jobs.sql import LARGE
from mutirao.jobs.store import ENDED
from mutirao.jobs.usage import Usage

router = APIRouter(prefix="/jobs", tags=["jobs"])

# A wake-up may be lost with its connection; a waiting reader looks by itself this often.
LOOK_SECONDS = 2.0


class JobPage(BaseModel):
    """Jobs, newest first."""

    jobs: list[Job]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


class ChildPage(BaseModel):
    """The children of a job, in the order of its fan-outs and, in each, of their ordinals."""

    jobs: list[Job]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


@router.post("", status_code=202, responses=responses(401, 404, 409, 413, 422, 503))
async def submit_job(
    request: JobRequest,
    response: Response,
    services: HasServices,
    caller: Caller,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Job:
    """Accept a job. It is committed before the answer is sent: a job that was answered with 202 is never lost.

    The same `Idempotency-Key` with the same body answers with the same job; while the first request is still in flight
    the answer is 409 `request_in_flight`.
    """
    job, new = await submit(services, caller, request, idempotency_key)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    if not new:
        response.headers["Idempotency-Replayed"] = "true"
    return job


@router.get("", responses=responses(401, 422))
async def list_jobs(
    services: HasServices,
    caller: Caller,
    wanted: Filtered,
    asked: AskedFields,
    sort: Annotated[
        JobSort, Query(description="Order; those that have not finished count as finishing last.")
    ] = JobSort.NEWEST,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> JobPage:
    """Jobs of the project, newest first unless `sort` says otherwise."""
    after = pages.read_cursor(cursor)
    spared = LARGE - asked if asked else ()
    jobs = await services.lists.page(caller.project_id, wanted, sort=sort, after=after, limit=limit + 1, without=spared)
    rows, following = pages.cut(jobs, limit)
    return JobPage(jobs=rows, next=following)


@router.get("/{job_id}", responses=responses(401, 404, 422))
async def get_job(
    job_id: UUID,
    services: HasServices,
    caller: Caller,
    wait: Annotated[float, Query(ge=0, le=60, description="Wait at most so many seconds for its end.")] = 0,
) -> Job:
    """One job; with `wait`, as soon as it has ended."""
    if wait:
        return await ended(services, caller.project_id, job_id, wait)
    return await services.jobs.get(caller.project_id, job_id)


async def ended(services: Services, project_id: UUID, job_id: UUID, seconds: float) -> Job:
    """The job as soon as it has ended, or as it is after `seconds`. Raises NotFound."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    async with services.notices.waiting(f"{job_id}{ENDED}") as event:
        while True:
            event.clear()
            job = await services.jobs.get(project_id, job_id)
            left = deadline - loop.time()
            if job.state.terminal or left <= 0:
                return job
            await wait_for(event, min(left, LOOK_SECONDS))


@router.get("/{job_id}/attempts", responses=responses(401, 404, 422))
async def list_attempts(job_id: UUID, services: HasServices, caller: Caller) -> list[Attempt]:
    """Which workers tried the job, and how each attempt ended."""
    await services.jobs.get(caller.project_id, job_id)
    return await services.jobs.attempts(job_id)


@router.get("/{job_id}/children", responses=responses(401, 404, 422))
async def list_children(
    job_id: UUID, services: HasServices, caller: Caller, cursor: Cursor = None, limit: Limit = 50
) -> ChildPage:
    """The jobs it fanned out to, in order."""
    after = pages.read_cursor(cursor)
    await services.jobs.get(caller.project_id, job_id)
    jobs = await services.jobs.children(caller.project_id, job_id, after=after, limit=limit + 1)
    rows, following = pages.cut(jobs, limit)
    return ChildPage(jobs=rows, next=following)


@router.get("/{job_id}/checkpoints", responses=responses(401, 404, 422))
async def list_checkpoints(
    job_id: UUID,
    services: HasServices,
    caller: Caller,
    before: Annotated[str | None, Query(max_length=64, description="Only older ones than this checkpoint.")] = None,
    limit: Limit = 50,
) -> list[Checkpoint]:
    """Where the job can go on from, newest first: `retry` and `fork` take their ids."""
    job = await services.jobs.get(caller.project_id, job_id)
    return await services.checkpoints.page(job, before=before, limit=limit)


@router.get("/{job_id}/usage", responses=responses(401, 404, 422))
async def get_usage(job_id: UUID, services: HasServices, caller: Caller) -> Usage:
    """What the job has spent so far, without its children: model calls, tokens, money."""
    await services.jobs.get(caller.project_id, job_id)
    return await services.usage.of_job(job_id)
