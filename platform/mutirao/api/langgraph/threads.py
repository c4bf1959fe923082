"""Threads of the protocol, their state and history."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from mutirao.api import thread_verbs
from mutirao.api.filter_limits import check_filters
from mutirao.api.langgraph.extracts import extract
from mutirao.api.langgraph.lists import paginate
from mutirao.api.langgraph.thread_requests import (
    Filters,
    HistoryRequest,
    NewThread,
    Pruned,
    PruneRequest,
    SearchRequest,
    Selected,
    SelectState,
    StateRequest,
    StateUpdate,
    ThreadAnswer,
    ThreadChanges,
    TtlAnswer,
    Updated,
)
from mutirao.api.problems import details
from mutirao.api.services import Caller, HasServices
from mutirao.callers import without_caller
from mutirao.threads import Search, SortBy, Storage, Thread

router = APIRouter(prefix="/threads", tags=["langgraph: threads"])

_SORT: dict[str | None, SortBy] = {
    "thread_id": "id", "status": "status", "updated_at": "updated_at", "state_updated_at": "state_updated_at",
}  # fmt: skip


@router.post("", responses=details(400, 401, 404, 409, 413, 422, 503), response_model_exclude_unset=True)
async def create_thread(request: NewThread, services: HasServices, caller: Caller) -> ThreadAnswer:
    """Keep a thread; with `supersteps`, in the state that they lead to."""
    ttl = request.ttl
    await services.limits.check("max_threads", caller.project_id)
    thread, new = await services.threads.create(
        caller.project_id,
        thread_id=request.thread_id,
        metadata=request.metadata,
        if_exists=request.if_exists or "raise",
        ttl_minutes=ttl.ttl if ttl else None,
        ttl_strategy=ttl.strategy if ttl else "delete",
    )
    if request.supersteps and new:
        steps = [step.model_dump(exclude_none=True) for step in request.supersteps]
        try:
            await thread_verbs.update_state(services, caller, thread.id, {"supersteps": steps})
        except Exception:
            await services.threads.delete(caller.project_id, [thread.id])
            raise
        thread = await services.threads.get(caller.project_id, thread.id)
    return shown(thread)


@router.post("/search", responses=details(401, 413, 422), response_model_exclude_unset=True)
async def search_threads(
    request: SearchRequest, response: Response, services: HasServices, caller: Caller
) -> list[ThreadAnswer]:
    """Threads of the project, but those that stateless runs have for themselves."""
    check_filters(services.settings.api, metadata=request.metadata, values=request.values)
    search = _search(request)
    found = await services.threads.search(caller.project_id, search)
    rows = await paginate(response, found, request, lambda: services.threads.count(caller.project_id, search))
    return [shown(row, request.select, extracts=request.extract) for row in rows]


@router.post("/count", responses=details(401, 413, 422))
async def count_threads(request: Filters, services: HasServices, caller: Caller) -> int:
    """How many threads there are."""
    check_filters(services.settings.api, metadata=request.metadata, values=request.values)
    search = Search(metadata=request.metadata, values=request.values, status=request.status, ids=request.ids)
    return await services.threads.count(caller.project_id, search)


@router.post("/prune", responses=details(401, 413, 422, 503))
async def prune_threads(request: PruneRequest, services: HasServices, caller: Caller) -> Pruned:
    """Delete threads, or all of their checkpoints but the last. Ids that are unknown are passed over."""
    count = await thread_verbs.prune_threads(services, caller, request.thread_ids, request.strategy)
    return Pruned(pruned_count=count)


@router.get("/{thread_id}", responses=details(401, 404, 422), response_model_exclude_unset=True)
async def get_thread(
    thread_id: UUID,
    services: HasServices,
    caller: Caller,
    include: Annotated[
        str | None, Query(max_length=200, description="More fields, separated by commas: `ttl`.")
    ] = None,
) -> ThreadAnswer:
    """One thread."""
    thread = await services.threads.get(caller.project_id, thread_id)
    return shown(thread, with_ttl="ttl" in (include or "").split(","))


@router.patch(
    "/{thread_id}",
    responses={**details(401, 404, 413, 422), 204: {"description": "With `Prefer: return=minimal`."}},
    response_model=ThreadAnswer,
    response_model_exclude_unset=True,
)
async def update_thread(
    thread_id: UUID,
    request: ThreadChanges,
    services: HasServices,
    caller: Caller,
    prefer: Annotated[str | None, Header(description="`return=minimal`: no body.")] = None,
) -> ThreadAnswer | Response:
    """Merge metadata, and say how long the thread lives after its last use."""
    ttl = request.ttl
    thread = await services.threads.update(
        caller.project_id,
        thread_id,
        metadata=request.metadata,
        ttl_minutes=ttl.ttl if ttl else None,
        ttl_strategy=ttl.strategy if ttl else None,
    )
    if prefer is not None and "return=minimal" in prefer.replace(" ", ""):
        return Response(status_code=204, headers={"Preference-Applied": "return=minimal"})
    return shown(thread)


@router.delete("/{thread_id}", status_code=204, responses=details(401, 404, 422))
async def delete_thread(thread_id: UUID, services: HasServices, caller: Caller) -> Response:
    """Delete a thread with its runs and checkpoints; runs that are active are cancelled before."""
    await services.threads.get(caller.project_id, thread_id)
    await thread_verbs.delete_threads(services, caller, [thread_id])
    return Response(status_code=204)


@router.post("/{thread_id}/copy", responses=details(401, 404, 422), response_model_exclude_unset=True)
async def copy_thread(thread_id: UUID, services: HasServices, caller: Caller) -> ThreadAnswer:
    """A new thread with the same state and history."""
    await services.limits.check("max_threads", caller.project_id)
    return shown(await services.threads.copy(caller.project_id, thread_id))


@router.get("/{thread_id}/storage", responses=details(401, 404, 422))
async def get_storage(thread_id: UUID, services: HasServices, caller: Caller) -> Storage:
    """What the thread takes of the database."""
    return await services.threads.storage(caller.project_id, thread_id)


@router.get("/{thread_id}/state", responses=details(401, 404, 422, 503))
async def get_state(
    thread_id: UUID, services: HasServices, caller: Caller, subgraphs: bool = False, select: SelectState = None
) -> dict[str, Any]:
    """The state of a thread."""
    found = await thread_verbs.state(services, caller.project_id, thread_id, subgraphs=subgraphs)
    return thread_verbs.selected(found, select)


@router.get("/{thread_id}/state/{checkpoint_id}", responses=details(401, 404, 422, 503))
async def get_state_at(
    thread_id: UUID,
    checkpoint_id: str,
    services: HasServices,
    caller: Caller,
    subgraphs: bool = False,
    select: SelectState = None,
) -> dict[str, Any]:
    """The state of a thread at a checkpoint."""
    at = {"checkpoint_id": checkpoint_id}
    found = await thread_verbs.state(services, caller.project_id, thread_id, at, subgraphs=subgraphs)
    return thread_verbs.selected(found, select)


@router.post("/{thread_id}/state/checkpoint", responses=details(401, 404, 413, 422, 503))
async def post_state_at(
    thread_id: UUID, request: StateRequest, services: HasServices, caller: Caller
) -> dict[str, Any]:
    """The state of a thread at a checkpoint, which may be a sub-graph's."""
    found = await thread_verbs.state(
        services, caller.project_id, thread_id, request.checkpoint, subgraphs=request.subgraphs
    )
    return thread_verbs.selected(found, request.select)


