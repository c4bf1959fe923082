"""Verbs on jobs: submit, read, list, wait, follow."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID, uuid4

from mutirao.client import records
from mutirao.client.connection import ConnectionLost, NoConnection
from mutirao.client.encoding import encoded
from mutirao.client.flows import RETRY_AFTER, Close, Flow, Item, Open, Part, Request
from mutirao.client.outage import Outage
from mutirao.client.stream import STREAM_SILENCE_SECONDS, EventReader
from mutirao.client.verbs import JSON, PAGE, R, Sent, Verbs, following, listing, steps, verb
from mutirao.errors import Conflict, RateLimited, Unavailable
from mutirao.jobs.records import Attempt, Budget, Event, Job, Limits, Retry
from mutirao.jobs.states import JobState

WAIT_SECONDS = 20.0
"""How long one request waits for the end of a job; `wait` sends as many as it takes."""
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
    webhook: str | None


class JobFilters(TypedDict, total=False):
    """Which jobs; what is left out or None lets all pass."""

    workflow: str | None
    states: Iterable[JobState | str]
    thread_id: UUID | str | None
    parent_id: UUID | str | None
    schedule_id: UUID | str | None
    assistant_id: UUID | str | None
    created_by: str | None
    created_after: datetime | None
    created_before: datetime | None
    metadata: Mapping[str, Any] | None


def _query(filters: JobFilters) -> dict[str, Any]:
    query: dict[str, Any] = {**filters}
    query["state"] = list(query.pop("states", ())) or None
    if query.get("metadata") is not None:
        query["metadata"] = encoded(query["metadata"]).decode()
    return query


class JobVerbs(Verbs):
    """Verbs on jobs."""

    @steps("POST /jobs")
    def submit(
        self,
        workflow: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002 (the API's word)
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Flow[Job]:
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
        headers = {"Idempotency-Key": idempotency_key or str(uuid4()), **JSON}
        request = Request(method="POST", path="/jobs", content=content, headers=headers)
        return self._sent_until_kept(Job, request)

    @steps("POST /jobs/batch")
    def submit_batch(self, jobs: Iterable[Mapping[str, Any]]) -> Flow[records.BatchAnswer]:
        """Submit up to 200 jobs, each `{"workflow", "input", …}` with the options of `submit`; one result for each.

        Each is kept or refused on its own. It is sent again when the connection breaks, which makes no second job.
        """
        items = [{"idempotency_key": str(uuid4()), **job} for job in jobs]
        content = encoded({"jobs": items})
        return self._sent_until_kept(
            records.BatchAnswer, Request(method="POST", path="/jobs/batch", content=content, headers=JSON)
        )

    def _sent_until_kept(self, kind: type[R], request: Request) -> Flow[R]:
        outage = Outage(self._patience_seconds)
        while True:
            try:
                content = yield request
            except (NoConnection, ConnectionLost, RateLimited) as error:
                pause = outage.bear(error)
            except Unavailable as error:
                if RETRY_AFTER not in error.details:
                    raise
                pause = outage.bear(error)
            except Conflict as error:
                # The first try is still on its way to the database: soon it is there, or it never was.
                if error.code != IN_FLIGHT:
                    raise
                pause = outage.bear(Unavailable(error.message, **error.details))
            else:
                return self._decoded(kind, content)
            yield pause

    @verb("GET /jobs/{job_id}", Job)
    def job(self, job_id: UUID | str) -> Sent:
        """One job. Raises NotFound."""
        return Sent()

    @verb("GET /jobs/{job_id}/attempts", list[Attempt])
    def attempts(self, job_id: UUID | str) -> Sent:
        """Which workers tried a job and how each attempt ended, oldest first. Raises NotFound."""
        return Sent()

    @listing("/jobs", Job, "jobs")
    def jobs(self, *, sort: str | None = None, limit: int | None = 50, **filters: Unpack[JobFilters]) -> Sent:
        """At most `limit` jobs, newest first; None: all. `sort`: created_at, finished_at, -created_at, -finished_at
        or -priority."""
        return Sent(query={**_query(filters), "sort": sort}, limit=limit)

    @verb("GET /jobs/counts", records.JobCounts)
    def count_jobs(self, **filters: Unpack[JobFilters]) -> Sent:
        """How many jobs there are, in all and by state."""
        return Sent(query=_query(filters))

    @following(Event, "GET /jobs/{job_id}/journal")
    def journal(self, job_id: UUID | str, after: int = 0) -> Flow[None]:
        """The events there are now, in order. Raises NotFound."""
        while True:
            params = {"after": after, "limit": PAGE}
            page = yield from self._read(
                list[Event], Request(method="GET", path=f"/jobs/{job_id}/journal", params=params)
            )
            for event in page:
                yield Item(event)
            if len(page) < PAGE:
                return
            after = page[-1].seq

    @steps("GET /jobs/{job_id}")
    def wait(self, job_id: UUID | str, seconds: float | None = None) -> Flow[Job]:
        """The job once it has ended, or as it is after `seconds`."""
        deadline = time.monotonic() + (float("inf") if seconds is None else seconds)
        outage = Outage(self._patience_seconds)
        while True:
            asked = max(0.0, min(deadline - time.monotonic(), WAIT_SECONDS))
            request = Request(method="GET", path=f"/jobs/{job_id}", params={"wait": asked}, silence_seconds=asked)
            try:
                job = self._decoded(Job, (yield request))
            except (Unavailable, RateLimited) as error:
                pause = outage.bear(error)
            else:
                outage.progress()
                if job.state.terminal or time.monotonic() >= deadline:
                    return job
                continue
            yield pause

    @following(Event, "GET /jobs/{job_id}/events")
    def follow(self, job_id: UUID | str, after: int = 0) -> Flow[None]:
        """The events of a job with a higher `seq` than `after`, in order, as they happen; ends when the job has ended.

        A connection that breaks is opened again where it broke off: no event is lost, none comes twice.

        Raises:
            NotFound: no such job.
            Unavailable: the API has not answered for longer than this client's patience.
        """
        if (yield from self._all_seen(job_id, after)):
            return
        outage = Outage(self._patience_seconds)
        outage.over()
        while True:
            broke: Unavailable | RateLimited | None = None
            try:
                over = False
                events = self._events(job_id, after, outage)
                while (event := (yield from events.next())) is not None:
                    after, over = event.seq, event.type in TERMINAL_EVENTS
                    yield Item(event)
                # A job that was retried has an end in the middle of its journal.
                if over and (yield from self._all_seen(job_id, after)):
                    return
            except (Unavailable, RateLimited) as error:
                broke = error
            yield Close()
            yield outage.bear(broke)

    def _all_seen(self, job_id: UUID | str, after: int) -> Flow[bool]:
        job = yield from self._read(Job, Request(method="GET", path=f"/jobs/{job_id}"))
        return job.state.terminal and after >= job.last_seq

    def _events(self, job_id: UUID | str, after: int, outage: Outage) -> "_Events":
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        request = Request(
            method="GET", path=f"/jobs/{job_id}/events", headers=headers, silence_seconds=STREAM_SILENCE_SECONDS
        )
        return _Events(request, after, outage)


class _Events:
    """What one connection brings, without what was seen already."""

    def __init__(self, request: Request, after: int, outage: Outage) -> None:
        self._request: Request | None = request
        self._after = after
        self._outage = outage
        self._reader = EventReader()
        self._come: list[str] = []

    def next(self) -> Flow[Event | None]:
        """The next event; None at the end of the stream."""
        if self._request is not None:
            yield Open(self._request)
            self._outage.over()
            self._request = None
        while True:
            while self._come:
                event = self._event(self._come.pop(0))
                if event is not None:
                    return event
            part = yield Part()
            if part is None:
                return None
            self._come = [*self._reader.take(part)]

    def _event(self, data: str) -> Event | None:
        if not data:
            self._outage.over()
            return None
        event = Event.model_validate_json(data)
        if event.seq <= self._after:
            return None
        self._after = event.seq
        self._outage.progress()
        return event
