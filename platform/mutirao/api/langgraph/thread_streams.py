"""What happens in a thread, run after run, as one stream that ends when its reader goes away."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from mutirao.api.broadcast import LOOK_SECONDS
from mutirao.api.frames import FrameStream
from mutirao.api.langgraph.run_streams import HEARTBEAT, Frames, Wanted, followed, frame
from mutirao.api.problems import details
from mutirao.api.services import Caller, HasServices, Services
from mutirao.db.notices import wait_for
from mutirao.errors import InvalidInput, NotFound
from mutirao.jobs.channels import THREAD
from mutirao.jobs.records import Job

router = APIRouter(tags=["langgraph: threads"])

ThreadMode = Literal["run_modes", "lifecycle", "state_update"]
_FIRST = UUID(int=0)
_MODES = Query(description="`run_modes`: all frames of its runs; `lifecycle`: their beginnings and ends.")


@router.get(
    "/threads/{thread_id}/stream",
    response_class=Response,
    responses={
        **details(401, 404, 422),
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
    },
)
async def join_thread_stream(
    thread_id: UUID,
    services: HasServices,
    caller: Caller,
    stream_mode: Annotated[list[ThreadMode] | None, _MODES] = None,
    stream_modes: Annotated[list[ThreadMode] | None, _MODES] = None,
    last_event_id: Annotated[str | None, Header(description="`id` of the last frame seen; `-1`: all there is.")] = None,
) -> Response:
    """Follow a thread: from now on, or from behind the frame `Last-Event-ID`."""
    await services.threads.get(caller.project_id, thread_id)
    modes = frozenset(stream_mode or stream_modes or ["run_modes"])
    place = _place(last_event_id) if last_event_id else await _now(services, caller.project_id, thread_id)
    following = _Following(services, caller.project_id, thread_id, modes)
    headers = {"Cache-Control": "no-store", "Location": f"/threads/{thread_id}/stream"}
    return FrameStream(following.frames(*place), headers=headers)


class _Following:
    """One reader of one thread."""

    def __init__(self, services: Services, project_id: UUID, thread_id: UUID, modes: frozenset[str]) -> None:
        self._services = services
        self._project_id = project_id
        self._thread_id = thread_id
        self._modes = modes

    async def frames(self, run_id: UUID, seq: int | None) -> AsyncGenerator[bytes, None]:
        """Frames behind this place in this run (None: it is over), and of all runs after it."""
        if seq is not None:
            async for chunk in self._rest_of(run_id, seq):
                yield chunk
        async with self._services.notices.waiting(f"{THREAD}{self._thread_id}") as news:
            while True:
                news.clear()
                following = await self._services.runs.following(self._project_id, self._thread_id, run_id)
                if following is not None:
                    run_id = following
                    async for chunk in self._rest_of(run_id, 0):
                        yield chunk
                elif not await wait_for(news, LOOK_SECONDS):
                    yield HEARTBEAT

    async def _rest_of(self, run_id: UUID, seq: int) -> AsyncGenerator[bytes, None]:
        try:
            job = await self._services.runs.get(self._project_id, run_id, self._thread_id)
        except NotFound:
            return  # deleted since
        wanted = Wanted(parts="run_modes" in self._modes)
        frames = Frames(run_id, wanted, partial(_event_id, run_id))
        told = bool(self._modes & {"run_modes", "lifecycle"})
        if seq == 0 and told:
            yield frames.begun(job.created_at, 1)
        async with aclosing(followed(self._services, self._project_id, run_id, frames, seq)) as chunks:
            async for chunk in chunks:
                if told or chunk is HEARTBEAT:
                    yield chunk
        async for chunk in self._end(job, told=told):
            yield chunk

    async def _end(self, job: Job, *, told: bool) -> AsyncGenerator[bytes, None]:
        run_id = str(job.id)
        if "state_update" in self._modes:
            outcome = await self._services.runs.outcome(self._project_id, job.id)
            state = {"run_id": run_id, "values": outcome.thread_values, "interrupts": outcome.interrupts}
            yield frame("state_update", state)
        if told:
            yield frame("metadata", {"run_id": run_id, "status": "run_done"}, f"{run_id}/end")


async def _now(services: Services, project_id: UUID, thread_id: UUID) -> tuple[UUID, int | None]:
    """The active run of the thread and where it is, or its last run."""
    active = await services.runs.following(project_id, thread_id, None)
    if active is not None:
        return active, (await services.runs.get(project_id, active)).last_seq
    last = await services.runs.page(project_id, thread_id, limit=1)
    return (last[0].id if last else _FIRST), None


def _event_id(run_id: UUID, at: datetime, seq: int) -> str:
    return f"{run_id}/{seq}"


def _place(last_event_id: str) -> tuple[UUID, int | None]:
    if last_event_id == "-1":
        return _FIRST, None
    run, _, seq = last_event_id.partition("/")
    try:
        return UUID(run), None if seq == "end" else int(seq)
    except ValueError:
        raise InvalidInput(f"Last-Event-ID {last_event_id[:60]!r} is not the id of an event of a thread") from None
