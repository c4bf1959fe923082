"""The application: routes, errors, limits, and the parts that live as long as the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from mutirao import __version__
from mutirao.api import problems
from mutirao.api.limits import BodyLimit, RequestIds
from mutirao.api.routes import (
    approvals,
    artifacts,
    control,
    events,
    health,
    jobs,
    knowledge,
    projects,
    schedules,
    workflows,
)
from mutirao.api.services import Services
from mutirao.db.revision import HEAD
from mutirao.logs import logger
from mutirao.projects import DEFAULT_PROJECT
from mutirao.settings import Settings

PREFIX = "/api/v1"
_UPLOADS = ("/uploads", "/documents")
_FORM_BYTES = 64 << 10  # what a multipart form adds to the file in it


def create_app(settings: Settings) -> FastAPI:
    """The API of these settings. The database may still be starting: requests are served once its schema is there."""

    def limit_of(path: str) -> int:
        api = settings.api
        return api.max_upload_bytes + _FORM_BYTES if path.endswith(_UPLOADS) else api.max_body_bytes

    app = FastAPI(
        title="Mutirão",
        version=__version__,
        summary="Graphs of agents as durable jobs.",
        lifespan=_lifespan,
        middleware=[Middleware(RequestIds), Middleware(BodyLimit, limit_of=limit_of)],
    )
    app.state.settings = settings
    problems.install(app)
    for module in (jobs, events, control, approvals, artifacts, schedules, workflows, knowledge, projects):
        app.include_router(module.router, prefix=PREFIX)
    app.include_router(health.router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    services = Services.build(settings)
    try:
        await services.db.wait_for_schema(HEAD, settings.stack.part_start_seconds)
        if settings.api.api_key is not None:
            project = await services.projects.ensure(DEFAULT_PROJECT)
            await services.projects.add_key(project, settings.api.api_key.get_secret_value(), "embedded stack")
        await services.notices.start()
        app.state.services = services
        logger("api").info("api.started", version=__version__)
        yield
    finally:
        await services.close()
