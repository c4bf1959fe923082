"""Jobs: submit, read, list, cancel, follow."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices, Services
from mutirao.catalogue import check_input
from mutirao.db.jsonb import unkeepable
from mutirao.db.notices import wait_for
from mutirao.errors import InvalidInput
from mutirao.jobs.records import Attempt, Event, Job, Submission
from mutirao.jobs.states import JobState
from mutirao.jobs.store import ENDED

router = APIRouter(prefix="/jobs", tags=["jobs"])

_PAGE_OF_EVENTS = 500
# A wake-up may be lost with its connection; a waiting reader looks by itself this often.
_LOOK_SECONDS = 2.0

_HIGHEST_SEQ = (1 << 63) - 1

Limit = Annotated[int, Query(ge=1, le=200, description="Most rows in the answer.")]
After = Annotated[int, Query(ge=0, le=_HIGHEST_SEQ, description="Only events with a higher `seq`.")]


def _kept(value: dict[str, Any]) -> dict[str, Any]:
    if miss := unkeepable(value):
        raise ValueError(miss)
    return value


Json = Annotated[dict[str, Any], AfterValidator(_kept)]


class JobRequest(BaseModel):
    """A job to submit. Unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"workflow": "report", "input": {"topic": "composting", "collections": ["demo"]}}
        },
    )

    workflow: str = Field(min_length=1, max_length=64, description="Name of the workflow, see `GET /workflows`.")
    version: str | None = Field(None, max_length=64, description="Default: the newest that a worker serves.")
    input: Json = Field(default_factory=dict, description="Must fit the workflow's input schema.")
    metadata: Json = Field(default_factory=dict, description="Yours; kept with the job and never read.")
    thread_id: UUID | None = Field(None, description="Jobs of one thread share checkpoints and run one after another.")
    max_attempts: int | None = Field(None, ge=1, le=20, description="Default: the setting MUTIRAO_ATTEMPTS.")


class JobPage(BaseModel):
    """Jobs, newest first."""

    jobs: list[Job]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


