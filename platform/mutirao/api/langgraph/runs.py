"""Runs: create, stream, wait, list, join, cancel, delete; in a thread, or in one of their own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from mutirao.api.filter_limits import check_filters
from mutirao.api.langgraph import run_answers
from mutirao.api.langgraph.run_answers import Action
from mutirao.api.langgraph.run_requests import Batch, RunRequest, start_run, start_runs
from mutirao.api.langgraph.run_streams import Wanted
from mutirao.api.langgraph.stream_modes import MODES, as_list
from mutirao.api.open_requests import caller_of
from mutirao.api.problems import details
from mutirao.api.scopes import Class
from mutirao.api.services import Caller, HasServices
from mutirao.api.submission import Json
from mutirao.assistants import select, system_id
from mutirao.callers import without_caller
from mutirao.errors import InvalidInput, NotFound
from mutirao.jobs.records import Job
from mutirao.jobs.runs import RunStatus, status_of

router = APIRouter(tags=["langgraph: runs"])

RunField = Literal[
    "run_id", "thread_id", "assistant_id", "created_at", "updated_at", "status", "metadata", "kwargs",
    "multitask_strategy", "cancel_reason",
]  # fmt: skip
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=1_000_000_000)]
Wait = Annotated[bool, Query(description="Answer when nothing of it runs any more.")]
CancelOnDisconnect = Annotated[bool, Query(description="Cancel the run when this reader goes away.")]
LastEventId = Annotated[str | None, Header(description="`id` of the last frame seen; `-1`: from the beginning.")]


def _wanted(
    stream_mode: Annotated[list[str] | None, Query(description="Only frames of these modes; default: all.")] = None,
    namespace: Annotated[
        list[str] | None, Query(description="Only frames of these graphs; empty: the outermost. Default: all.")
    ] = None,
) -> Wanted:
    modes = [mode for mode in as_list(stream_mode) if mode]  # one that is empty is sent for none
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise InvalidInput(f"unknown stream mode {unknown[0]!r}; there are {', '.join(MODES)}")
    return Wanted(modes or None, namespace)


Chosen = Annotated[Wanted, Depends(_wanted)]
Namespaces = Annotated[list[str] | None, Query(description="Only frames of these graphs; empty: the outermost.")]

_FAILURES = details(401, 404, 422)
_CREATE = details(401, 404, 409, 413, 422, 503)
_CANCEL = {**_FAILURES, 202: {"description": "Asked for, and not waited for."}}
_SSE: dict[str, Any] = {"content": {"text/event-stream": {"schema": {"type": "string"}}}}


class Run(BaseModel):
    """A job, in the words of the protocol."""

    model_config = ConfigDict(extra="forbid")

    run_id: UUID
    thread_id: UUID
    assistant_id: UUID
    created_at: datetime
    updated_at: datetime
    status: RunStatus
    metadata: dict[str, Any]
    kwargs: dict[str, Any] = Field(description="What was asked for.")
    multitask_strategy: str
    cancel_reason: str | None = None

    @classmethod
    def of(cls, job: Job) -> Self:
        """The job as a run."""
        asked = job.cancel_requested_at
        return cls(
            run_id=job.id,
            thread_id=job.thread_id,
            assistant_id=job.assistant_id or system_id(job.workflow),
            created_at=job.created_at,
            updated_at=max(filter(None, (job.finished_at, asked, job.started_at, job.created_at))),
            status=status_of(job),
            metadata=job.metadata,
            kwargs=_kwargs(job),
            multitask_strategy=job.run.multitask_strategy if job.run else "enqueue",
            cancel_reason=("rollback" if job.rolled_back else "interrupt") if asked else None,
        )


def _kwargs(job: Job) -> dict[str, Any]:
    found: dict[str, Any] = {"input": job.input}
    if job.run is None:
        return found
    run, stream = job.run, job.run.stream
    config = without_caller(run.config)
    found |= {"command": run.command, "config": config, "context": run.context, "webhook": job.webhook}
    found |= {"stream_mode": stream.modes, "stream_subgraphs": stream.subgraphs, "stream_resumable": stream.resumable}
    found |= {"interrupt_before": run.interrupt_before, "interrupt_after": run.interrupt_after}
    return found | {"checkpoint": run.checkpoint, "durability": run.durability, **run.kwargs}


class RunSearch(BaseModel):
    """Which runs of the project; what is not given does not matter."""

    model_config = ConfigDict(extra="ignore")

    thread_id: UUID | None = None
    agent_id: str | None = Field(None, description="Assistant or workflow.")
    status: RunStatus | None = None
    metadata: Json | None = None
    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0, le=1_000_000_000)


class CancelRequest(BaseModel):
    """Which runs: some of a thread, or all in a status."""

    model_config = ConfigDict(extra="ignore")

    thread_id: UUID | None = None
    run_ids: list[UUID] | None = Field(None, max_length=1000)
    status: Literal["pending", "running", "all"] | None = None


# --- create


@router.post("/runs", responses=_CREATE)
async def create_run(request: RunRequest, response: Response, services: HasServices, caller: Caller) -> Run:
    """Begin a run in a thread of its own; answers when it is accepted."""
    return _accepted(response, await start_run(services, caller, request))


@router.post("/threads/{thread_id}/runs", responses=_CREATE)
async def create_thread_run(
    thread_id: UUID, request: RunRequest, response: Response, services: HasServices, caller: Caller
) -> Run:
    """Begin a run in a thread; answers when it is accepted."""
    return _accepted(response, await start_run(services, caller, request, thread_id))


@router.post("/runs/batch", responses=_CREATE)
async def create_runs(requests: Batch, services: HasServices, caller: Caller) -> list[Run]:
    """Begin several runs, each in a thread of its own: all of them, or none."""
    await services.rate_limits.take(str(caller_of(caller)), Class.SUBMIT, len(requests) - 1)  # the gate has taken one
    return [Run.of(job) for job in await start_runs(services, caller, requests)]


@router.post("/runs/stream", response_class=Response, responses={**_CREATE, 200: _SSE})
async def stream_new_run(
    request: RunRequest, services: HasServices, caller: Caller, namespace: Namespaces = None
) -> Response:
    """Begin a run in a thread of its own, and follow it."""
    return await run_answers.stream_new(services, caller, request, None, namespace)


@router.post("/threads/{thread_id}/runs/stream", response_class=Response, responses={**_CREATE, 200: _SSE})
async def stream_new_thread_run(
    thread_id: UUID, request: RunRequest, services: HasServices, caller: Caller, namespace: Namespaces = None
) -> Response:
    """Begin a run in a thread, and follow it."""
    return await run_answers.stream_new(services, caller, request, thread_id, namespace)


@router.post("/runs/wait", response_model=Any, responses=_CREATE)
async def wait_for_new_run(request: RunRequest, services: HasServices, caller: Caller) -> Response:
    """Begin a run in a thread of its own; answers with what it has come to: its values, or `__error__`."""
    return await run_answers.wait_for_new(services, caller, request)


@router.post("/threads/{thread_id}/runs/wait", response_model=Any, responses=_CREATE)
async def wait_for_new_thread_run(
    thread_id: UUID, request: RunRequest, services: HasServices, caller: Caller
) -> Response:
    """Begin a run in a thread; answers with what it has come to: its values, or `__error__`."""
    return await run_answers.wait_for_new(services, caller, request, thread_id)


# --- look


@router.get("/threads/{thread_id}/runs", response_model=list[Run] | list[dict[str, Any]], responses=_FAILURES)
async def list_runs(
    thread_id: UUID,
    services: HasServices,
    caller: Caller,
    limit: Limit = 10,
    offset: Offset = 0,
    status: RunStatus | None = None,
    select: Annotated[list[RunField] | None, Query(description="Only these fields.")] = None,
) -> Any:
    """Runs of a thread, newest first."""
    jobs = await services.runs.page(caller.project_id, thread_id, status=status, limit=limit, offset=offset)
    return _selected(jobs, select)


@router.post("/runs/search", responses=_FAILURES)
async def search_runs(search: RunSearch, services: HasServices, caller: Caller) -> list[Run]:
    """Runs of the project, newest first."""
    check_filters(services.settings.api, metadata=search.metadata)
    assistant = workflow = None
    if search.agent_id:
        found = await services.assistants.resolve(caller.project_id, search.agent_id)
        assistant, workflow = (None, found.workflow) if found.system else (found.id, None)
    jobs = await services.runs.page(
        caller.project_id,
        search.thread_id,
        status=search.status,
        workflow=workflow,
        assistant_id=assistant,
        metadata=search.metadata,
        limit=search.limit,
        offset=search.offset,
    )
    return [Run.of(job) for job in jobs]


async def _of_thread(thread_id: UUID, run_id: UUID, services: HasServices, caller: Caller) -> Job:
    return await services.runs.get(caller.project_id, run_id, thread_id)


async def _of_project(run_id: UUID, services: HasServices, caller: Caller) -> Job:
    return await services.runs.get(caller.project_id, run_id)


InThread = Annotated[Job, Depends(_of_thread)]
OnItsOwn = Annotated[Job, Depends(_of_project)]


@router.get("/threads/{thread_id}/runs/{run_id}", responses=_FAILURES)
async def get_thread_run(job: InThread) -> Run:
    """One run."""
    return Run.of(job)


@router.get("/runs/{run_id}", responses=_FAILURES)
async def get_run(job: OnItsOwn) -> Run:
    """One run, whichever thread it is in."""
    return Run.of(job)


@router.get("/threads/{thread_id}/runs/{run_id}/join", response_model=Any, responses=_FAILURES)
async def join_run(
    job: InThread, services: HasServices, caller: Caller, cancel_on_disconnect: CancelOnDisconnect = False
) -> Response:
    """What a run has come to, once it is at rest."""
    return run_answers.waiting(services, caller, job, cancel=cancel_on_disconnect)


@router.get("/runs/{run_id}/wait", response_model=Any, responses=_FAILURES)
async def wait_for_run(
    job: OnItsOwn, services: HasServices, caller: Caller, cancel_on_disconnect: CancelOnDisconnect = False
) -> Response:
    """What a run has come to, once it is at rest."""
    return run_answers.waiting(services, caller, job, cancel=cancel_on_disconnect)


@router.get("/threads/{thread_id}/runs/{run_id}/stream", response_class=Response, responses={**_FAILURES, 200: _SSE})
async def join_stream(
    job: InThread,
    services: HasServices,
    caller: Caller,
    request: Request,
    wanted: Chosen,
    cancel_on_disconnect: CancelOnDisconnect = False,
    last_event_id: LastEventId = None,
) -> Response:
    """Follow a run from now on, or from behind the frame `Last-Event-ID`; what is over is told to nobody else."""
    return run_answers.joined(services, caller, job, wanted, last_event_id, request, cancel=cancel_on_disconnect)


@router.get("/runs/{run_id}/stream", response_class=Response, responses={**_FAILURES, 200: _SSE})
async def join_stream_of_run(
    job: OnItsOwn,
    services: HasServices,
    caller: Caller,
    request: Request,
    wanted: Chosen,
    cancel_on_disconnect: CancelOnDisconnect = False,
    last_event_id: LastEventId = None,
) -> Response:
    """As the route with the thread."""
    return run_answers.joined(services, caller, job, wanted, last_event_id, request, cancel=cancel_on_disconnect)


# --- end


@router.post("/runs/cancel", status_code=204, responses=_FAILURES)
async def cancel_runs(
    request: CancelRequest, services: HasServices, caller: Caller, action: Action = "interrupt"
) -> None:
    """Ask for the end of several runs: of those named, in their thread, or of all in a status."""
    rollback, by = action == "rollback", caller.actor
    if request.status is not None:
        if request.run_ids or request.thread_id:
            raise InvalidInput("send either status, or thread_id and run_ids")
        statuses = [RunStatus.PENDING, RunStatus.RUNNING] if request.status == "all" else [RunStatus(request.status)]
        found = await services.runs.cancel_all(caller.project_id, statuses, rollback=rollback, by=by)
    elif request.run_ids and request.thread_id is not None:
        runs = request.thread_id, request.run_ids
        found = await services.runs.cancel_some(caller.project_id, *runs, rollback=rollback, by=by)
    else:
        raise InvalidInput("send thread_id and run_ids, or status")
    if not found:
        raise NotFound("no active runs found to cancel")
    said = {"count": found, "action": action, "status": request.status}
    await services.audit.record(caller, "run.cancel_many", request.thread_id, said)


@router.post("/threads/{thread_id}/runs/{run_id}/cancel", response_model=dict[str, Any], responses=_CANCEL)
async def cancel_thread_run(
    thread_id: UUID,
    run_id: UUID,
    services: HasServices,
    caller: Caller,
    wait: Wait = False,
    action: Action = "interrupt",
) -> Response:
    """Ask for the end of a run; 202, or with `wait` 200 once nothing of it runs any more."""
    return await run_answers.cancelled(services, caller, run_id, thread_id, wait=wait, action=action)


@router.post("/runs/{run_id}/cancel", response_model=dict[str, Any], responses=_CANCEL)
async def cancel_run(
    run_id: UUID, services: HasServices, caller: Caller, wait: Wait = False, action: Action = "interrupt"
) -> Response:
    """As the route with the thread."""
    return await run_answers.cancelled(services, caller, run_id, None, wait=wait, action=action)


@router.delete("/threads/{thread_id}/runs/{run_id}", status_code=204, responses=_FAILURES)
async def delete_thread_run(job: InThread, services: HasServices, caller: Caller) -> None:
    """Delete a run with its events. Its thread keeps its state; of one that is active nothing is left, once it has ended."""
    await run_answers.deleted(services, caller, job)


@router.delete("/runs/{run_id}", status_code=204, responses=_FAILURES)
async def delete_run(job: OnItsOwn, services: HasServices, caller: Caller) -> None:
    """As the route with the thread."""
    await run_answers.deleted(services, caller, job)


def _accepted(response: Response, job: Job) -> Run:
    response.headers.update({"Content-Location": f"/threads/{job.thread_id}/runs/{job.id}"})
    return Run.of(job)


def _selected(jobs: Sequence[Job], fields: Sequence[str] | None) -> list[dict[str, Any]]:
    return select([Run.of(job).model_dump(mode="json") for job in jobs], fields)
