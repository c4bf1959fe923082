"""The journal of a job: in pages, and live."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from mutirao.api.pages import Limit
from mutirao.api.problems import responses
from mutirao.api.routes.jobs import LOOK_SECONDS
from mutirao.api.services import Caller, HasServices, Services
from mutirao.db.notices import wait_for
from mutirao.errors import InvalidInput
from mutirao.jobs.records import Event
from mutirao.jobs.states import TERMINAL

router = APIRouter(prefix="/jobs", tags=["jobs"])

_PAGE_OF_EVENTS = 500
_HIGHEST_SEQ = (1 << 63) - 1
# A job's last event is of one of these types; a job that was retried has some in the middle, too.
_TERMINAL_EVENTS = frozenset(f"job.{state}" for state in TERMINAL)

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


@router.get("/{job_id}/events", response_class=EventSourceResponse, responses=responses(401, 404, 422))
async def follow_events(
    job_id: UUID, services: HasServices, caller: Caller, start: Annotated[int, Depends(_start_after)]
) -> AsyncIterator[ServerSentEvent]:
    """The job's journal as server-sent events: what there is, then what comes, until the job has ended.

    `id` is the event's `seq`, `event` its type, `data` the whole event as in the journal. A reader that reconnects with
    `Last-Event-ID` loses nothing and sees nothing twice. A job that waits or is paused keeps its readers; one that was
    retried has an end in the middle of its journal, and its stream goes on.
    """
    async for item in _follow(services, caller.project_id, job_id, start):
        yield item


async def _follow(services: Services, project_id: UUID, job_id: UUID, after: int) -> AsyncIterator[ServerSentEvent]:
    heartbeat = services.settings.api.stream_heartbeat_seconds
    idle = 0.0
    async with services.notices.waiting(str(job_id)) as news:
        while True:
            news.clear()
            events = await services.jobs.events(job_id, after=after, limit=_PAGE_OF_EVENTS)
            for event in events:
                after, idle = event.seq, 0.0
                yield ServerSentEvent(id=str(event.seq), event=event.type, raw_data=event.model_dump_json())
            may_be_over = not events or events[-1].type in _TERMINAL_EVENTS
            if may_be_over and await _nothing_after(services, project_id, job_id, after):
                return
            if len(events) == _PAGE_OF_EVENTS:
                continue
            if not await wait_for(news, LOOK_SECONDS):
                idle += LOOK_SECONDS
                if idle >= heartbeat:
                    idle = 0.0
                    yield ServerSentEvent(comment="still here")


async def _nothing_after(services: Services, project_id: UUID, job_id: UUID, after: int) -> bool:
    """Whether the job has ended and the reader has seen it all."""
    job = await services.jobs.get(project_id, job_id)
    return job.state.terminal and job.last_seq <= after
