"""Crons of the protocol: schedules whose jobs are runs of an assistant."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, Field

from mutirao.api.filter_limits import check_filters
from mutirao.api.langgraph.lists import MOST_SELECTED, Order, SearchPage, paginate
from mutirao.api.langgraph.run_requests import (
    Kept,
    MultitaskStrategy,
    RunRequest,
    Steps,
    StreamModes,
    admitted,
    stamped,
)
from mutirao.api.problems import details
from mutirao.api.services import Caller, HasServices, Services
from mutirao.api.submission import Json
from mutirao.assistants import Assistant, system_id
from mutirao.callers import CALLER
from mutirao.errors import InvalidInput, NotFound
from mutirao.ids import new_id
from mutirao.projects import Identity
from mutirao.schedule_records import NewSchedule, Schedule, Search, SortBy

router = APIRouter(tags=["langgraph: crons"])

_SORT: dict[str | None, SortBy] = {
    "cron_id": "id", "assistant_id": "assistant_id", "thread_id": "thread_id", "updated_at": "updated_at",
    "next_run_date": "next_at", "end_time": "end_at",
}  # fmt: skip
_OF_SCHEDULE = ("end_time", "enabled", "on_run_completed")
CronText = Annotated[
    str, Field(min_length=1, max_length=200, description="minute, hour, day of month, month, day of week")
]
Zone = Annotated[str, Field(min_length=1, max_length=64, description="Name of the IANA list; default: UTC.")]
OnRunCompleted = Annotated[
    Literal["delete", "keep"], Field(description="What becomes of a run's own thread when the run has ended.")
]


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]
Selected = Literal[
    "cron_id", "assistant_id", "thread_id", "end_time", "schedule", "timezone", "created_at", "updated_at", "user_id",
    "payload", "next_run_date", "metadata", "now", "on_run_completed", "enabled",
]  # fmt: skip


class NewCron(RunRequest):
    """A cron to create. Unknown fields are passed over."""

    schedule: CronText
    timezone: Zone | None = None
    end_time: Moment | None = None
    enabled: bool = True
    on_run_completed: OnRunCompleted | None = None


class CronChanges(BaseModel):
    """What to change; what is left out or null stays, but for `end_time`, where null means no end."""

    schedule: CronText | None = None
    timezone: Zone | None = None
    end_time: Moment | None = None
    enabled: bool | None = None
    on_run_completed: OnRunCompleted | None = None
    input: Kept = None
    metadata: Json | None = None
    config: Json | None = None
    context: Json | None = None
    webhook: str | None = Field(None, max_length=2048)
    interrupt_before: Steps | None = None
    interrupt_after: Steps | None = None
    multitask_strategy: MultitaskStrategy | None = None
    stream_mode: StreamModes | None = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    durability: Literal["sync", "async", "exit"] | None = None

    def given_for_runs(self) -> dict[str, Any]:
        """What was sent of the request for each run."""
        sent = {name: getattr(self, name) for name in self.model_fields_set if name not in _OF_SCHEDULE}
        return {name: value for name, value in sent.items() if value is not None}


class CronAnswer(BaseModel):
    """A cron, or the fields of it that were asked for."""

    cron_id: UUID | None = None
    assistant_id: UUID | None = None
    thread_id: UUID | None = None
    user_id: str | None = None
    schedule: str | None = None
    timezone: str | None = None
    end_time: datetime | None = None
    enabled: bool | None = None
    payload: dict[str, Any] | None = Field(None, description="The request for each of its runs.")
    next_run_date: datetime | None = None
    metadata: dict[str, Any] | None = None
    on_run_completed: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    now: datetime | None = None


class Filters(BaseModel):
    """Which crons."""

    assistant_id: str | None = Field(None, description="Id of an assistant, or name of a workflow.")
    thread_id: UUID | None = None
    enabled: bool | None = None
    metadata: Json | None = Field(None, description="All of it must be in the cron's.")


class SearchRequest(Filters, SearchPage):
    """Which crons, in which order."""

    sort_by: (
        Literal["cron_id", "assistant_id", "thread_id", "created_at", "updated_at", "next_run_date", "end_time"] | None
    ) = None
    sort_order: Order | None = None
    select: list[Selected] | None = Field(None, max_length=MOST_SELECTED)


@router.post(
    "/threads/{thread_id}/runs/crons", responses=details(401, 404, 413, 422), response_model_exclude_unset=True
)
async def create_thread_cron(thread_id: UUID, request: NewCron, services: HasServices, caller: Caller) -> CronAnswer:
    """Start runs of one thread by the clock; the first at the first time of the schedule."""
    return shown(await _create(services, caller, request, thread_id))


@router.post("/runs/crons", responses=details(401, 404, 413, 422), response_model_exclude_unset=True)
async def create_cron(request: NewCron, services: HasServices, caller: Caller) -> CronAnswer:
    """Start runs by the clock, each in a thread of its own; the first at the first time of the schedule."""
    return shown(await _create(services, caller, request, None))


@router.post("/runs/crons/search", responses=details(401, 413, 422), response_model_exclude_unset=True)
async def search_crons(
    request: SearchRequest, response: Response, services: HasServices, caller: Caller
) -> list[CronAnswer]:
    """Crons of the project."""
    if (search := await _search(services, caller, request, request)) is None:
        return []
    found = await services.schedules.search(caller.project_id, search)
    rows = await paginate(response, found, request, lambda: services.schedules.count(caller.project_id, search))
    return [shown(row, request.select) for row in rows]


@router.post("/runs/crons/count", responses=details(401, 413, 422))
async def count_crons(request: Filters, services: HasServices, caller: Caller) -> int:
    """How many crons there are."""
    search = await _search(services, caller, request, SearchRequest())
    return await services.schedules.count(caller.project_id, search) if search is not None else 0


@router.get("/runs/crons/{cron_id}", responses=details(401, 404, 422), response_model_exclude_unset=True)
async def get_cron(cron_id: UUID, services: HasServices, caller: Caller) -> CronAnswer:
    """One cron."""
    return shown(await services.schedules.get(caller.project_id, cron_id))


@router.patch("/runs/crons/{cron_id}", responses=details(401, 404, 413, 422), response_model_exclude_unset=True)
async def update_cron(cron_id: UUID, request: CronChanges, services: HasServices, caller: Caller) -> CronAnswer:
    """Change a cron, or stop it and let it go on."""
    found = await services.schedules.get(caller.project_id, cron_id)
    payload = _payload(found) | request.given_for_runs()
    new = await admitted(services, RunRequest.model_validate(payload))
    config = new.config
    if request.given_for_runs().keys() - {"schedule", "timezone"}:
        config = stamped(config, caller)  # who changes what is run answers for it
    elif found.run is not None:
        config = _with_caller_of(config, found.run.config)
    payload["config"] = new.config
    changes = _fields(new, payload, _assistant_of(found), config) | {"metadata": new.metadata}
    for name, field in (("schedule", "cron"), ("timezone", "timezone"), ("enabled", "enabled")):
        if (value := getattr(request, name)) is not None:
            changes[field] = value
    if "end_time" in request.model_fields_set:
        changes["end_at"] = request.end_time
    if request.on_run_completed is not None and found.thread_id is None:
        changes["on_run_completed"] = request.on_run_completed
    changed = await services.schedules.change(caller.project_id, cron_id, changes)
    await services.audit.record(caller, "schedule.change", cron_id, {"changed": sorted(request.model_fields_set)})
    return shown(changed)


@router.delete("/runs/crons/{cron_id}", status_code=204, responses=details(401, 404, 422))
async def delete_cron(cron_id: UUID, services: HasServices, caller: Caller) -> Response:
    """Delete a cron; its runs stay."""
    await services.schedules.delete(caller.project_id, cron_id)
    await services.audit.record(caller, "schedule.delete", cron_id)
    return Response(status_code=204)


def shown(schedule: Schedule, fields: list[Selected] | None = None) -> CronAnswer:
    """A schedule in the words of the protocol."""
    payload = _payload(schedule)
    row: dict[str, Any] = {
        "cron_id": schedule.id,
        "assistant_id": _assistant_of(schedule),
        "thread_id": schedule.thread_id,
        "user_id": None,
        "schedule": schedule.cron,
        "timezone": schedule.timezone if "timezone" in payload or schedule.timezone != "UTC" else None,
        "end_time": schedule.end_at,
        "enabled": schedule.enabled,
        "payload": payload,
        "next_run_date": schedule.next_at,
        "metadata": schedule.metadata,
        "on_run_completed": schedule.on_run_completed,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
        "now": datetime.now(UTC),
    }
    names = [name for name in row if name in fields] if fields else [name for name in row if name != "now"]
    return CronAnswer.model_construct(_fields_set=set(names), **{name: row[name] for name in names})


async def _create(services: Services, caller: Identity, request: NewCron, thread_id: UUID | None) -> Schedule:
    if request.command is not None and request.command.resume is not None:
        raise InvalidInput(
            "`command.resume` of a cron would decide what is not asked yet; decide by `POST /api/v1/approvals/{id}`, or "
            "resume by a run",
            path="/command/resume",
        )
    request = await admitted(services, request)
    assistant = await services.assistants.resolve(caller.project_id, request.assistant_id)
    cron_id = new_id()
    configurable = {**(request.config.get("configurable") or {}), "cron_id": str(cron_id)}
    request = request.model_copy(update={"config": {**request.config, "configurable": configurable}})
    payload = request.model_dump(mode="json", include=set(RunRequest.model_fields), exclude_unset=True)
    payload |= {"assistant_id": str(assistant.id), "schedule": request.schedule, "config": request.config}
    payload |= {"timezone": request.timezone} if request.timezone else {}
    new = NewSchedule(
        name=f"cron {cron_id}",
        workflow=assistant.workflow,
        metadata=request.metadata,
        cron=request.schedule,
        timezone=request.timezone or "UTC",
        enabled=request.enabled,
        end_at=request.end_time,
        thread_id=thread_id,
        on_run_completed=(request.on_run_completed or "delete") if thread_id is None else None,
        **_fields(request, payload, assistant.id, stamped(request.config, caller)),
    )
    await services.limits.check("max_schedules", caller.project_id)
    schedule = await services.schedules.add(caller.project_id, new, cron_id)
    said = {"name": schedule.name, "workflow": schedule.workflow, "cron": schedule.cron}
    await services.audit.record(caller, "schedule.create", schedule.id, said)
    return schedule


def _with_caller_of(config: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """The config with whom the old one names as the caller."""
    known = {name: value for name, value in (old.get("configurable") or {}).items() if name.startswith(CALLER)}
    return {**config, "configurable": {**(config.get("configurable") or {}), **known}} if known else config


def _fields(request: RunRequest, payload: dict[str, Any], assistant_id: UUID, config: dict[str, Any]) -> dict[str, Any]:
    options = request.options(config, request.context or {}, live=False)
    return {
        "assistant_id": assistant_id,
        "input": request.input,
        "run": options.model_copy(update={"kwargs": payload}),
        "webhook": request.webhook,
    }


def _payload(schedule: Schedule) -> dict[str, Any]:
    """The request for its runs. A schedule that came by the native API has one as if it had come by this one."""
    kept: Mapping[str, Any] = schedule.run.kwargs if schedule.run is not None else {}
    payload = dict(kept) or {"input": schedule.input, "metadata": schedule.metadata}
    return {"assistant_id": str(_assistant_of(schedule))} | payload | {"schedule": schedule.cron}


def _assistant_of(schedule: Schedule) -> UUID:
    return schedule.assistant_id or system_id(schedule.workflow)


async def _search(services: Services, caller: Identity, filters: Filters, page: SearchRequest) -> Search | None:
    """None: nothing can match."""
    check_filters(services.settings.api, metadata=filters.metadata)
    assistant: Assistant | None = None
    if filters.assistant_id is not None:
        try:
            assistant = await services.assistants.resolve(caller.project_id, filters.assistant_id)
        except NotFound:
            return None
    return Search(
        assistant_id=assistant.id if assistant else None,
        workflow=assistant.workflow if assistant and assistant.system else None,
        thread_id=filters.thread_id,
        enabled=filters.enabled,
        metadata=filters.metadata,
        limit=page.limit + 1,
        offset=page.offset,
        sort_by=_SORT.get(page.sort_by, "created_at"),
        descending=page.sort_order != "asc",
    )
