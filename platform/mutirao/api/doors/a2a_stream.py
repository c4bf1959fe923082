"""What becomes of a task, as server-sent events: each is an answer to the call that asked for them."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from mutirao.api.broadcast import Entry
from mutirao.api.doors import a2a_tasks
from mutirao.api.doors.a2a_call import Call, unknown
from mutirao.api.doors.conversation import last_answer, message_in
from mutirao.api.frames import STILL_HERE, chunks
from mutirao.errors import NotFound
from mutirao.jobs.records import Job
from mutirao.jobs.states import JobState

Update = dict[str, Any]


class TaskStream:
    """The frames of one task: itself, its moves, the answer as it is written, and where it has come to rest."""

    def __init__(self, call: Call, job: Job, task: dict[str, Any], after: int) -> None:
        self._call = call
        self._job = job
        self._task = task
        self._after = after
        self._written = _Written(job)
        self._state: str = task["status"]["state"]

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Server-sent events until the task is at rest."""
        yield self._frame(self._task)
        services, project_id = self._call.services, self._call.caller.project_id
        idle = services.settings.api.stream_heartbeat_seconds
        journal = services.journal.batches(
            project_id, self._job.id, after=self._after, until_rest=True, idle_seconds=idle
        )
        try:
            async with aclosing(journal) as batches:
                async for batch in batches:
                    for chunk in chunks(self._frame(update) for event in batch for update in self._told(event)):
                        yield chunk
                    if not batch:
                        yield STILL_HERE
            job = await services.jobs.get(project_id, self._job.id)
        except NotFound:  # deleted meanwhile
            yield _bytes(self._call.failure(unknown(str(self._job.id))))
            return
        for update in self._written.whole(job):
            yield self._frame(update)
        yield self._frame(self._status(a2a_tasks.status_of(job, await self._call.asked(job)), final=True))

    def _told(self, event: Entry) -> Iterator[Update]:
        """What a client is told of an event."""
        if event.type == "job.started" and self._state != "working":
            self._state = "working"
            yield self._working(event)
        elif event.type == "progress":
            data = event.data
            what = f"{event.step}: {data.get('done')} of {data.get('total')} {data.get('what') or ''}".rstrip()
            yield self._working(event, what)
        elif (update := self._written.piece(event)) is not None:
            yield update

    def _working(self, event: Entry, what: str | None = None) -> Update:
        status: dict[str, Any] = {"state": "working", "timestamp": a2a_tasks.time_of(event.at)}
        if what is not None:
            parts = [a2a_tasks.text_part(what)]
            status["message"] = a2a_tasks.said_by_agent(self._job, f"{self._job.id}-{event.seq}", parts)
        return self._status(status, final=False)

    def _status(self, status: dict[str, Any], *, final: bool) -> Update:
        return {"kind": "status-update", **_where(self._job), "status": status, "final": final}

    def _frame(self, update: Update) -> bytes:
        return _bytes(self._call.result(update))


class _Written:
    """The answer as a model writes it: another message of the assistant takes the place of the one before."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._message_id: str | None = None
        self._text = ""

    def piece(self, event: Entry) -> Update | None:
        """What an event adds."""
        found = message_in(event)
        if found is None:
            return None
        message_id, text, piece = found
        same = message_id == self._message_id
        if same and not piece:  # its pieces have been told
            return None
        self._message_id = message_id
        self._text = self._text + text if same else text
        return self._update(a2a_tasks.text_part(text), append=same, last=False)

    def whole(self, job: Job) -> Iterator[Update]:
        """What is missing, now that the task is at rest."""
        artifact = a2a_tasks.artifact_of(job)
        if job.state is not JobState.SUCCEEDED or artifact is None:
            return
        if self._text and last_answer(job) == self._text:
            yield self._update(a2a_tasks.text_part(""), append=True, last=True)
        else:  # nothing came in pieces, or others than the answer's
            yield self._update(artifact["parts"][0], append=False, last=True)

    def _update(self, part: dict[str, Any], *, append: bool, last: bool) -> Update:
        found = {"artifact": a2a_tasks.artifact([part]), "append": append, "lastChunk": last}
        return {"kind": "artifact-update", **_where(self._job), **found}


def _where(job: Job) -> dict[str, str]:
    return {"taskId": str(job.id), "contextId": str(job.thread_id)}


def _bytes(body: bytes) -> bytes:
    return b"data: %b\n\n" % body
