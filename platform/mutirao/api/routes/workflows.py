"""Workflows and the workers that serve them."""

from fastapi import APIRouter

from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices
from mutirao.catalogue import CataloguedWorkflow, WorkflowVersion
from mutirao.workers import Worker

router = APIRouter(tags=["workflows"])


@router.get("/workflows", responses=responses(401))
async def list_workflows(services: HasServices, caller: Caller) -> list[CataloguedWorkflow]:
    """Every workflow in the version a new job gets, with its schemas and the shape of its graph."""
    return await services.catalogue.entries()


@router.get("/workflows/{name}", responses=responses(401, 404, 422))
async def get_workflow(
    name: str, services: HasServices, caller: Caller, version: str | None = None
) -> CataloguedWorkflow:
    """One workflow: its current version, or the one asked for."""
    return await services.catalogue.get(name, version)


@router.get("/workflows/{name}/versions", responses=responses(401, 404, 422))
async def list_versions(name: str, services: HasServices, caller: Caller) -> list[WorkflowVersion]:
    """Every version of a workflow, newest first: live workers that serve it, and jobs that have not ended, by state."""
    return await services.catalogue.versions(caller.project_id, name)


@router.get("/workers", responses=responses(401))
async def list_workers(services: HasServices, caller: Caller) -> list[Worker]:
    """Live worker processes, what they run and what they could not load."""
    return await services.workers.live()
