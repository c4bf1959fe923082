"""A job as clients ask for it, from the request to the commit."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any, Self, TypeVar
from uuid import UUID

import orjson
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, model_validator

from mutirao.api.services import Services
from mutirao.catalogue import check_input
from mutirao.db.jsonb import unkeepable
from mutirao.errors import InvalidInput
from mutirao.jobs.options import JobOptions
from mutirao.jobs.records import LONGEST_SECONDS, Job, Submission
from mutirao.keys import Identity

T = TypeVar("T")


def kept(value: T) -> T:
    """A JSON value itself. Raises ValueError, with the path of what cannot be kept as it is."""
    if miss := unkeepable(value):
        raise ValueError(miss)
    return value


Json = Annotated[dict[str, Any], AfterValidator(kept)]


class JobRequest(JobOptions):
    """A job to submit. Unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"workflow": "report", "input": {"topic": "composting", "collections": ["demo"]}}
        },
    )

    workflow: str = Field(min_length=1, max_length=64, description="Name of the workflow, see `GET /workflows`.")
    version: str | None = Field(None, max_length=64, description="Default: the newest that a worker serves.")
    input: Json = Field(default_factory=dict, description="Must fit the workflow's input schema.")
    metadata: Json = Field(default_factory=dict, description="Yours; kept with the job and never read.")
    webhook: str | None = Field(
        None, min_length=1, max_length=2_000, description="Where to tell of its end, beside the project's webhooks."
    )
    thread_id: UUID | None = Field(None, description="Jobs of one thread share checkpoints and run one after another.")
    delay_seconds: float | None = Field(None, ge=0, le=LONGEST_SECONDS, description="Begin so much later.")
    start_at: AwareDatetime | None = Field(None, description="Begin then; a time that has passed means now.")
    deadline_seconds: float | None = Field(
        None, gt=0, le=LONGEST_SECONDS, description="It has failed when it has not ended so long after it was accepted."
    )
    deadline_at: AwareDatetime | None = Field(
        None, description="It has failed when it has not ended by then; within 366 days."
    )

    @model_validator(mode="after")
    def _one_start_and_one_deadline(self) -> Self:
        if self.delay_seconds is not None and self.start_at is not None:
            raise ValueError("delay_seconds and start_at both say when it begins; send one of them")
        if self.deadline_seconds is not None and self.deadline_at is not None:
            raise ValueError("deadline_seconds and deadline_at both say when it must have ended; send one of them")
        return self

    @property
    def timed(self) -> bool:
        """Whether it says when it begins or when it must have ended."""
        times = (self.delay_seconds, self.start_at, self.deadline_seconds, self.deadline_at)
        return any(time is not None for time in times)


class Times:
    """When a job begins and when it must have ended, by the database's clock.

    Raises:
        InvalidInput: it could not end in time, or begins or ends too late to be kept that long.
    """

    def __init__(self, request: JobRequest, now: datetime) -> None:
        self.start_at = request.start_at
        self.deadline_at = request.deadline_at
        begins = max(request.start_at or now, now) + timedelta(seconds=request.delay_seconds or 0)
        if (begins - now).total_seconds() > LONGEST_SECONDS:
            raise InvalidInput(
                f"start_at {begins.isoformat()} is more than 366 days away; submit it later, or use a schedule"
            )
        if request.deadline_seconds is not None:
            self.deadline_at = now + timedelta(seconds=request.deadline_seconds)
        if self.deadline_at is None:
            return
        if self.deadline_at <= now:
            raise InvalidInput(f"deadline_at {self.deadline_at.isoformat()} has passed (it is {now.isoformat()})")
        if (self.deadline_at - now).total_seconds() > LONGEST_SECONDS:
            raise InvalidInput(
                f"deadline_at {self.deadline_at.isoformat()} is more than 366 days away; choose an earlier one"
            )
        if self.deadline_at <= begins:
            raise InvalidInput(
                f"the job would begin at {begins.isoformat()}, after its deadline {self.deadline_at.isoformat()}; "
                "begin earlier or allow more time"
            )


async def submit(
    services: Services, caller: Identity, request: JobRequest, idempotency_key: str | None = None
) -> tuple[Job, bool]:
    """Validate against the catalogue, commit, then hint. Returns the job and whether it is new.

    A key that has made a job gives that job, whatever has become of the workflow and the times since.
    """
    digest = ""
    if idempotency_key is not None:
        digest = _digest(request)
        earlier = await services.jobs.replayed(caller.project_id, idempotency_key, digest)
        if earlier is not None:
            return earlier, False
    workflow = await services.catalogue.get(request.workflow, request.version)
    check_input(workflow, request.input)
    if request.webhook is not None:
        await services.outbound.check(request.webhook)
    times = Times(request, await services.db.now()) if request.timed else None
    submission = Submission(
        project_id=caller.project_id,
        created_by=caller.actor,
        workflow=workflow.name,
        version=workflow.version,
        queue=workflow.queue,
        kind=workflow.kind,
        input=request.input,
        metadata=request.metadata,
        thread_id=request.thread_id,
        webhook=request.webhook,
        max_attempts=request.max_attempts or services.settings.worker.attempts,
        priority=request.priority,
        retry=request.retry,
        limits=request.limits,
        budget=request.budget,
        delay_seconds=request.delay_seconds or 0.0,
        start_at=times.start_at if times else None,
        deadline_at=times.deadline_at if times else None,
        idempotency_key=idempotency_key,
        request_sha256=digest,
    )
    await services.limits.check("max_queued_jobs", caller.project_id)
    job, new = await services.jobs.accept(submission)
    services.changes.told(job.id)
    if new and not request.delay_seconds and not request.start_at:
        services.hints.send(job.queue, job.id)
    return job, new


def _digest(request: JobRequest) -> str:
    # What is at its default counts as not sent: a key stays good when a later version knows more fields.
    body = request.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
