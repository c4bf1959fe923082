"""Every verb of the API, as calls that give records."""

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack
from urllib.parse import quote
from uuid import UUID, uuid4

from mutirao.client import download, records
from mutirao.client.connection import Connection, ConnectionLost, NoConnection
from mutirao.client.control import ControlVerbs
from mutirao.client.encoding import encoded
from mutirao.client.outage import Outage
from mutirao.client.schedules import ScheduleVerbs
from mutirao.client.stream import data_of, lines_of
from mutirao.client.verbs import PAGE
from mutirao.errors import Conflict, Unavailable
from mutirao.jobs.records import Artifact, Attempt, Budget, Event, Job, Limits, Retry
from mutirao.jobs.states import JobState

PATIENCE_SECONDS = 30.0
WAIT_SECONDS = 20.0
"""How long one request waits for the end of a job; `wait` sends as many as it takes."""
STREAM_SILENCE_SECONDS = 30.0
"""How much longer than an answer a stream may be silent, without a sign of life, before it is opened again."""
SEARCH_SECONDS = 30.0
"""How long the API waits for the job that searches."""
IN_FLIGHT = "request_in_flight"
TERMINAL_EVENTS = frozenset(f"job.{state}" for state in JobState if state.terminal)


class SubmitOptions(TypedDict, total=False):
    """How a job is to be run; see `POST /jobs`."""

    version: str | None
    metadata: Mapping[str, Any] | None
    thread_id: UUID | str | None
    priority: int | None
    max_attempts: int | None
    retry: Retry | Mapping[str, Any] | None
    limits: Limits | Mapping[str, Any] | None
    budget: Budget | Mapping[str, Any] | None
    delay_seconds: float | None
    start_at: datetime | None
    deadline_seconds: float | None
    deadline_at: datetime | None