@router.post("/{thread_id}/state", responses=details(400, 401, 404, 409, 413, 422, 503))
async def update_state(thread_id: UUID, request: StateUpdate, services: HasServices, caller: Caller) -> Updated:
    """Change the state of a thread, as if one of its steps had written it."""
    answer = await thread_verbs.update_state(services, caller, thread_id, request.model_dump())
    checkpoint = answer["checkpoint"]
    return Updated(checkpoint=checkpoint, configurable=checkpoint, checkpoint_id=checkpoint.get("checkpoint_id"))


@router.post("/{thread_id}/history", responses=details(401, 404, 413, 422, 503))
async def search_history(
    thread_id: UUID, request: HistoryRequest, services: HasServices, caller: Caller
) -> list[dict[str, Any]]:
    """States of a thread, newest first."""
    check_filters(services.settings.api, metadata=request.metadata)
    asked = request.model_dump(exclude={"select"}, exclude_none=True)
    found = await thread_verbs.history(services, caller.project_id, thread_id, asked)
    return [thread_verbs.selected(state, request.select) for state in found]


@router.get("/{thread_id}/history", responses=details(401, 404, 422, 503))
async def list_history(
    thread_id: UUID,
    services: HasServices,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
    before: Annotated[str | None, Query(max_length=64, description="Id of a checkpoint.")] = None,
) -> list[dict[str, Any]]:
    """States of a thread, newest first."""
    return await thread_verbs.history(services, caller.project_id, thread_id, {"limit": limit, "before": before})


def shown(
    thread: Thread,
    fields: list[Selected] | None = None,
    *,
    with_ttl: bool = False,
    extracts: dict[str, str] | None = None,
) -> ThreadAnswer:
    """A thread in the words of the protocol."""
    named = {"graph_id": thread.workflow, "assistant_id": thread.assistant_id and str(thread.assistant_id)}
    row: dict[str, Any] = {
        "thread_id": thread.id,
        "created_at": thread.created_at,
        "updated_at": thread.updated_at,
        "state_updated_at": thread.state_updated_at,
        "metadata": {name: value for name, value in named.items() if value} | thread.metadata,
        "config": without_caller(thread.config),
        "context": {},
        "status": thread.status,
        "values": thread.values,
        "interrupts": thread.interrupts,
        "error": thread.error,
    }
    answer = {name: row[name] for name in fields or row if fields or name != "context"}
    if with_ttl and thread.ttl_minutes is not None and thread.expires_at is not None:
        answer["ttl"] = TtlAnswer(
            strategy=thread.ttl_strategy or "delete", ttl_minutes=thread.ttl_minutes, expires_at=thread.expires_at
        )
    if extracts:
        answer["extracted"] = {name: extract(row, path) for name, path in extracts.items()}
    return ThreadAnswer.model_construct(_fields_set=set(answer), **answer)


def _search(request: SearchRequest) -> Search:
    return Search(
        metadata=request.metadata,
        values=request.values,
        ids=request.ids,
        status=request.status,
        limit=request.limit + 1,
        offset=request.offset,
        sort_by=_SORT.get(request.sort_by, "created_at"),
        descending=request.sort_order != "asc",
    )
