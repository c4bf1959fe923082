"""Assistants: workflows plus saved configuration, in versions."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from mutirao.api import pages
from mutirao.api.etags import Expected, tag
from mutirao.api.pages import Cursor, Limit
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices
from mutirao.api.submission import Json
from mutirao.assistants import Assistant

router = APIRouter(prefix="/assistants", tags=["assistants"])

Name = Annotated[str, Field(min_length=1, max_length=200)]
WorkflowName = Annotated[str, Field(min_length=1, max_length=64, description="See `GET /workflows`.")]
Config = Annotated[Json, Field(description='`{"tags", "recursion_limit", "configurable"}`')]
Context = Annotated[Json, Field(description="Static context of its jobs; the same as `config.configurable`.")]


class AssistantRequest(BaseModel):
    """An assistant to keep. Unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"workflow": "report", "name": "In short", "context": {"sections": 2}}},
    )

    id: UUID | None = Field(None, description="Default: a new one.")
    workflow: WorkflowName
    name: Name = "Untitled"
    description: str | None = Field(None, max_length=10_000)
    config: Config = Field(default_factory=dict)
    context: Context = Field(default_factory=dict)
    metadata: Json = Field(default_factory=dict)


class AssistantChanges(BaseModel):
    """What to change of an assistant; what is left out or null stays. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    workflow: WorkflowName | None = None
    name: Name | None = None
    description: str | None = Field(None, max_length=10_000)
    config: Config | None = None
    context: Context | None = None
    metadata: Json | None = Field(None, description="Merged by key.")


class LatestRequest(BaseModel):
    """The version that is to count. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, lt=2**31)


class AssistantPage(BaseModel):
    """Assistants, newest first."""

    assistants: list[Assistant]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


@router.post("", status_code=201, responses=responses(400, 401, 404, 409, 413, 422))
async def create_assistant(
    request: AssistantRequest, response: Response, services: HasServices, caller: Caller
) -> Assistant:
    """Keep an assistant, as its version 1."""
    await services.limits.check("max_assistants", caller.project_id)
    made = await services.assistants.create(
        caller.project_id,
        request.workflow,
        assistant_id=request.id,
        name=request.name,
        description=request.description,
        config=request.config,
        context=request.context,
        metadata=request.metadata,
    )
    await services.audit.record(caller, "assistant.create", made.id, {"workflow": made.workflow})
    response.headers["Location"] = f"/api/v1/assistants/{made.id}"
    tag(response, made.version)
    return made


@router.get("", responses=responses(401, 422))
async def list_assistants(
    services: HasServices,
    caller: Caller,
    workflow: Annotated[str | None, Query(max_length=64, description="Only those of this workflow.")] = None,
    name: Annotated[str | None, Query(max_length=200, description="Somewhere in the name, whatever the case.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AssistantPage:
    """Assistants of the project, newest first, each workflow's own among them."""
    found = await services.assistants.search(
        caller.project_id,
        workflow=workflow,
        name=name,
        before=pages.read_time_cursor(cursor),
        limit=limit + 1,
    )
    rows, following = pages.cut_by_time(found, limit)
    return AssistantPage(assistants=rows, next=following)


@router.get("/{assistant_id}", responses=responses(401, 404, 422))
async def get_assistant(assistant_id: UUID, response: Response, services: HasServices, caller: Caller) -> Assistant:
    """One assistant, in the version that counts."""
    found = await services.assistants.get(caller.project_id, assistant_id)
    tag(response, found.version)
    return found


@router.patch("/{assistant_id}", responses=responses(400, 401, 404, 412, 413, 422))
async def change_assistant(
    assistant_id: UUID,
    request: AssistantChanges,
    response: Response,
    services: HasServices,
    caller: Caller,
    expected: Expected,
) -> Assistant:
    """A new version of an assistant, which counts from now on."""
    given = request.model_dump(exclude_none=True)
    changed = await services.assistants.update(caller.project_id, assistant_id, given, expected=expected)
    await services.audit.record(caller, "assistant.change", assistant_id, {"changed": sorted(given)})
    tag(response, changed.version)
    return changed


@router.get("/{assistant_id}/versions", responses=responses(401, 404, 422))
async def list_assistant_versions(
    assistant_id: UUID,
    services: HasServices,
    caller: Caller,
    offset: Annotated[int, Query(ge=0, lt=2**31, description="Versions to leave out before.")] = 0,
    limit: Limit = 50,
) -> list[Assistant]:
    """Versions of an assistant, newest first."""
    return await services.assistants.versions(caller.project_id, assistant_id, limit=limit, offset=offset)


@router.post("/{assistant_id}/latest", responses=responses(401, 404, 413, 422))
async def set_latest_version(
    assistant_id: UUID, request: LatestRequest, response: Response, services: HasServices, caller: Caller
) -> Assistant:
    """Let another version count."""
    found = await services.assistants.set_latest(caller.project_id, assistant_id, request.version)
    tag(response, found.version)
    return found


@router.delete("/{assistant_id}", status_code=204, responses=responses(401, 404, 409, 422))
async def delete_assistant(assistant_id: UUID, services: HasServices, caller: Caller) -> Response:
    """Delete an assistant with its versions; jobs and threads stay."""
    await services.assistants.delete(caller.project_id, assistant_id)
    await services.audit.record(caller, "assistant.delete", assistant_id)
    return Response(status_code=204)
