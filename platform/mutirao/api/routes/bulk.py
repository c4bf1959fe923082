"""Many jobs in one call: submit, cancel, retry, count. Each job is its own transaction and has its own result."""

from collections.abc import Awaitable, Callable
from typing import Any, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mutirao.api.filter_limits import check_filters
from mutirao.api.open_requests import caller_of
from mutirao.api.problems import responses
from mutirao.api.routes.filters import Filtered
from mutirao.api.scopes import Class
from mutirao.api.services import Caller, HasServices, Services
from mutirao.api.submission import JobRequest, submit
from mutirao.errors import MutiraoError
from mutirao.jobs.lists import JobFilter
from mutirao.jobs.records import Job
from mutirao.jobs.states import JobState

router = APIRouter(prefix="/jobs", tags=["jobs"])

_MOST = 1_000
_MOST_SUBMITTED = 200


class BatchItem(JobRequest):
    """A job of a batch."""

    idempotency_key: str | None = Field(
        None, min_length=1, max_length=200, description="As the header of `POST /jobs`."
    )


class BatchRequest(BaseModel):
    """Jobs to submit. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    jobs: list[BatchItem] = Field(min_length=1, max_length=_MOST_SUBMITTED)


class Refusal(BaseModel):
    """Why nothing was done for one of them."""

    status: int
    code: str
    detail: str


class BatchResult(BaseModel):
    """What became of one of them: `job`, or `error`."""

    id: UUID | None = Field(None, description="The job's id; null where none was made.")
    job: Job | None = None
    error: Refusal | None = None


class BatchAnswer(BaseModel):
    """One result for each, in their order."""

    results: list[BatchResult]


class Chosen(BaseModel):
    """Which jobs: by their ids, or all that fit a filter. Unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"workflow": "report", "state": ["queued"]}}
    )

    ids: list[UUID] | None = Field(None, min_length=1, max_length=_MOST)
    workflow: str | None = Field(None, max_length=64)
    state: list[JobState] | None = Field(None, min_length=1, max_length=50)
    thread_id: UUID | None = None
    metadata: dict[str, Any] | None = Field(None, description="Jobs whose metadata contains this.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_filter = any((self.workflow, self.state, self.thread_id, self.metadata))
        if (self.ids is not None) == by_filter:
            raise ValueError("name the jobs by `ids`, or by workflow, state, thread_id and metadata; not by both")
        return self


class JobCounts(BaseModel):
    """Jobs by state; states without a job are left out."""

    counts: dict[JobState, int]
    total: int


@router.post("/batch", responses=responses(401, 413, 422, 503))
async def submit_batch(request: BatchRequest, services: HasServices, caller: Caller) -> BatchAnswer:
    """Accept up to 200 jobs. Each is committed, or refused, on its own; an accepted one is never lost."""

    async def one(item: BatchItem) -> BatchResult:
        plain = JobRequest.model_validate(item.model_dump(exclude={"idempotency_key"}, exclude_unset=True))
        job, _ = await submit(services, caller, plain, item.idempotency_key)
        return BatchResult(id=job.id, job=job)

    await services.rate_limits.take(
        str(caller_of(caller)), Class.SUBMIT, len(request.jobs) - 1
    )  # the gate has taken one
    return BatchAnswer(results=[await _tried(one, item) for item in request.jobs])


@router.post("/cancel", status_code=202, responses=responses(401, 413, 422))
async def cancel_many(request: Chosen, services: HasServices, caller: Caller) -> BatchAnswer:
    """Ask for the end of up to 1,000 jobs and of their children. Those that have ended are refused one by one."""

    async def one(job_id: UUID) -> BatchResult:
        job = await services.jobs.cancel(caller.project_id, job_id, by=caller.actor)
        await services.audit.record(caller, "job.cancel", job_id, {"bulk": True})
        return BatchResult(id=job_id, job=job)

    return await _each(services, caller.project_id, request, one)


@router.post("/retry", status_code=202, responses=responses(401, 413, 422))
async def retry_many(request: Chosen, services: HasServices, caller: Caller) -> BatchAnswer:
    """Begin up to 1,000 jobs anew that have ended without success. Others are refused one by one."""

    async def one(job_id: UUID) -> BatchResult:
        job = await services.jobs.retry(caller.project_id, job_id)
        services.hints.send(job.queue, job.id)
        await services.audit.record(caller, "job.retry", job_id, {"bulk": True})
        return BatchResult(id=job_id, job=job)

    return await _each(services, caller.project_id, request, one)


@router.get("/counts", responses=responses(401, 422))
async def count_jobs(services: HasServices, caller: Caller, wanted: Filtered) -> JobCounts:
    """How many jobs there are in each state, by the filters of `GET /jobs`."""
    counts = await services.lists.counts(caller.project_id, wanted)
    return JobCounts(counts=counts, total=sum(counts.values()))


async def _each(
    services: Services, project_id: UUID, request: Chosen, one: Callable[[UUID], Awaitable[BatchResult]]
) -> BatchAnswer:
    check_filters(services.settings.api, metadata=request.metadata)
    ids = request.ids
    if ids is None:
        wanted = JobFilter(
            workflow=request.workflow, states=request.state, thread_id=request.thread_id, metadata=request.metadata
        )
        ids = await services.lists.ids(project_id, wanted, _MOST)
    return BatchAnswer(results=[await _tried(one, job_id, job_id) for job_id in dict.fromkeys(ids)])


async def _tried(do: Callable[[Any], Awaitable[BatchResult]], item: Any, job_id: UUID | None = None) -> BatchResult:
    try:
        return await do(item)
    except MutiraoError as error:
        return BatchResult(id=job_id, error=Refusal(status=error.status, code=error.code, detail=error.message))
