"""What a client asks first: whether the server is well, and what it can do."""

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from mutirao import __version__
from mutirao.api.langgraph.run_requests import HONOURED, WITHOUT_EFFECT
from mutirao.api.langgraph.stream_modes import MODES
from mutirao.api.problems import details
from mutirao.api.services import HasServices
from mutirao.errors import Unavailable

router = APIRouter(tags=["langgraph: system"])


class Ok(BaseModel):
    """The server is well."""

    ok: Literal[True] = True


class Info(BaseModel):
    """What this server is and can do."""

    version: str = Field(__version__, description="Of Mutirão.")
    name: str = "mutirao"
    flags: dict[str, bool] = Field(description="Parts of the protocol that are there.")
    run_fields: list[str] = Field(description="Fields of a run's request that are honoured; others are passed over.")
    accepted_fields: list[str] = Field(description="Fields that may be sent and change nothing here.")
    stream_modes: list[str]
    multitask_strategies: list[str]


_FLAGS = {
    "assistants": True,
    "crons": True,
    "store": True,
    "webhooks": True,
    "resumable_streams": True,
    "thread_streams": True,
    "stream_namespaces": True,
    "event_protocol": True,
    "langsmith": False,
    "langsmith_tracing_replicas": False,
}


@router.get("/ok", responses=details(422, 503))
async def ok(services: HasServices, check_db: bool = False) -> Ok:
    """200 as long as this process answers; with `check_db`, as long as the database does, too."""
    if check_db:
        try:
            await services.db.ping()
        except Exception as error:
            raise Unavailable("the database does not answer") from error
    return Ok()


@router.get("/info")
async def info() -> Info:
    """What is supported."""
    given: dict[str, Any] = {
        "flags": _FLAGS,
        "run_fields": list(HONOURED),
        "accepted_fields": list(WITHOUT_EFFECT),
        "stream_modes": list(MODES),
        "multitask_strategies": ["reject", "enqueue", "interrupt", "rollback"],
    }
    return Info(**given)


@router.get("/openapi", include_in_schema=False)
async def openapi() -> RedirectResponse:
    """The OpenAPI document, under the name that some clients ask for."""
    return RedirectResponse("/openapi.json")
