"""Assistants of the protocol: `assistant_id` is a UUID, or the name of a graph, which is a workflow."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from mutirao.api.filter_limits import check_filters
from mutirao.api.langgraph.lists import MOST_SELECTED, Order, SearchPage, paginate
from mutirao.api.problems import details
from mutirao.api.services import Caller, HasServices, Services
from mutirao.api.submission import Json
from mutirao.api.thread_verbs import delete_threads
from mutirao.assistants import Assistant, SortBy
from mutirao.catalogue import CataloguedWorkflow
from mutirao.errors import InvalidInput, NoWorker

router = APIRouter(prefix="/assistants", tags=["langgraph: assistants"])

_SCHEMAS = ("input_schema", "output_schema", "state_schema", "config_schema", "context_schema")
_SORT: dict[str | None, SortBy] = {
    "assistant_id": "id", "graph_id": "workflow", "name": "name", "updated_at": "updated_at",
}  # fmt: skip
AssistantId = Annotated[str, Field(description="Id of an assistant, or name of a workflow.")]
DeleteThreads = Annotated[bool, Query(alias="delete_threads")]
Selected = Literal[
    "assistant_id", "graph_id", "name", "description", "config", "context", "created_at", "updated_at", "metadata", "version",
]  # fmt: skip


class AssistantAnswer(BaseModel):
    """An assistant, or the fields of it that were asked for."""

    assistant_id: UUID | None = None
    graph_id: str | None = None
    name: str | None = None
    description: str | None = None
    config: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    version: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class NewAssistant(BaseModel):
    """An assistant to create. Unknown fields are passed over."""

    graph_id: str = Field(description="Name of the workflow.")
    assistant_id: UUID | None = None
    config: Json | None = None
    context: Json | None = None
    metadata: Json | None = None
    name: str | None = None
    description: str | None = None
    if_exists: Literal["raise", "do_nothing"] | None = None


class AssistantChanges(BaseModel):
    """What to change; what is null stays."""

    graph_id: str | None = None
    config: Json | None = None
    context: Json | None = None
    metadata: Json | None = Field(None, description="Merged by key.")
    name: str | None = None
    description: str | None = None


class Filters(BaseModel):
    """Which assistants."""

    metadata: Json | None = Field(None, description="All of it must be in the assistant's.")
    graph_id: str | None = None
    name: str | None = Field(None, description="Somewhere in the assistant's name, whatever the case.")


class SearchRequest(Filters, SearchPage):
    """Which assistants, in which order."""

    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] | None = None
    sort_order: Order | None = None
    select: list[Selected] | None = Field(None, max_length=MOST_SELECTED)


class VersionsRequest(SearchPage):
    """Which versions."""

    metadata: Json | None = None


class LatestRequest(BaseModel):
    """The version that is to count."""

    version: int = Field(ge=1, lt=2**31)


@router.post("", responses=details(400, 401, 404, 409, 413, 422), response_model_exclude_unset=True)
async def create_assistant(request: NewAssistant, services: HasServices, caller: Caller) -> AssistantAnswer:
    """Keep an assistant: a workflow plus saved configuration."""
    await services.limits.check("max_assistants", caller.project_id)
    made = await services.assistants.create(
        caller.project_id,
        request.graph_id,
        assistant_id=request.assistant_id,
        name=request.name or "Untitled",
        description=request.description,
        config=request.config,
        context=request.context,
        metadata=request.metadata,
        if_exists=request.if_exists or "raise",
    )
    await services.audit.record(caller, "assistant.create", made.id, {"workflow": made.workflow})
    return shown(made)


@router.post("/search", responses=details(401, 413, 422), response_model_exclude_unset=True)
async def search_assistants(
    request: SearchRequest, response: Response, services: HasServices, caller: Caller
) -> list[AssistantAnswer]:
    """Assistants of the project, each workflow's own among them."""
    check_filters(services.settings.api, metadata=request.metadata)
    found = await services.assistants.search(
        caller.project_id,
        metadata=request.metadata,
        workflow=request.graph_id,
        name=request.name,
        limit=request.limit + 1,
        offset=request.offset,
        sort_by=_SORT.get(request.sort_by, "created_at"),
        descending=request.sort_order != "asc",
    )
    rows = await paginate(response, found, request, lambda: _count(services, caller.project_id, request))
    return [shown(row, request.select) for row in rows]


