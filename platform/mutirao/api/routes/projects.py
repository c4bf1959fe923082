"""The project of the key that is sent: its limits, and what it has spent."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices
from mutirao.jobs.usage import MonthUsage
from mutirao.projects import Project, ProjectBudget

router = APIRouter(prefix="/project", tags=["project"])


class ProjectView(Project):
    """A project, and what its jobs have spent this month."""

    usage: MonthUsage


class ProjectChanges(BaseModel):
    """What to change of a project; what is left out stays, null means no limit. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    max_running: int | None = Field(None, ge=0, le=1_000_000, description="Most jobs that run at once; 0: none begins.")
    budget: ProjectBudget | None = Field(None, description="What all its jobs may spend in a calendar month (UTC).")


@router.get("", responses=responses(401))
async def get_project(services: HasServices, caller: Caller) -> ProjectView:
    """The project of this key: limits, what runs and waits, and what was spent this month."""
    project = await services.projects.get(caller.project_id)
    return ProjectView(**dict(project), usage=await services.usage.of_month(caller.project_id))


@router.patch("", responses=responses(401, 413, 422))
async def change_project(request: ProjectChanges, services: HasServices, caller: Caller) -> ProjectView:
    """Change its limits. They count from the next claim and the next call of a model on."""
    changes: dict[str, Any] = {name: getattr(request, name) for name in request.model_fields_set}
    await services.projects.change(caller.project_id, changes)
    if changes.get("budget") is not None:
        await services.spending.count_month(caller.project_id)
    return await get_project(services, caller)
