"""The application: routes, errors, limits, and the parts that live as long as the process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from mutirao import __version__, dashboard
from mutirao.api import examples, langgraph, problems, reference, selection
from mutirao.api.custom_routes import CustomRoutes
from mutirao.api.doors import a2a, mcp, openai
from mutirao.api.gate import Gate
from mutirao.api.limits import BodyLimit, RequestIds
from mutirao.api.page import METHODS, Page, ToPage
from mutirao.api.routes import (
    approvals,
    artifacts,
    assistants,
    audit,
    bulk,
    changes,
    control,
    events,
    health,
    jobs,
    keys,
    knowledge,
    projects,
    samples,
    schedules,
    session,
    system,
    threads,
    webhooks,
    workflows,
)
from mutirao.api.selection import FieldSelection
from mutirao.api.services import Services
from mutirao.db import tenancy
from mutirao.db.revision import HEAD
from mutirao.logs import logger
from mutirao.projects import DEFAULT_PROJECT
from mutirao.settings import ApiSettings, Settings

PREFIX = "/api/v1"
# `bulk` before `jobs`: `/jobs/counts` is no job.
_NATIVE = (
    bulk,
    jobs,
    events,
    control,
    threads,
    assistants,
    approvals,
    webhooks,
    artifacts,
    schedules,
    workflows,
    knowledge,
    samples,
    projects,
    keys,
    audit,
    session,
    changes,
    system,
)
# What a page of another origin may read, beside what every page may.
_SHOWN_HEADERS = ("Content-Location", "Location", "X-Pagination-Next", "X-Pagination-Total", "X-Request-Id", "ETag")
_CORS_SECONDS = 600  # how long a browser may remember what it may do
_UPLOADS = ("/uploads", "/documents")
_FORM_BYTES = 64 << 10  # what a multipart form adds to the file in it


def create_app(settings: Settings) -> FastAPI:
    """The API of these settings. The database may still be starting: requests are served once its schema is there."""

    def limit_of(path: str) -> int:
        api = settings.api
        return api.max_upload_bytes + _FORM_BYTES if path.endswith(_UPLOADS) else api.max_body_bytes

    def document() -> dict[str, Any]:
        return app.openapi()

    app: FastAPI = FastAPI(
        title="Mutirão",
        version=__version__,
        summary="Graphs of agents as durable jobs.",
        lifespan=_lifespan,
        middleware=[
            Middleware(RequestIds),
            *_cors(settings.api),
            Middleware(BodyLimit, limit_of=limit_of),
            Middleware(Gate),
            Middleware(FieldSelection, prefix=PREFIX, document=document),
        ],
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    problems.install(app)
    reference.install(app)
    selection.install(app, PREFIX)
    examples.install(app)
    _routes(app)
    return app


def _routes(app: FastAPI) -> None:
    # Routes are tried one by one: those first that are asked for most.
    for router in langgraph.routers():
        app.include_router(router)
    for module in _NATIVE:
        app.include_router(module.router, prefix=PREFIX)
    app.include_router(health.router)
    app.include_router(openai.router)
    app.include_router(a2a.router)
    app.state.mcp = mcp.McpDoor(app)
    app.router.routes.append(Route(mcp.PATH, app.state.mcp, methods=mcp.METHODS))
    page = Page(app.state.settings.api.dashboard_dir)
    for path in (dashboard.PATH, f"{dashboard.PATH}/{{path:path}}"):
        app.router.routes.append(Route(path, page, methods=METHODS))
    app.router.default = CustomRoutes(ToPage(app.router.default), app.state.settings.api)


def _cors(api: ApiSettings) -> list[Middleware]:
    origins = [origin.strip() for origin in api.cors_origins.split(",") if origin.strip()]
    if not origins:
        return []
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=methods,
            allow_headers=["*"],
            expose_headers=_SHOWN_HEADERS,
            max_age=_CORS_SECONDS,
        )
    ]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    services = Services.build(settings)
    walling: asyncio.Task[None] | None = None
    try:
        await services.db.wait_for_schema(HEAD, settings.stack.part_start_seconds)
        if settings.api.api_key is not None:
            project = await services.projects.ensure(DEFAULT_PROJECT)
            await services.projects.add_key(project, settings.api.api_key.get_secret_value(), "embedded stack")
        if not await services.db.raise_wall():
            logger("api").warning("api.no_row_level_security", remedy=tenancy.REMEDY)
        walling = asyncio.create_task(services.db.keep_walled(), name="keep-walled")
        await services.notices.start()
        await services.queries.start()
        await services.open_requests.start()
        app.state.services = services
        logger("api").info("api.started", version=__version__)
        yield
    finally:
        await app.state.mcp.close()
        if isinstance(app.router.default, CustomRoutes):
            await app.router.default.close()
        if walling is not None:
            walling.cancel()
            await asyncio.gather(walling, return_exceptions=True)
        await services.close()
