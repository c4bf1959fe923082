"""Answers about runs that last: streams, results that are waited for, ends that are asked for."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, Literal
from uuid import UUID

from fastapi import Request, Response

from mutirao.api.langgraph import run_streams
from mutirao.api.langgraph.run_requests import RunRequest, start_run
from mutirao.api.langgraph.run_streams import RunAnswer, Wanted, where
from mutirao.api.services import Services
from mutirao.errors import NotFound
from mutirao.jobs.records import Job
from mutirao.jobs.runs import status_of
from mutirao.keys import Identity, Scope

Action = Literal["interrupt", "rollback"]


async def stream_new(
    services: Services, caller: Identity, request: RunRequest, thread_id: UUID | None, namespaces: list[str] | None
) -> Response:
    """A new run's frames, from its beginning."""
    job = await start_run(services, caller, request, thread_id, live=True)
    frames = run_streams.stream(services, caller.project_id, job, after=0, wanted=Wanted(None, namespaces))
    return RunAnswer(
        frames, where(job, "stream"), gone=_ender(services, caller, job, request.on_disconnect == "cancel")
    )


async def wait_for_new(
    services: Services, caller: Identity, request: RunRequest, thread_id: UUID | None = None
) -> Response:
    """What a new run has come to, once it is at rest."""
    if "stream_mode" not in request.model_fields_set:
        request = request.model_copy(update={"stream_mode": []})
    job = await start_run(services, caller, request, thread_id, urgent=True)
    return waiting(services, caller, job, cancel=request.on_disconnect == "cancel")


def waiting(services: Services, caller: Identity, job: Job, *, cancel: bool) -> Response:
    """What the run has come to, once it is at rest; `cancel`: ask for its end when the reader goes away before."""
    return _json(run_streams.result(services, caller.project_id, job), services, caller, job, cancel=cancel)


def _json(
    body: AsyncGenerator[bytes, None], services: Services, caller: Identity, job: Job, *, cancel: bool = False
) -> Response:
    gone = _ender(services, caller, job, cancel)
    return RunAnswer(body, where(job, "join"), media_type="application/json", gone=gone)


def joined(
    services: Services,
    caller: Identity,
    job: Job,
    wanted: Wanted,
    last_event_id: str | None,
    request: Request,
    *,
    cancel: bool,
) -> Response:
    """The run's frames from now on, or from behind the one that was seen last."""
    resumed = bool(last_event_id) and last_event_id != "-1"
    after = run_streams.seq_of(last_event_id) if last_event_id else job.last_seq
    over = not last_event_id and not status_of(job).active
    frames = run_streams.stream(services, caller.project_id, job, after=after, resumed=resumed or over, wanted=wanted)
    query = f"?{request.url.query}" if request.url.query else ""
    return RunAnswer(frames, where(job, f"stream{query}"), gone=_ender(services, caller, job, cancel))


def _ender(services: Services, caller: Identity, job: Job, cancel: bool) -> Any:
    """What is done when the reader goes away: ask for the run's end, when that was wanted."""
    if not cancel:
        return None
    caller.need(Scope.SUBMIT)  # joining alone is reading

    async def end() -> None:
        with suppress(NotFound):  # it has ended by itself meanwhile
            await services.runs.cancel(caller.project_id, job.id, by=caller.actor)
            await services.audit.record(caller, "run.cancel", job.id, {"action": "interrupt", "why": "disconnect"})

    return end


async def cancelled(
    services: Services, caller: Identity, run_id: UUID, thread_id: UUID | None, *, wait: bool, action: Action
) -> Response:
    """Ask for the run's end; with `wait` the answer comes once nothing of it runs any more."""
    rollback, by = action == "rollback", caller.actor
    job = await services.runs.cancel(caller.project_id, run_id, thread_id, rollback=rollback, by=by)
    await services.audit.record(caller, "run.cancel", run_id, {"action": action})
    if not wait:
        return Response(status_code=202)
    return _json(run_streams.ended(services, caller.project_id, job), services, caller, job)


async def deleted(services: Services, caller: Identity, job: Job) -> None:
    """Delete the run, after its end where it has not ended."""
    await services.audit.record(caller, "run.delete", job.id, {"thread_id": str(job.thread_id)})
    if await services.runs.delete(caller.project_id, job.id):
        services.changes.deleted(caller.project_id, job.id)
        return
    with suppress(NotFound):
        await services.runs.cancel(caller.project_id, job.id, rollback=True, by=caller.actor)
    async for _ in run_streams.ended(services, caller.project_id, job):
        pass
