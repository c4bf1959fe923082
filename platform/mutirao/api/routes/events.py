"""The journal of a job: in pages, and live."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response

from mutirao.api.frames import STILL_HERE, FrameStream, chunks
from mutirao.api.pages import Limit
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices, Services
from mutirao.errors import InvalidInput, NotFound
from mutirao.jobs.records import Event

router = APIRouter(prefix="/jobs", tags=["jobs"])

_HIGHEST_SEQ = (1 << 63) - 1

After = Annotated[int, Query(ge=0, le=_HIGHEST_SEQ, description="Only events with a higher `seq`.")]


@router.get("/{job_id}/journal", responses=responses(401, 404, 422))
async def list_events(
    job_id: UUID,
    services: HasServices,
    caller: Caller,
    after: After = 0,
    limit: Limit = 200,
) -> list[Event]:
    """A page of the job's journal, in order."""
    await services.jobs.get(caller.project_id, job_id)
    return await services.jobs.events(job_id, after=after, limit=limit)


async def _start_after(
    job_id: UUID,
    services: HasServices,
    caller: Caller,
    after: After = 0,
    last_event_id: Annotated[str | None, Header(description="`id` of the last event seen; resumes after it.")] = None,
) -> int:
    """Where a stream begins. A dependency, so that what is wrong is said before the stream has begun."""
    await services.jobs.get(caller.project_id, job_id)
    if not last_event_id:
        return after
    if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < len(str(_HIGHEST_SEQ))):
        raise InvalidInput(
            f"Last-Event-ID {last_event_id[:40]!r} is not a number; it is the `id` of the last event seen"
        )
    return int(last_event_id)


@router.get("/{job_id}/events", status_code=200, response_class=FrameStream, responses=responses(401, 404, 422))
async def follow_events(
    job_id: UUID, services: HasServices, caller: Caller, start: Annotated[int, Depends(_start_after)]
) -> Response:
    """The job's journal as server-sent events: what there is, then what comes, until the job has ended.

    `id` is the event's `seq`, `event` its type, `data` the whole event as in the journal. A reader that reconnects with
    `Last-Event-ID` loses nothing and sees nothing twice. A job that waits or is paused keeps its readers; one that was
    retried has an end in the middle of its journal, and its stream goes on.
    """
    return FrameStream(_frames(services, caller.project_id, job_id, start))


async def _frames(services: Services, project_id: UUID, job_id: UUID, after: int) -> AsyncGenerator[bytes, None]:
    idle = services.settings.api.stream_heartbeat_seconds
    journal = services.journal.batches(project_id, job_id, after=after, idle_seconds=idle)
    with suppress(NotFound):  # deleted meanwhile: nothing more is to be told
        async with aclosing(journal) as batches:
            async for batch in batches:
                for chunk in chunks(entry.frame for entry in batch):
                    yield chunk
                if not batch:
                    yield STILL_HERE
