"""The project of the key that is sent, its limits and what it has spent; and all projects, for operators."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from mutirao.api import pages
from mutirao.api.etags import Expected, tag
from mutirao.api.pages import Cursor, Limit
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices, Operator, Services
from mutirao.db.tenancy import bound_to
from mutirao.jobs.usage import MonthUsage
from mutirao.keys import NewKey, Scope
from mutirao.projects import Project, ProjectBudget

router = APIRouter(tags=["project"])

ProjectName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="Letters, digits, `.`, `_` and `-`; unique."),
]


class ProjectView(Project):
    """A project, and what its jobs have spent this month."""

    usage: MonthUsage


class ProjectChanges(BaseModel):
    """What to change of a project; what is left out stays, null means no limit. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    max_running: int | None = Field(None, ge=0, le=1_000_000, description="Most jobs that run at once; 0: none begins.")
    budget: ProjectBudget | None = Field(None, description="What all its jobs may spend in a calendar month (UTC).")


class ProjectRequest(BaseModel):
    """A project to make. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"name": "billing-team"}})

    name: ProjectName


class MadeProject(Project):
    """A new project with its first key."""

    key: str = Field(description="`mk_<prefix>.<secret>` with all scopes in the new project: shown this once.")


class ProjectPage(BaseModel):
    """Projects, newest first."""

    projects: list[Project]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


@router.get("/project", responses=responses(401))
async def get_project(response: Response, services: HasServices, caller: Caller) -> ProjectView:
    """The project of this key: limits, what runs and waits, and what was spent this month."""
    return await _view(response, services, caller.project_id)


@router.patch("/project", responses=responses(401, 412, 413, 422))
async def change_project(
    request: ProjectChanges, response: Response, services: HasServices, caller: Caller, expected: Expected
) -> ProjectView:
    """Change its limits. They count from the next claim and the next call of a model on. Needs the scope `admin`."""
    changes: dict[str, Any] = {name: getattr(request, name) for name in request.model_fields_set}
    await services.projects.change(caller.project_id, changes, revision=expected)
    if changes.get("budget") is not None:
        await services.spending.count_month(caller.project_id)
    await services.audit.record(caller, "project.change", caller.project_id, request.model_dump(exclude_unset=True))
    return await _view(response, services, caller.project_id)


@router.post("/projects", status_code=201, responses=responses(401, 409, 413, 422))
async def create_project(
    request: ProjectRequest, response: Response, services: HasServices, caller: Operator
) -> MadeProject:
    """Make a project and a first key for it, which has all scopes.

    Only for operators of the platform: callers of the project `default` with the scope `admin`.
    """
    project = await services.projects.add(request.name)
    with bound_to(project.id):
        new = NewKey(name="first key", scopes=[*Scope])
        key, secret = await services.projects.keys.add(project.id, new, by=caller.actor)
    said = {"name": project.name, "key": key.prefix}
    await services.audit.record(caller, "project.create", project.id, said)
    response.headers["Cache-Control"] = "no-store"
    return MadeProject(**dict(project), key=secret)


@router.get("/projects", responses=responses(401, 422))
async def list_projects(
    services: HasServices, caller: Operator, cursor: Cursor = None, limit: Limit = 50
) -> ProjectPage:
    """All projects of the platform, newest first. Only for its operators, see `POST /projects`."""
    found = await services.projects.page(before=pages.read_cursor(cursor), limit=limit + 1)
    rows, following = pages.cut(found, limit)
    return ProjectPage(projects=rows, next=following)


async def _view(response: Response, services: Services, project_id: UUID) -> ProjectView:
    project = await services.projects.get(project_id)
    tag(response, project.revision)
    return ProjectView(**dict(project), usage=await services.usage.of_month(project_id))
