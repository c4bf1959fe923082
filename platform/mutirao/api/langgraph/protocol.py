"""The thread protocol (v3): commands on a thread, and its events over HTTP or a WebSocket."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, WebSocket
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, StreamingResponse

from mutirao.api.langgraph.protocol_commands import Commands
from mutirao.api.langgraph.protocol_events import Filter, frame
from mutirao.api.langgraph.protocol_messages import Command, Done, Namespace, Refused
from mutirao.api.langgraph.protocol_socket import Socket
from mutirao.api.langgraph.protocol_stream import ThreadStreams
from mutirao.api.problems import details
from mutirao.api.services import Caller, HasServices, Services, identity_of

router = APIRouter(prefix="/threads", tags=["langgraph: thread protocol"])

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Wanted(BaseModel):
    """Which events a stream is to have."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"example": {"channels": ["values", "lifecycle"]}})

    channels: list[Annotated[str, Field(max_length=200)]] = Field(
        max_length=1000,
        description="values, updates, messages, tools, lifecycle, input, checkpoints, tasks, custom, custom:NAME",
    )
    namespaces: list[Namespace] | None = Field(None, max_length=1000, description="Only below one of these.")
    depth: int | None = Field(None, ge=0, description="So many levels below, at most.")
    since: int | None = Field(None, ge=-1, lt=1 << 63, description="Only events with a higher `seq`.")

    def filter(self) -> Filter:
        """Raises InvalidInput."""
        return Filter.of(self.channels, self.namespaces, self.depth)


@router.post("/{thread_id}/commands", responses=details(401, 422))
async def command(thread_id: UUID, body: Command, services: HasServices, caller: Caller) -> Done | Refused:
    """Carry out a command; 200 also when it is refused, with the reason.

    `run.start` begins a run (and makes the thread where there is none) or, when the thread waits for an answer, gives it;
    `input.respond` answers by interrupt; `input.inject` adds a message; `agent.getTree`, `state.get`,
    `state.listCheckpoints` look; `state.fork` goes on from an earlier checkpoint. `subscription.*` belong to the
    WebSocket at `/threads/{thread_id}/stream/events`.
    """
    return await Commands(services, services.thread_streams.journal, caller, thread_id).answer(body)


_SSE: dict[int | str, dict[str, Any]] = {
    **details(401, 422),
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
}


async def _wanted(thread_id: UUID, body: Wanted, caller: Caller) -> tuple[Filter, int | None]:
    """A dependency, so that what is wrong is said before the stream has begun."""
    return body.filter(), body.since


@router.post("/{thread_id}/stream/events", response_class=StreamingResponse, responses=_SSE)
@router.post("/{thread_id}/stream", response_class=StreamingResponse, responses=_SSE)
async def stream(
    thread_id: UUID,
    services: HasServices,
    caller: Caller,
    wanted: Annotated[tuple[Filter, int | None], Depends(_wanted)],
) -> StreamingResponse:
    """The thread's events as server-sent events, run after run; `since` resumes without loss, at any time.

    Without `since` the stream begins with the newest run. It never ends by itself, and a thread that is not there yet may
    be followed, too.
    """
    return StreamingResponse(
        _frames(services.thread_streams, caller.project_id, thread_id, *wanted),
        media_type="text/event-stream",
        headers=_HEADERS,
    )


async def _frames(
    streams: ThreadStreams, project_id: UUID, thread_id: UUID, wanted: Filter, since: int | None
) -> AsyncIterator[bytes]:
    yield b": here\n\n"
    async with aclosing(streams.follow(project_id, thread_id, wanted, since)) as events:
        async for event in events:
            yield b": still here\n\n" if event is None else frame(event)


@router.websocket("/{thread_id}/stream/events")
@router.websocket("/{thread_id}/stream")
async def socket(websocket: WebSocket, thread_id: str) -> None:
    """The same over a WebSocket: commands go up, their answers and the events of all subscriptions come down."""
    services: Services = websocket.app.state.services
    try:
        thread = UUID(thread_id)
    except ValueError:
        await websocket.send_denial_response(JSONResponse({"detail": "the thread's id is no UUID"}, status_code=422))
        return
    caller = identity_of(websocket)
    await websocket.accept()
    await Socket(websocket, services, caller, thread).serve()