class Client(ControlVerbs, ScheduleVerbs):
    """The API at `url`, with the rights of `key`. Use it in one thread, and close it, or use it as a context.

    Every call raises the errors of `mutirao.errors` that the API answers with, and `Unavailable` when it does not.
    Calls that can be repeated safely outlive an API that is away for up to `patience_seconds`, once it was reached.
    """

    def __init__(
        self, url: str, key: str, *, timeout_seconds: float = 30.0, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._connection = Connection(url, key, timeout_seconds=timeout_seconds)
        self._patience_seconds = patience_seconds

    @property
    def url(self) -> str:
        """Where the API is, without a slash at the end."""
        return self._connection.url

    def close(self) -> None:
        """Close its connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Jobs

    def submit(
        self,
        workflow: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002 (the API's word)
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Job:
        """Submit a job; when this returns, it is kept.

        It is sent again when the connection breaks. That makes no second job: each call has an idempotency key of its
        own unless one is given.

        Raises:
            NotFound: no such workflow.
            InputRejected: the input does not fit its schema; `details["errors"]` says where.
            InvalidInput: it is not JSON, or the times do not fit together.
        """
        given = {name: value for name, value in options.items() if value is not None}
        content = encoded({"workflow": workflow, "input": dict(input or {}), **given})
        headers = {"Idempotency-Key": idempotency_key or str(uuid4()), "Content-Type": "application/json"}
        outage = Outage(self._patience_seconds)
        while True:
            try:
                return self._connection.read(Job, "POST", "/jobs", content=content, headers=headers)
            except (NoConnection, ConnectionLost) as error:
                outage.bear(error)
            except Conflict as error:
                # The first try is still on its way to the database: soon it is there, or it never was.
                if error.code != IN_FLIGHT:
                    raise
                outage.bear(Unavailable(error.message, **error.details))

    def job(self, job_id: UUID | str) -> Job:
        """Raises NotFound."""
        return self._connection.read(Job, "GET", f"/jobs/{job_id}")

    def attempts(self, job_id: UUID | str) -> list[Attempt]:
        """Which workers tried a job and how each attempt ended, oldest first. Raises NotFound."""
        return self._connection.read_list(Attempt, f"/jobs/{job_id}/attempts")

    def jobs(
        self,
        *,
        workflow: str | None = None,
        states: Iterable[JobState | str] = (),
        schedule_id: UUID | str | None = None,
        limit: int | None = 50,
    ) -> list[Job]:
        """At most `limit` jobs, newest first; None: all."""
        wanted: dict[str, Any] = {"state": [str(state) for state in states]}
        if workflow is not None:
            wanted["workflow"] = workflow
        if schedule_id is not None:
            wanted["schedule_id"] = str(schedule_id)
        return [job for page in self._pages(records.JobPage, "/jobs", limit, **wanted) for job in page.jobs]

    def journal(self, job_id: UUID | str, after: int = 0) -> Iterator[Event]:
        """The events there are now, in order. Raises NotFound."""
        while True:
            page = self._connection.read_list(Event, f"/jobs/{job_id}/journal", params={"after": after, "limit": PAGE})
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].seq

    def wait(self, job_id: UUID | str, seconds: float | None = None) -> Job:
        """The job once it has ended, or as it is after `seconds`."""
        deadline = time.monotonic() + (float("inf") if seconds is None else seconds)
        outage = Outage(self._patience_seconds)
        while True:
            asked = max(0.0, min(deadline - time.monotonic(), WAIT_SECONDS))
            try:
                job = self._connection.read(
                    Job, "GET", f"/jobs/{job_id}", params={"wait": asked}, silence_seconds=asked
                )
            except Unavailable as error:
                outage.bear(error)
                continue
            outage.progress()
            if job.state.terminal or time.monotonic() >= deadline:
                return job

    def follow(self, job_id: UUID | str, after: int = 0) -> Iterator[Event]:
        """The events of a job with a higher `seq` than `after`, in order, as they happen; ends when the job has ended.

        A connection that breaks is opened again where it broke off: no event is lost, none comes twice.

        Raises:
            NotFound: no such job.
            Unavailable: the API has not answered for longer than this client's patience.
        """
        if self._all_seen(job_id, after):
            return
        outage = Outage(self._patience_seconds)
        outage.over()
        while True:
            broke: Unavailable | None = None
            try:
                over = False
                with closing(self._events(job_id, after, outage)) as events:
                    for event in events:
                        after, over = event.seq, event.type in TERMINAL_EVENTS
                        yield event
                # A job that was retried has an end in the middle of its journal.
                if over and self._all_seen(job_id, after):
                    return
            except Unavailable as error:
                broke = error
            outage.bear(broke)

    def _all_seen(self, job_id: UUID | str, after: int) -> bool:
        job = self.job(job_id)
        return job.state.terminal and after >= job.last_seq

    def _events(self, job_id: UUID | str, after: int, outage: Outage) -> Generator[Event, None, None]:
        """What one connection brings, without what was seen already."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        path = f"/jobs/{job_id}/events"
        with self._connection.stream(path, headers=headers, silence_seconds=STREAM_SILENCE_SECONDS) as parts:
            outage.over()
            for data in data_of(lines_of(parts)):
                if not data:
                    outage.over()
                    continue
                event = Event.model_validate_json(data)
                if event.seq > after:
                    after = event.seq
                    outage.progress()
                    yield event

    # Files

    def artifacts(self, job_id: UUID | str) -> list[Artifact]:
        """Files the job has produced so far, by name."""
        return self._connection.read_list(Artifact, f"/jobs/{job_id}/artifacts")

    def download(self, artifact: Artifact, folder: Path) -> Path:
        """Write an artifact below `folder`, under its name; gives the path. The content is checked by its hash.

        Raises:
            NameRefused: its name would lead out of the folder.
        """
        target = download.place_of(artifact.name, folder)
        outage = Outage(self._patience_seconds)
        while True:
            try:
                with self._connection.stream(f"/jobs/{artifact.job_id}/artifacts/{quote(artifact.name)}") as parts:
                    download.write(artifact, parts, target)
            except (NoConnection, ConnectionLost) as error:
                outage.bear(error)
            else:
                return target

    def upload(self, path: Path, name: str | None = None) -> records.Upload:
        """Store a file that a job will take as input, by its id. Raises TooLarge."""
        with path.open("rb") as file:
            return self._connection.read(records.Upload, "POST", "/uploads", files={"file": (name or path.name, file)})

    # Knowledge

    def add_document(self, collection: str, path: Path, name: str | None = None) -> records.AddedDocument:
        """Send a document to a collection, which is made when it is new; a job takes it in.

        The same content under the same name changes nothing.

        Raises:
            DocumentInvalid: the file is not what its name says.
            TooLarge: it is larger than the API takes.
        """
        with path.open("rb") as file:
            return self._connection.read(
                records.AddedDocument,
                "POST",
                f"/collections/{quote(collection, safe='')}/documents",
                files={"file": (name or path.name, file)},
            )

    def collections(self) -> list[records.Collection]:
        """Every collection, by name."""
        return self._connection.read_list(records.Collection, "/collections")

    def documents(self, collection: str) -> list[records.Document]:
        """The documents of a collection by name, newest version first. Raises NotFound."""
        path = f"/collections/{quote(collection, safe='')}/documents"
        found: list[records.Document] = []
        while True:
            wanted = {"limit": PAGE, "offset": len(found)}
            page = self._connection.read_list(records.Document, path, params=wanted)
            found += page
            if len(page) < PAGE:
                return found

    def document(self, document_id: UUID | str) -> records.Document:
        """Raises NotFound."""
        return self._connection.read(records.Document, "GET", f"/documents/{document_id}")

    def delete_document(self, document_id: UUID | str) -> None:
        """Delete a document and everything made of it. Raises NotFound."""
        self._connection.send("DELETE", f"/documents/{document_id}")

    def search(self, collections: Iterable[str], query: str, limit: int = 8) -> list[records.Hit]:
        """The passages nearest to `query`, best first. Raises NotFound (a collection)."""
        body = {"collections": list(collections), "query": query, "limit": limit}
        answer = self._connection.read(
            records.SearchResult, "POST", "/search", json=body, silence_seconds=SEARCH_SECONDS
        )
        return answer.hits

    # Workflows and workers

    def workflows(self) -> list[records.Workflow]:
        """Every workflow, in the version a new job gets."""
        return self._connection.read_list(records.Workflow, "/workflows")

    def workflow(self, name: str, version: str | None = None) -> records.Workflow:
        """One workflow. Raises NotFound."""
        wanted = {"version": version} if version else {}
        return self._connection.read(records.Workflow, "GET", f"/workflows/{quote(name, safe='')}", params=wanted)

    def versions(self, name: str) -> list[records.WorkflowVersion]:
        """Every version of a workflow, newest first, with its live workers and unfinished jobs. Raises NotFound."""
        return self._connection.read_list(records.WorkflowVersion, f"/workflows/{quote(name, safe='')}/versions")

    def workers(self) -> list[records.Worker]:
        """Live worker processes."""
        return self._connection.read_list(records.Worker, "/workers")
