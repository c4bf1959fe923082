"""Threads: ordered series of jobs that share checkpoints."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from mutirao.api import pages, thread_verbs
from mutirao.api.etags import Expected, tag
from mutirao.api.pages import Cursor, Limit
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices
from mutirao.api.submission import Json
from mutirao.threads import Search, Status, Storage, Thread

router = APIRouter(prefix="/threads", tags=["threads"])

LONGEST_TTL_MINUTES = 366 * 24 * 60
Ttl = Annotated[
    float | None, Field(gt=0, le=LONGEST_TTL_MINUTES, description="Deleted so many minutes after its last use.")
]
Strategy = Annotated[
    Literal["delete", "keep_latest"] | None,
    Field(description="What happens then: it goes, or all of its checkpoints but the last."),
]


class ThreadRequest(BaseModel):
    """A thread to keep. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"metadata": {"customer": "ana"}}})

    id: UUID | None = Field(None, description="Default: a new one.")
    metadata: Json = Field(default_factory=dict, description="Yours; `graph_id` in it names the workflow.")
    ttl_minutes: Ttl = None
    ttl_strategy: Strategy = None


class ThreadChanges(BaseModel):
    """What to change of a thread; what is left out stays. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    metadata: Json | None = Field(None, description="Merged by key.")
    ttl_minutes: Ttl = None
    ttl_strategy: Strategy = None


class StateChange(BaseModel):
    """A change of a thread's state, as if one of its steps had written it. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    values: Json
    as_node: str | None = Field(None, max_length=200, description="The step; default: the last one.")
    checkpoint_id: str | None = Field(None, max_length=64, description="Where; default: the last checkpoint.")


class ThreadPage(BaseModel):
    """Threads, newest first."""

    threads: list[Thread]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


@router.post("", status_code=201, responses=responses(401, 409, 413, 422))
async def create_thread(request: ThreadRequest, response: Response, services: HasServices, caller: Caller) -> Thread:
    """Keep a thread, to which jobs may be submitted."""
    await services.limits.check("max_threads", caller.project_id)
    thread, _ = await services.threads.create(
        caller.project_id,
        thread_id=request.id,
        metadata=request.metadata,
        ttl_minutes=request.ttl_minutes,
        ttl_strategy=request.ttl_strategy or "delete",
    )
    response.headers["Location"] = f"/api/v1/threads/{thread.id}"
    tag(response, thread.revision)
    return thread


@router.get("", responses=responses(401, 422))
async def list_threads(
    services: HasServices,
    caller: Caller,
    status: Annotated[Status | None, Query(description="Only threads of this status.")] = None,
    workflow: Annotated[str | None, Query(max_length=64, description="Only threads whose jobs run this.")] = None,
    assistant_id: Annotated[UUID | None, Query(description="Only threads whose jobs run this.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ThreadPage:
    """Threads of the project, newest first, but those that one job has for itself and that go with it."""
    named = {"graph_id": workflow, "assistant_id": assistant_id and str(assistant_id)}
    search = Search(
        metadata={name: value for name, value in named.items() if value is not None},
        status=status,
        before=pages.read_time_cursor(cursor),
        limit=limit + 1,
    )
    rows, following = pages.cut_by_time(await services.threads.search(caller.project_id, search), limit)
    return ThreadPage(threads=rows, next=following)


@router.get("/{thread_id}", responses=responses(401, 404, 422))
async def get_thread(thread_id: UUID, response: Response, services: HasServices, caller: Caller) -> Thread:
    """One thread; its status follows from its jobs."""
    thread = await services.threads.get(caller.project_id, thread_id)
    tag(response, thread.revision)
    return thread


@router.patch("/{thread_id}", responses=responses(401, 404, 412, 413, 422))
async def change_thread(
    thread_id: UUID,
    request: ThreadChanges,
    response: Response,
    services: HasServices,
    caller: Caller,
    expected: Expected,
) -> Thread:
    """Merge metadata, and say how long the thread lives after its last use."""
    thread = await services.threads.update(
        caller.project_id,
        thread_id,
        metadata=request.metadata,
        ttl_minutes=request.ttl_minutes,
        ttl_strategy=request.ttl_strategy,
        expected=expected,
    )
    tag(response, thread.revision)
    return thread


@router.delete("/{thread_id}", status_code=204, responses=responses(401, 404, 422))
async def delete_thread(thread_id: UUID, services: HasServices, caller: Caller) -> Response:
    """Delete a thread with its jobs and checkpoints; jobs that have not ended are cancelled before."""
    await services.threads.get(caller.project_id, thread_id)
    await thread_verbs.delete_threads(services, caller, [thread_id])
    return Response(status_code=204)


@router.post("/{thread_id}/copy", status_code=201, responses=responses(401, 404, 422))
async def copy_thread(thread_id: UUID, response: Response, services: HasServices, caller: Caller) -> Thread:
    """A new thread with the same metadata, state and history, and without jobs."""
    await services.limits.check("max_threads", caller.project_id)
    thread = await services.threads.copy(caller.project_id, thread_id)
    response.headers["Location"] = f"/api/v1/threads/{thread.id}"
    return thread


@router.get("/{thread_id}/storage", responses=responses(401, 404, 422))
async def get_storage(thread_id: UUID, services: HasServices, caller: Caller) -> Storage:
    """What the thread takes of the database."""
    return await services.threads.storage(caller.project_id, thread_id)


@router.get("/{thread_id}/state", responses=responses(401, 404, 422, 503))
async def get_state(
    thread_id: UUID,
    services: HasServices,
    caller: Caller,
    checkpoint_id: Annotated[str | None, Query(max_length=64, description="Default: the last one.")] = None,
    subgraphs: bool = False,
) -> dict[str, Any]:
    """The state of a thread as its graph sees it: values, next steps, tasks. A worker must serve its workflow."""
    at = {"checkpoint_id": checkpoint_id} if checkpoint_id else None
    return await thread_verbs.state(services, caller.project_id, thread_id, at, subgraphs=subgraphs)


@router.post("/{thread_id}/state", responses=responses(400, 401, 404, 409, 413, 422, 503))
async def change_state(thread_id: UUID, request: StateChange, services: HasServices, caller: Caller) -> dict[str, Any]:
    """Change the state of a thread, as if one of its steps had written it; not while a job of it is at work."""
    return await thread_verbs.update_state(services, caller, thread_id, request.model_dump())


@router.get("/{thread_id}/history", responses=responses(401, 404, 422, 503))
async def list_history(
    thread_id: UUID,
    services: HasServices,
    caller: Caller,
    before: Annotated[str | None, Query(max_length=64, description="Only states before this checkpoint.")] = None,
    limit: Limit = 50,
) -> list[dict[str, Any]]:
    """States of a thread, newest first."""
    return await thread_verbs.history(services, caller.project_id, thread_id, {"limit": limit, "before": before})
