"""What may be done to a job: cancel, pause, resume, retry, fork."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from mutirao.api.problems import responses
from mutirao.api.routes.jobs import ended
from mutirao.api.services import Caller, HasServices, Services
from mutirao.api.submission import Json
from mutirao.errors import Forbidden
from mutirao.jobs.records import Budget, Job
from mutirao.jobs.states import JobState
from mutirao.keys import Scope

router = APIRouter(prefix="/jobs", tags=["jobs"])

CANCEL_SECONDS = 2.0

CheckpointId = Annotated[
    str | None,
    Field(min_length=1, max_length=64, description="Of `GET /jobs/{job_id}/checkpoints`; default: the last."),
]


class RetryRequest(BaseModel):
    """How to begin a job anew that has ended without success. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    checkpoint_id: CheckpointId = None
    version: Literal["current"] | None = Field(
        None, description="`current`: go on with the version that is served now; default: the one it began with."
    )
    budget: Budget | None = Field(None, description="A new budget in place of its own.")


class ForkRequest(BaseModel):
    """Where a fork begins, and what is changed there. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    checkpoint_id: CheckpointId = None
    values: Json | None = Field(None, description="Changes to the state at that checkpoint.")
    as_node: str | None = Field(
        None, min_length=1, max_length=200, description="The step that the changes are taken to come from."
    )
    metadata: Json | None = Field(None, description="Of the new job; default: that of the old one.")


@router.post("/{job_id}/cancel", status_code=202, responses=responses(401, 404, 409, 422))
async def cancel_job(
    job_id: UUID,
    services: HasServices,
    caller: Caller,
    wait: Annotated[
        float, Query(ge=0, le=30, description="Wait at most so many seconds for its end.")
    ] = CANCEL_SECONDS,
) -> Job:
    """Ask for the end of a job and of its children. Its state is `cancelled` once nothing of it runs any more."""
    job = await services.jobs.cancel(caller.project_id, job_id, by=caller.actor)
    await services.audit.record(caller, "job.cancel", job_id)
    if job.state.terminal or not wait:
        return job
    return await ended(services, caller.project_id, job_id, wait)


@router.post("/{job_id}/pause", status_code=202, responses=responses(401, 404, 409, 422))
async def pause_job(job_id: UUID, services: HasServices, caller: Caller) -> Job:
    """Ask a job to stand still. A running one is `paused` after the step it is in; finished steps stay finished."""
    job = await services.jobs.pause(caller.project_id, job_id)
    await services.audit.record(caller, "job.pause", job_id)
    return job


@router.post("/{job_id}/resume", status_code=202, responses=responses(401, 404, 409, 422))
async def resume_job(job_id: UUID, services: HasServices, caller: Caller) -> Job:
    """Let a paused job go on. One that waits for a decision goes on when that is made, not by this."""
    job = await services.jobs.resume(caller.project_id, job_id)
    await services.audit.record(caller, "job.resume", job_id)
    return _hinted(services, job)


@router.post("/{job_id}/retry", status_code=202, responses=responses(401, 404, 409, 413, 422))
async def retry_job(
    job_id: UUID,
    services: HasServices,
    caller: Caller,
    request: Annotated[RetryRequest, Body(default_factory=RetryRequest)],
) -> Job:
    """Begin a job anew that has failed, is dead, has spent its budget or is stranded.

    It goes on from its last checkpoint, or from the one that is named.
    """
    job = await services.jobs.get(caller.project_id, job_id)
    await _known_checkpoint(services, job, request.checkpoint_id)
    options: dict[str, Any] = {"version": request.version, "budget": request.budget}
    retried = await services.jobs.retry(caller.project_id, job_id, checkpoint_id=request.checkpoint_id, **options)
    said = request.model_dump(mode="json", exclude_none=True)
    await services.audit.record(caller, "job.retry", job_id, said)
    return _hinted(services, retried)


@router.post("/{job_id}/fork", status_code=202, responses=responses(401, 404, 409, 413, 422))
async def fork_job(
    job_id: UUID,
    response: Response,
    services: HasServices,
    caller: Caller,
    request: Annotated[ForkRequest, Body(default_factory=ForkRequest)],
) -> Job:
    """A new job, in a thread of its own, that begins at a checkpoint of this one, with changes where they are given."""
    job = await services.jobs.get(caller.project_id, job_id)
    await _known_checkpoint(services, job, request.checkpoint_id)
    changes = request.values is not None or request.as_node is not None
    if changes and Scope.APPROVE not in caller.scopes and await services.runs.asks(job.thread_id):
        raise Forbidden(
            f"job {str(job_id)!r} is in a thread that waits for a decision: `values` and `as_node` need the scope 'approve'",
            scope=Scope.APPROVE,
        )
    forked = await services.jobs.fork(
        caller.project_id,
        job_id,
        checkpoint_id=request.checkpoint_id,
        values=request.values,
        as_node=request.as_node,
        metadata=request.metadata,
    )
    services.changes.told(forked.id)
    said = {"fork": str(forked.id), "checkpoint_id": request.checkpoint_id}
    await services.audit.record(caller, "job.fork", job_id, said)
    response.headers["Location"] = f"/api/v1/jobs/{forked.id}"
    return _hinted(services, forked)


async def _known_checkpoint(services: Services, job: Job, checkpoint_id: str | None) -> None:
    """Raises CheckpointUnknown when a checkpoint is named that the job does not have."""
    if checkpoint_id is not None:
        await services.checkpoints.get(job, checkpoint_id)


def _hinted(services: Services, job: Job) -> Job:
    if job.state is JobState.QUEUED:
        services.hints.send(job.queue, job.id)
    return job
