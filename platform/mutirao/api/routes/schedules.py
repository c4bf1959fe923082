"""Schedules: workflows that are started by the clock."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from mutirao.api import pages
from mutirao.api.etags import Expected, tag
from mutirao.api.pages import Cursor, Limit
from mutirao.api.problems import responses
from mutirao.api.services import Caller, HasServices
from mutirao.api.submission import Json
from mutirao.jobs.options import JobOptions
from mutirao.jobs.records import Job
from mutirao.schedules import NewSchedule, Schedule

router = APIRouter(prefix="/schedules", tags=["schedules"])

Name = Annotated[str, Field(min_length=1, max_length=200, description="Unique in the project.")]
CronText = Annotated[
    str, Field(min_length=1, max_length=200, description="minute, hour, day of month, month, day of week")
]
Zone = Annotated[str, Field(min_length=1, max_length=64, description="Name of the IANA list, `America/Sao_Paulo`.")]
End = Annotated[AwareDatetime | None, Field(description="Nothing is submitted after this; within 366 days.")]


class ScheduleRequest(BaseModel):
    """A schedule to keep. Unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "weekly report",
                "workflow": "report",
                "input": {"topic": "composting", "collections": ["demo"]},
                "cron": "30 7 * * MON",
                "timezone": "America/Sao_Paulo",
            }
        },
    )

    name: Name
    workflow: str = Field(min_length=1, max_length=64, description="Name of the workflow, see `GET /workflows`.")
    input: Json = Field(default_factory=dict, description="Must fit the workflow's input schema.")
    metadata: Json = Field(default_factory=dict, description="Of each of its jobs.")
    options: JobOptions = Field(default_factory=JobOptions, description="How its jobs are to be run.")
    cron: CronText
    timezone: Zone = "UTC"
    enabled: bool = True
    end_at: End = None
    thread_id: UUID | None = Field(None, description="Its jobs run in this thread; default: each in one of its own.")


class ScheduleChanges(BaseModel):
    """What to change of a schedule; what is left out stays. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    input: Json | None = None
    metadata: Json | None = None
    options: JobOptions | None = None
    cron: CronText | None = None
    timezone: Zone | None = None
    enabled: bool | None = Field(None, description="false: nothing is submitted until it is true again.")
    end_at: End = None

    def given(self) -> dict[str, Any]:
        """What was sent; null means to leave it, but for `end_at`, where it means no end."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: value for name, value in sent.items() if value is not None or name == "end_at"}


class SchedulePage(BaseModel):
    """Schedules, newest first."""

    schedules: list[Schedule]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")


@router.post("", status_code=201, responses=responses(401, 404, 409, 413, 422))
async def add_schedule(request: ScheduleRequest, response: Response, services: HasServices, caller: Caller) -> Schedule:
    """Start a workflow by the clock. The input is checked now, and again each time."""
    new = NewSchedule.model_validate(request, from_attributes=True)
    await services.limits.check("max_schedules", caller.project_id)
    schedule = await services.schedules.add(caller.project_id, new)
    said = {"name": schedule.name, "workflow": schedule.workflow, "cron": schedule.cron}
    await services.audit.record(caller, "schedule.create", schedule.id, said)
    response.headers["Location"] = f"/api/v1/schedules/{schedule.id}"
    tag(response, schedule.revision)
    return schedule


@router.get("", responses=responses(401, 422))
async def list_schedules(
    services: HasServices, caller: Caller, cursor: Cursor = None, limit: Limit = 50
) -> SchedulePage:
    """Schedules of the project, newest first."""
    before = pages.read_cursor(cursor)
    found = await services.schedules.page(caller.project_id, before=before, limit=limit + 1)
    rows, following = pages.cut(found, limit)
    return SchedulePage(schedules=rows, next=following)


@router.get("/{schedule_id}", responses=responses(401, 404, 422))
async def get_schedule(schedule_id: UUID, response: Response, services: HasServices, caller: Caller) -> Schedule:
    """One schedule, with its next five times."""
    schedule = await services.schedules.get(caller.project_id, schedule_id)
    tag(response, schedule.revision)
    return schedule


@router.patch("/{schedule_id}", responses=responses(401, 404, 409, 412, 413, 422))
async def change_schedule(
    schedule_id: UUID,
    request: ScheduleChanges,
    response: Response,
    services: HasServices,
    caller: Caller,
    expected: Expected,
) -> Schedule:
    """Change a schedule, or stop it and let it go on. Times that passed while it was off are not made up for."""
    given = request.given()
    schedule = await services.schedules.change(caller.project_id, schedule_id, given, expected=expected)
    await services.audit.record(caller, "schedule.change", schedule_id, {"changed": sorted(given)})
    tag(response, schedule.revision)
    return schedule


@router.delete("/{schedule_id}", status_code=204, responses=responses(401, 404, 422))
async def delete_schedule(schedule_id: UUID, services: HasServices, caller: Caller) -> Response:
    """Delete a schedule; its jobs stay."""
    await services.schedules.delete(caller.project_id, schedule_id)
    await services.audit.record(caller, "schedule.delete", schedule_id)
    return Response(status_code=204)


@router.post("/{schedule_id}/trigger", status_code=202, responses=responses(401, 404, 422))
async def trigger_schedule(schedule_id: UUID, response: Response, services: HasServices, caller: Caller) -> Job:
    """Submit its job now, beside those of its times."""
    job = await services.schedules.trigger(caller.project_id, schedule_id)
    services.changes.told(job.id)
    services.hints.send(job.queue, job.id)
    await services.audit.record(caller, "schedule.trigger", schedule_id, {"job_id": str(job.id)})
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return job