@router.post("/count", responses=details(401, 413, 422))
async def count_assistants(request: Filters, services: HasServices, caller: Caller) -> int:
    """How many assistants there are."""
    check_filters(services.settings.api, metadata=request.metadata)
    return await _count(services, caller.project_id, request)


@router.get("/{assistant_id}", responses=details(401, 404, 422), response_model_exclude_unset=True)
async def get_assistant(assistant_id: AssistantId, services: HasServices, caller: Caller) -> AssistantAnswer:
    """One assistant."""
    return shown(await services.assistants.resolve(caller.project_id, assistant_id))


@router.patch("/{assistant_id}", responses=details(400, 401, 404, 413, 422), response_model_exclude_unset=True)
async def update_assistant(
    assistant_id: AssistantId, request: AssistantChanges, services: HasServices, caller: Caller
) -> AssistantAnswer:
    """A new version of an assistant, which counts from now on."""
    changes = request.model_dump(exclude_none=True)
    if "graph_id" in changes:
        changes["workflow"] = changes.pop("graph_id")
    changed = await services.assistants.update(caller.project_id, assistant_id, changes)
    await services.audit.record(caller, "assistant.change", changed.id, {"changed": sorted(changes)})
    return shown(changed)


@router.delete("/{assistant_id}", status_code=204, responses=details(401, 404, 409, 422))
async def delete_assistant(
    assistant_id: AssistantId, services: HasServices, caller: Caller, delete_threads_: DeleteThreads = False
) -> Response:
    """Delete an assistant; with `delete_threads`, the threads whose runs are its, too."""
    found = await services.assistants.resolve(caller.project_id, assistant_id)
    await services.assistants.delete(caller.project_id, found.id)
    await services.audit.record(caller, "assistant.delete", found.id)
    if delete_threads_:
        threads = await services.threads.of_assistant(caller.project_id, found.id)
        await delete_threads(services, caller, threads)
    return Response(status_code=204)


@router.post("/{assistant_id}/versions", responses=details(401, 404, 413, 422), response_model_exclude_unset=True)
async def list_versions(
    assistant_id: AssistantId, request: VersionsRequest, services: HasServices, caller: Caller
) -> list[AssistantAnswer]:
    """Versions of an assistant, newest first."""
    check_filters(services.settings.api, metadata=request.metadata)
    found = await services.assistants.versions(
        caller.project_id, assistant_id, metadata=request.metadata, limit=request.limit, offset=request.offset
    )
    return [shown(version) for version in found]


@router.post("/{assistant_id}/latest", responses=details(401, 404, 413, 422), response_model_exclude_unset=True)
async def set_latest(
    assistant_id: AssistantId, request: LatestRequest, services: HasServices, caller: Caller
) -> AssistantAnswer:
    """Let another version count."""
    return shown(await services.assistants.set_latest(caller.project_id, assistant_id, request.version))


@router.get("/{assistant_id}/graph", responses=details(401, 404, 422, 503))
async def get_graph(
    assistant_id: AssistantId,
    services: HasServices,
    caller: Caller,
    xray: Annotated[
        str, Query(max_length=8, description="Sub-graphs, too: true, or so many levels of them.")
    ] = "false",
) -> dict[str, Any]:
    """Nodes and edges of the assistant's graph."""
    assistant = await services.assistants.resolve(caller.project_id, assistant_id)
    depth = _depth(xray)
    try:
        asked = {"xray": depth, "config": assistant.config}
        answer = await services.queries.ask(caller.project_id, "graph", asked, workflow=assistant.workflow)
    except NoWorker:
        if depth:
            raise
        known = (await services.catalogue.get(assistant.workflow)).graph
        answer = {"nodes": known["nodes"], "edges": known["edges"]}
    return dict(answer)


