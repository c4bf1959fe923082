"""What a run tells as it goes on, as the protocol's server-sent events, and the answer of whoever waits for its end."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from starlette.types import Receive, Scope, Send

from mutirao.api.broadcast import LOOK_SECONDS, Entry
from mutirao.api.frames import FrameStream, chunks
from mutirao.api.langgraph.stream_modes import PREFIX, mode_of
from mutirao.api.services import Services
from mutirao.db.notices import wait_for
from mutirao.errors import InvalidInput, NotFound
from mutirao.jobs.channels import ENDED
from mutirao.jobs.records import Job
from mutirao.jobs.runs import Outcome, RunStatus, status_of

HEARTBEAT = b": heartbeat\r\n\r\n"
_HEADERS = {"Cache-Control": "no-store"}
_INVISIBLE = "stream.protocol"
_FAILED = frozenset({"job.failed", "job.dead", "job.budget_exhausted"})
_HIGHEST_SEQ = (1 << 63) - 1
_PLACE = re.compile(r" \([^()]+\.py:\d+\)$")


class RunAnswer(FrameStream):
    """An answer that lasts as long as a run. `gone` is called when its reader goes away before its end."""

    def __init__(
        self,
        stream: AsyncGenerator[bytes, None],
        headers: dict[str, str],
        *,
        media_type: str | None = None,
        gone: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self.media_type = media_type or self.media_type
        super().__init__(stream, headers=headers | _HEADERS)
        self._gone = gone
        self._whole = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Also when the request itself is cancelled: what is to be done is done to its end.
            if self._gone is not None and not self._whole:
                await asyncio.shield(self._gone())

    async def _send(self, send: Send) -> None:
        await super()._send(send)
        self._whole = True


def where(job: Job, behind: str) -> dict[str, str]:
    """Headers that say which run this is, and where to go on when the connection breaks."""
    run = f"/threads/{job.thread_id}/runs/{job.id}"
    return {"Location": f"{run}/{behind}", "Content-Location": run}


def seq_of(last_event_id: str) -> int:
    """The place in the journal behind an id of a frame, `<ms>-<seq>`; 0: the beginning, which `-1` and `0` say, too.

    Raises:
        InvalidInput: it is none.
    """
    if last_event_id == "-1":
        return 0
    number = last_event_id.rpartition("-")[2]
    if not (number.isascii() and number.isdecimal()) or int(number) > _HIGHEST_SEQ:
        raise InvalidInput(f"Last-Event-ID {last_event_id[:60]!r} is not the id of an event, nor -1 for the beginning")
    return int(number)


def frame(event: str, data: Any, event_id: str | None = None) -> bytes:
    """A server-sent event."""
    return _bytes(event, orjson.dumps(data), event_id)


def _bytes(event: str, data: bytes, event_id: str | None) -> bytes:
    ending = f"\r\nid: {event_id}\r\n\r\n" if event_id else "\r\n\r\n"
    return b"event: %b\r\ndata: %b%b" % (event.encode(), data, ending.encode())


@dataclass(frozen=True)
class Wanted:
    """Which frames of a run somebody wants; None: all of them."""

    modes: Collection[str] | None = None
    namespaces: Collection[str] | None = None  # "" is the outermost graph
    parts: bool = True  # else only what says that the run has begun or failed

    def __contains__(self, entry: Entry) -> bool:
        """Whether this part of a stream is among them."""
        if entry.type == _INVISIBLE or not self.parts:
            return False
        if self.modes is not None and mode_of(entry.type.removeprefix(PREFIX)) not in self.modes:
            return False
        return self.namespaces is None or "|".join(entry.data["ns"]) in self.namespaces


EVERYTHING = Wanted()


class Frames:
    """Turns entries of a run's journal into frames. `id_of` makes the id of a frame out of time and place; None: no ids.

    Native events are no frames, but for the beginning of another attempt and the failure of the run. `last` is the entry
    that was seen last.
    """

    def __init__(self, run_id: UUID, wanted: Wanted, id_of: Callable[[datetime, int], str] | None) -> None:
        self.last: Entry | None = None
        self._run_id = str(run_id)
        self._wanted = wanted
        self._id_of = id_of

    def of(self, entries: Sequence[Entry]) -> Iterator[bytes]:
        """Frames of these entries, in their order."""
        for entry in entries:
            self.last = entry
            found = self._frame(entry)
            if found is not None:
                yield found

    def begun(self, at: datetime, seq: int, attempt: int = 1) -> bytes:
        """Which run and which attempt at it this is."""
        return frame("metadata", {"run_id": self._run_id, "attempt": attempt}, self._id(at, seq))

    def _frame(self, entry: Entry) -> bytes | None:
        if entry.type.startswith(PREFIX):
            return self._part(entry) if entry in self._wanted else None
        if entry.type in _FAILED:
            return frame("error", error_of(entry.data.get("error")), self._id(entry.at, entry.seq))
        if entry.type == "job.started" and entry.attempt > 1:
            return self.begun(entry.at, entry.seq, entry.attempt)
        return None

    def _part(self, entry: Entry) -> bytes:
        name = "|".join([entry.type.removeprefix(PREFIX), *entry.data["ns"]])
        return _bytes(name, entry.part, self._id(entry.at, entry.seq))

    def _id(self, at: datetime, seq: int) -> str | None:
        return self._id_of(at, seq) if self._id_of else None


def run_event_id(at: datetime, seq: int) -> str:
    """`<ms>-<seq>`: see `seq_of`."""
    return f"{int(at.timestamp() * 1000)}-{seq}"


async def stream(
    services: Services, project_id: UUID, job: Job, *, after: int, resumed: bool = False, wanted: Wanted = EVERYTHING
) -> AsyncGenerator[bytes, None]:
    """The frames of a run behind the place `after` until it comes to rest, with `metadata` first unless it is resumed."""
    with_ids = job.run is not None and job.run.stream.resumable
    frames = Frames(job.id, wanted, run_event_id if with_ids else None)
    if not resumed:
        yield frames.begun(job.created_at, max(after, 1))
    async with aclosing(followed(services, project_id, job.id, frames, after)) as told:
        async for chunk in told:
            yield chunk


async def followed(
    services: Services, project_id: UUID, job_id: UUID, frames: Frames, after: int
) -> AsyncGenerator[bytes, None]:
    """Frames in chunks, as they come, until the run is at rest; a comment when nothing has come for some time."""
    idle = services.settings.api.stream_heartbeat_seconds
    journal = services.journal.batches(project_id, job_id, after=after, until_rest=True, idle_seconds=idle)
    with suppress(NotFound):  # deleted meanwhile: nothing more is to be told
        async with aclosing(journal) as batches:
            async for batch in batches:
                for chunk in chunks(frames.of(batch)):
                    yield chunk
                if not batch:
                    yield HEARTBEAT


async def result(services: Services, project_id: UUID, job: Job) -> AsyncGenerator[bytes, None]:
    """What the run has come to, as JSON, once it is at rest; a space, which JSON allows, as a sign of life until then."""
    try:
        async with aclosing(until_rest(services, project_id, job)) as looks:
            async for outcome in looks:
                yield orjson.dumps(_result(outcome)) if outcome else b" "
    except NotFound:  # rolled back: the thread is as it was before
        yield orjson.dumps((await services.threads.get(project_id, job.thread_id)).values or {})


async def ended(services: Services, project_id: UUID, job: Job) -> AsyncGenerator[bytes, None]:
    """An empty object once the run is at rest."""
    try:
        async with aclosing(until_rest(services, project_id, job)) as looks:
            async for outcome in looks:
                yield b"{}" if outcome else b" "
    except NotFound:
        yield b"{}"


async def until_rest(services: Services, project_id: UUID, job: Job) -> AsyncGenerator[Outcome | None, None]:
    """The run's outcome once it is at rest; None after each time that it was silent for as long as a heartbeat."""
    loop = asyncio.get_running_loop()
    heartbeat = services.settings.api.stream_heartbeat_seconds
    silent_since = loop.time()
    async with services.notices.waiting(f"{job.id}{ENDED}") as event:
        while True:
            event.clear()
            outcome = await services.runs.outcome(project_id, job.id)
            if not status_of(outcome.job).active:
                yield outcome
                return
            if not await wait_for(event, min(LOOK_SECONDS, heartbeat)) and loop.time() - silent_since >= heartbeat:
                silent_since = loop.time()
                yield None


def _result(outcome: Outcome) -> Any:
    job = outcome.job
    if status_of(job) in (RunStatus.ERROR, RunStatus.TIMEOUT):
        return {"__error__": error_of(job.error.model_dump() if job.error else None)}
    if job.output is not None:
        return job.output
    values = outcome.thread_values
    asked = [question for questions in outcome.interrupts.values() for question in questions]
    if asked and isinstance(values, dict | None):
        return {**(values or {}), "__interrupt__": asked}
    return {} if values is None else values


def error_of(problem: dict[str, Any] | None) -> dict[str, str]:
    """Why a run failed, as the protocol says it: the class of the exception and its message."""
    found = problem or {}
    kind = found.get("kind")
    message = str(found.get("message") or "")
    if kind:  # ours has the class before it and the place behind it
        message = _PLACE.sub("", message.removeprefix(f"{kind}: "))
    return {"error": kind or found.get("code") or "Error", "message": message}
