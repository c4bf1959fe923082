"""What happens in a thread, run after run, as one stream that ends when its reader goes away."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from mutirao.api.broadcast import LOOK_SECONDS
from mutirao.api.frames import FrameStream
from mutirao.api.langgraph.protocol_stream import Bell
from mutirao.api.langgraph.run_streams import HEARTBEAT, Frames, Wanted, followed, frame
from mutirao.api.problems import details
from mutirao.api.services import Caller, HasServices, Services
from mutirao.errors import InvalidInput, NotFound

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
    return FrameStream(following.frames(place), headers=headers)


@dataclass
class _Place:
    """How far a reader is: up to `seq` of a run. `attempts`: how many the run had when it was seen to rest there."""

    run_id: UUID = _FIRST
    seq: int = 0
    attempts: int | None = None


class _Following:
    """One reader of one thread."""

    def __init__(self, services: Services, project_id: UUID, thread_id: UUID, modes: frozenset[str]) -> None:
        self._services = services
        self._project_id = project_id
        self._thread_id = thread_id
        self._modes = modes

    async def frames(self, place: _Place) -> AsyncGenerator[bytes, None]:
        """Frames behind this place, and of all runs after it."""
        async with Bell(self._services.notices, self._thread_id) as bell:
            while True:
                if place.run_id != _FIRST and place.attempts is None:
                    async with aclosing(self._rest_of(place)) as chunks:
                        async for chunk in chunks:
                            yield chunk
                bell.clear()
                following = await self._next(place, bell)
                if following is not None:
                    place = following
                elif not await bell.rang(LOOK_SECONDS):
                    yield HEARTBEAT

    async def _next(self, place: _Place, bell: Bell) -> _Place | None:
        """Where to go on: in the same run, when it goes on after it had come to rest, or at the run after it."""
        while True:
            if place.attempts is not None:
                with suppress(NotFound):
                    job = await self._services.runs.get(self._project_id, place.run_id, self._thread_id)
                    if job.attempts > place.attempts:
                        return _Place(place.run_id, place.seq)
            found = await self._services.runs.following(self._project_id, self._thread_id, place.run_id)
            if found is not None and found[1]:
                return _Place(found[0])
            # One that waits is told from when it begins: another may come before it.
            if not await bell.listen(found[0] if found is not None else place.run_id):
                return None

    async def _rest_of(self, place: _Place) -> AsyncGenerator[bytes, None]:
        """What there is to tell of this run until it rests, which is noted in `place`."""
        run_id, place.attempts = place.run_id, 0
        try:
            job = await self._services.runs.get(self._project_id, run_id, self._thread_id)
        except NotFound:
            return  # deleted since
        frames = Frames(run_id, Wanted(parts="run_modes" in self._modes), partial(_event_id, run_id))
        told = bool(self._modes & {"run_modes", "lifecycle"})
        if place.seq == 0 and told:
            yield frames.begun(job.created_at, 1)
        async with aclosing(followed(self._services, self._project_id, run_id, frames, place.seq)) as chunks:
            async for chunk in chunks:
                if told or chunk is HEARTBEAT:
                    yield chunk
        place.attempts = job.attempts
        if frames.last is not None:
            place.seq, place.attempts = frames.last.seq, frames.last.attempt
        async for chunk in self._end(place, told=told):
            yield chunk

    async def _end(self, place: _Place, *, told: bool) -> AsyncGenerator[bytes, None]:
        run_id = str(place.run_id)
        if "state_update" in self._modes:
            with suppress(NotFound):  # rolled back: the thread is as it was before
                outcome = await self._services.runs.outcome(self._project_id, place.run_id)
                state = {"run_id": run_id, "values": outcome.thread_values, "interrupts": outcome.interrupts}
                yield frame("state_update", state)
        if told:
            at = f"{run_id}/end.{place.seq}.{place.attempts}"
            yield frame("metadata", {"run_id": run_id, "status": "run_done"}, at)


async def _now(services: Services, project_id: UUID, thread_id: UUID) -> _Place:
    """Where the thread's active run is, or its last run has come to rest."""
    active = await services.runs.following(project_id, thread_id, None)
    if active is not None and active[1]:
        return _Place(active[0], (await services.runs.get(project_id, active[0])).last_seq)
    last = await services.runs.last(project_id, thread_id)
    return _Place(last.id, last.last_seq, last.attempts) if last is not None else _Place()


def _event_id(run_id: UUID, at: datetime, seq: int) -> str:
    return f"{run_id}/{seq}"


def _place(last_event_id: str) -> _Place:
    if last_event_id == "-1":
        return _Place()
    run, _, at = last_event_id.partition("/")
    seq, _, attempts = at.removeprefix("end.").partition(".")
    try:
        return _Place(UUID(run), int(seq), int(attempts) if at.startswith("end.") else None)
    except ValueError:
        raise InvalidInput(f"Last-Event-ID {last_event_id[:60]!r} is not the id of an event of a thread") from None
