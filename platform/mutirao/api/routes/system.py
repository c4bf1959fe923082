"""The system as a project sees it: its queues, what nobody serves, and the model."""

from typing import Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from mutirao import __version__
from mutirao.api.problems import responses
from mutirao.api.routes.health import parts_of
from mutirao.api.services import Caller, HasServices
from mutirao.api.visitors import is_loopback
from mutirao.queues import QueueLoad
from mutirao.settings import ModelSettings

router = APIRouter(prefix="/system", tags=["system"])

_OURS = ("builtin", "none", "scripted")


class ModelHealth(BaseModel):
    """The chat model that agents use."""

    name: str
    url_kind: Literal["builtin", "external"] = Field(description="`builtin`: it runs on this machine, or is none.")
    healthy: bool = Field(description="As `GET /readyz` knows it; a provider that nobody asks there counts as healthy.")
    detail: str | None = None


class Starved(BaseModel):
    """A queue in which jobs wait and that no live worker serves."""

    queue: str
    workflows: list[str] = Field(description="Of the jobs that wait.")
    queued: int


class System(BaseModel):
    """The state of the platform, for people who wonder why a job does not begin."""

    version: str
    model: ModelHealth
    queues: list[QueueLoad]
    starved: list[Starved]


@router.get("", responses=responses(401))
async def get_system(request: Request, services: HasServices, caller: Caller) -> System:
    """Queues with what waits and runs in them, those that no worker serves, and the model's health."""
    loads = await services.queues.loads(caller.project_id)
    model = (await parts_of(request.app, services)).get("model")
    settings = services.settings.model
    return System(
        version=__version__,
        model=ModelHealth(
            name=settings.model,
            url_kind="builtin" if _is_here(settings) else "external",
            healthy=model.ok if model is not None else True,
            detail=model.detail if model is not None else None,
        ),
        queues=[*loads],
        starved=[
            Starved(queue=load.name, workflows=load.workflows, queued=load.queued)
            for load in loads
            if load.queued and not load.workers
        ],
    )


def _is_here(settings: ModelSettings) -> bool:
    host = urlsplit(settings.model_url or "").hostname
    return settings.model in _OURS and (host is None or is_loopback(host))
