"""Health: alive (this process answers) and ready (every part it needs answers)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal

import httpx
import redis.asyncio as redis
from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from mutirao import __version__
from mutirao.api.access import credential_of
from mutirao.api.services import HasServices, Services

router = APIRouter(tags=["health"])
_SECONDS = 3.0
_KNOWN_SECONDS = 1.0


class Live(BaseModel):
    """This process answers."""

    status: Literal["ok"] = "ok"
    version: str = __version__


class PartHealth(BaseModel):
    """Whether a part answers, and what it said."""

    ok: bool
    detail: str | None = Field(None, description="Only for a caller with a key.")


class Ready(BaseModel):
    """Every part."""

    status: Literal["ready", "not_ready"]
    parts: dict[str, PartHealth]


@router.get("/livez")
async def live() -> Live:
    """200 as long as this process answers; asks nothing else."""
    return Live()


@router.get("/readyz", responses={503: {"model": Ready}})
async def ready(request: Request, services: HasServices, response: Response) -> Ready:
    """200 when every part that is configured answers and a worker is alive, else 503; for a caller with a key each part
    with its detail. As of one second ago."""
    parts = await parts_of(request.app, services)
    all_ok = all(part.ok for part in parts.values())
    response.status_code = 200 if all_ok else 503
    if not await _has_key(request, services):
        parts = {name: PartHealth(ok=part.ok) for name, part in parts.items()}
    return Ready(status="ready" if all_ok else "not_ready", parts=parts)


async def _has_key(request: Request, services: Services) -> bool:
    if credential_of(request.headers) is None:
        return False
    try:
        await services.access.identify(request.scope)
    except Exception:  # noqa: BLE001 (whatever is wrong, health is told all the same)
        return False
    return True


async def parts_of(app: FastAPI, services: Services) -> dict[str, PartHealth]:
    """The health of each part that is configured; asked for once a second at most, however many want it."""
    state = app.state
    if not hasattr(state, "health_lock"):
        state.health_lock, state.health = asyncio.Lock(), (0.0, {})
    async with state.health_lock:
        until, parts = state.health
        if until < time.monotonic():
            parts = await _asked(services)
            state.health = (time.monotonic() + _KNOWN_SECONDS, parts)
    return dict(parts)


async def _asked(services: Services) -> dict[str, PartHealth]:
    checks: dict[str, Callable[[Services], Awaitable[str]]] = {
        "database": _database,
        "redis": _redis,
        "workers": _workers,
    }
    if services.settings.stack.chroma_url:
        checks["chroma"] = _chroma
    if services.settings.model.model_url:
        checks["model"] = _model
    found = await asyncio.gather(*(_check(check, services) for check in checks.values()))
    return dict(zip(checks, found, strict=True))


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus metrics of this process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _check(check: Callable[[Services], Awaitable[str]], services: Services) -> PartHealth:
    try:
        async with asyncio.timeout(_SECONDS):
            return PartHealth(ok=True, detail=await check(services))
    except TimeoutError:
        return PartHealth(ok=False, detail=f"no answer within {_SECONDS:g} s")
    except Exception as error:  # noqa: BLE001 (whatever a part's driver raises, the part is not ready)
        return PartHealth(
            ok=False, detail=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        )


async def _database(services: Services) -> str:
    return f"PostgreSQL {await services.db.ping()}"


async def _redis(services: Services) -> str:
    url = services.settings.stack.redis_url
    assert url is not None
    async with redis.from_url(url.get_secret_value(), socket_timeout=_SECONDS) as client:
        info = await client.info("server")
    return f"{info.get('server_name', 'redis')} {info.get('valkey_version') or info.get('redis_version')}"


async def _chroma(services: Services) -> str:
    async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
        answer = await client.get(f"{services.settings.stack.chroma_url}/api/v2/version")
        answer.raise_for_status()
    return f"Chroma {answer.json()}"


async def _model(services: Services) -> str:
    async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
        answer = await client.get(f"{str(services.settings.model.model_url).rstrip('/')}/models")
        answer.raise_for_status()
    return ", ".join(str(entry["id"]) for entry in answer.json()["data"])


async def _workers(services: Services) -> str:
    workers = await services.workers.live()
    if not workers:
        raise ConnectionError("no live worker; jobs are accepted and wait")
    return ", ".join(f"{worker.name} ({worker.running}/{worker.slots})" for worker in workers)