@router.get("/{assistant_id}/schemas", responses=details(401, 404, 422, 503))
async def get_schemas(assistant_id: AssistantId, services: HasServices, caller: Caller) -> dict[str, Any]:
    """JSON Schemas of what the assistant's graph takes, gives and keeps."""
    assistant = await services.assistants.resolve(caller.project_id, assistant_id)
    workflow = await services.catalogue.get(assistant.workflow)
    if _published(workflow, "state_schema"):
        schemas = {name: _published(workflow, name) or None for name in _SCHEMAS}
    else:
        schemas = await _asked_schemas(services, caller.project_id, assistant, workflow)
    return {"graph_id": assistant.workflow, **schemas}


@router.get("/{assistant_id}/subgraphs", responses=details(401, 404, 422, 503))
async def get_subgraphs(
    assistant_id: AssistantId, services: HasServices, caller: Caller, recurse: bool = False
) -> dict[str, Any]:
    """Schemas of the assistant's sub-graphs by namespace; with `recurse`, however deep."""
    return await _subgraphs(services, caller.project_id, assistant_id, None, recurse)


@router.get("/{assistant_id}/subgraphs/{namespace:path}", responses=details(401, 404, 422, 503))
async def get_subgraph(
    assistant_id: AssistantId, namespace: str, services: HasServices, caller: Caller, recurse: bool = False
) -> dict[str, Any]:
    """Schemas of the sub-graph of one namespace; with `recurse`, of those below, too."""
    return await _subgraphs(services, caller.project_id, assistant_id, namespace, recurse)


def shown(assistant: Assistant, fields: list[Selected] | None = None) -> AssistantAnswer:
    """An assistant in the words of the protocol."""
    row = assistant.model_dump(exclude={"system"}) | {
        "assistant_id": assistant.id,
        "graph_id": assistant.workflow,
    }
    names = [name for name in AssistantAnswer.model_fields if fields is None or name in fields]
    if assistant.updated_at is None and "updated_at" in names:  # a version has none
        names.remove("updated_at")
    return AssistantAnswer.model_construct(_fields_set=set(names), **{name: row[name] for name in names})


def _depth(xray: str) -> bool | int:
    words = {"true": True, "false": False}
    if (found := words.get(xray.lower())) is not None:
        return found
    if xray.isdecimal() and int(xray) > 0:
        return int(xray)
    raise InvalidInput(f"xray {xray!r}: it is true, false, or a number of levels from 1 on", path="/xray")


async def _count(services: Services, project_id: UUID, filters: Filters) -> int:
    return await services.assistants.count(
        project_id, metadata=filters.metadata, workflow=filters.graph_id, name=filters.name
    )


async def _asked_schemas(
    services: Services, project_id: UUID, assistant: Assistant, workflow: CataloguedWorkflow
) -> dict[str, Any]:
    try:
        asked = {"config": assistant.config}
        answer = await services.queries.ask(project_id, "schemas", asked, workflow=assistant.workflow)
    except NoWorker:
        return {name: _published(workflow, name) or None for name in _SCHEMAS}
    return {name: answer.get(name) for name in _SCHEMAS}


async def _subgraphs(
    services: Services, project_id: UUID, assistant_id: str, namespace: str | None, recurse: bool
) -> dict[str, Any]:
    assistant = await services.assistants.resolve(project_id, assistant_id)
    published = _published(await services.catalogue.get(assistant.workflow), "subgraphs")
    if not published:
        asked = {"namespace": namespace, "recurse": recurse, "config": assistant.config}
        return dict(await services.queries.ask(project_id, "subgraphs", asked, workflow=assistant.workflow))
    below = f"{namespace}|" if namespace else ""
    return {
        name: schemas
        for name, schemas in published.items()
        if name == namespace or (name.startswith(below) and (recurse or (namespace is None and "|" not in name)))
    }


def _published(workflow: CataloguedWorkflow, name: str) -> Any:
    return getattr(workflow, name, None)