@router.post("", status_code=202, responses=responses(401, 404, 413, 422, 503))
async def submit_job(
    request: JobRequest,
    response: Response,
    services: HasServices,
    caller: Caller,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Job:
    """Accept a job. It is committed before the answer is sent: a job that was answered with 202 is never lost.

    The same `Idempotency-Key` with the same body answers with the same job.
    """
    job, new = await submit(services, caller.project_id, request, idempotency_key)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    if not new:
        response.headers["Idempotency-Replayed"] = "true"
    return job


async def submit(
    services: Services, project_id: UUID, request: JobRequest, idempotency_key: str | None = None
) -> tuple[Job, bool]:
    """Validate against the catalogue, commit, then hint. Returns the job and whether it is new."""
    workflow = await services.catalogue.get(request.workflow, request.version)
    check_input(workflow, request.input)
    submission = Submission(
        project_id=project_id,
        workflow=workflow.name,
        version=workflow.version,
        queue=workflow.queue,
        input=request.input,
        metadata=request.metadata,
        thread_id=request.thread_id,
        max_attempts=request.max_attempts or services.settings.worker.attempts,
        idempotency_key=idempotency_key,
        request_sha256=_digest(request) if idempotency_key else "",
    )
    job, new = await services.jobs.accept(submission)
    if new:
        services.hints.send(job.queue, job.id)
    return job, new


def _digest(request: JobRequest) -> str:
    return hashlib.sha256(orjson.dumps(request.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).hexdigest()


@router.get("", responses=responses(401, 422))
async def list_jobs(
    services: HasServices,
    caller: Caller,
    workflow: Annotated[str | None, Query(description="Only this workflow.")] = None,
    state: Annotated[list[JobState] | None, Query(description="Only these states.")] = None,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    limit: Limit = 50,
) -> JobPage:
    """Jobs of the project, newest first."""
    jobs = await services.jobs.page(
        caller.project_id, before=_read_cursor(cursor), workflow=workflow, states=state, limit=limit + 1
    )
    more = len(jobs) > limit
    return JobPage(jobs=jobs[:limit], next=_write_cursor(jobs[limit - 1].id) if more else None)


def _write_cursor(job_id: UUID) -> str:
    return base64.urlsafe_b64encode(job_id.bytes).decode().rstrip("=")


def _read_cursor(cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except ValueError:
        raise InvalidInput(f"cursor {cursor!r} is not one of ours; take `next` of the page before") from None


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
            await wait_for(event, min(left, _LOOK_SECONDS))


@router.get("/{job_id}/attempts", responses=responses(401, 404, 422))
async def list_attempts(job_id: UUID, services: HasServices, caller: Caller) -> list[Attempt]:
    """Which workers tried the job, and how each attempt ended."""
    await services.jobs.get(caller.project_id, job_id)
    return await services.jobs.attempts(job_id)


@router.post("/{job_id}/cancel", status_code=202, responses=responses(401, 404, 409, 422))
async def cancel_job(job_id: UUID, services: HasServices, caller: Caller) -> Job:
    """Ask for the end of a job. Its state is `cancelled` once nothing of it runs any more."""
    return await services.jobs.cancel(caller.project_id, job_id)


@router.get("/{job_id}/journal", responses=responses(401, 404, 422))
async def list_events(
    job_id: UUID,
    services: HasServices,
    caller: Caller,
    after: After = 0,
    limit: Limit = 200,
) -> list[Event]:
    """A page of the job's journal, in order."""
    await services.jobs.get(caller.project_id, job_id)
    return await services.jobs.events(job_id, after=after, limit=limit)


async def _start_after(
    job_id: UUID,
    services: HasServices,
    caller: Caller,
    after: After = 0,
    last_event_id: Annotated[str | None, Header(description="`id` of the last event seen; resumes after it.")] = None,
) -> int:
    """Where a stream begins. A dependency, so that what is wrong is said before the stream has begun."""
    await services.jobs.get(caller.project_id, job_id)
    if not last_event_id:
        return after
    if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < len(str(_HIGHEST_SEQ))):
        raise InvalidInput(
            f"Last-Event-ID {last_event_id[:40]!r} is not a number; it is the `id` of the last event seen"
        )
    return int(last_event_id)


@router.get("/{job_id}/events", response_class=EventSourceResponse, responses=responses(401, 404, 422))
async def follow_events(
    job_id: UUID, services: HasServices, caller: Caller, start: Annotated[int, Depends(_start_after)]
) -> AsyncIterator[ServerSentEvent]:
    """The job's journal as server-sent events: what there is, then what comes, until the job has ended.

    `id` is the event's `seq`, `event` its type, `data` the whole event as in the journal. A reader that reconnects with
    `Last-Event-ID` loses nothing and sees nothing twice.
    """
    async for item in _follow(services, caller.project_id, job_id, start):
        yield item


async def _follow(services: Services, project_id: UUID, job_id: UUID, after: int) -> AsyncIterator[ServerSentEvent]:
    heartbeat = services.settings.api.stream_heartbeat_seconds
    idle = 0.0
    async with services.notices.waiting(str(job_id)) as news:
        while True:
            news.clear()
            events = await services.jobs.events(job_id, after=after, limit=_PAGE_OF_EVENTS)
            for event in events:
                after, idle = event.seq, 0.0
                yield ServerSentEvent(id=str(event.seq), event=event.type, raw_data=event.model_dump_json())
                if event.type in TERMINAL_EVENTS:
                    return
            if len(events) == _PAGE_OF_EVENTS:
                continue
            if not events and await _nothing_after(services, project_id, job_id, after):
                return
            if not await wait_for(news, _LOOK_SECONDS):
                idle += _LOOK_SECONDS
                if idle >= heartbeat:
                    idle = 0.0
                    yield ServerSentEvent(comment="still here")


async def _nothing_after(services: Services, project_id: UUID, job_id: UUID, after: int) -> bool:
    """Whether the job has ended and the reader has seen it all: one that resumes after the last event."""
    job = await services.jobs.get(project_id, job_id)
    return job.state.terminal and job.last_seq <= after


TERMINAL_EVENTS = frozenset(f"job.{state}" for state in JobState if state.terminal)
"""After an event of these types nothing more comes."""
