"""`mutirao schedules`: workflows that are started by the clock."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.options import Fields, Limit, WorkflowName, given, job_options, json_object, local, shared
from mutirao.cli.output import Json
from mutirao.cli.run_command import JobInput, job_input
from mutirao.cli.session import connect
from mutirao.cli.tables import Table

if TYPE_CHECKING:
    from mutirao.client.records import Schedule

ScheduleId = Annotated[UUID, typer.Argument(metavar="ID", help="The schedule's id, see `mutirao schedules list`.")]
Zone = Annotated[str, typer.Option(help="Name of the IANA list, as America/Sao_Paulo.")]
Until = Annotated[datetime | None, typer.Option(help="Nothing is started after this, in local time.")]
_CRON = "minute hour day-of-month month day-of-week, as '30 7 * * MON-FRI'."


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    schedules = typer.Typer(help="Schedules: workflows that are started by the clock.", no_args_is_help=True)
    schedules.command("list")(list_schedules)
    for command in (add, show, change, pause, resume, delete, trigger):
        schedules.command()(command)
    app.add_typer(schedules, name="schedules")


def _next(schedule: "Schedule") -> str:
    if not schedule.enabled:
        return "off"
    failed = " (the last one failed to start)" if schedule.last_error else ""
    return (output.when(schedule.next_at) if schedule.next_at else "never again") + failed


SCHEDULES: "Table[Schedule]" = Table(
    "schedules",
    {
        "id": lambda row: str(row.id), "name": lambda row: row.name, "workflow": lambda row: row.workflow,
        "cron": lambda row: row.cron, "timezone": lambda row: row.timezone, "next": _next,
    },
    "no schedules",
)  # fmt: skip


def list_schedules(limit: Limit = 1000, fields: Fields = None, as_json: Json = False) -> None:
    """List the schedules, newest first."""
    with connect() as client:
        SCHEDULES.ask(client.schedules, fields, as_json, limit)


@shared(given_input=job_input, options=job_options)
def add(
    name: Annotated[str, typer.Argument(help="Unique in the project.")],
    workflow: WorkflowName,
    cron: Annotated[str, typer.Option(help=_CRON)],
    given_input: JobInput,
    options: dict[str, Any],
    timezone: Zone = "UTC",
    until: Until = None,
    thread: Annotated[UUID | None, typer.Option(metavar="ID", help="The thread its jobs go on with.")] = None,
    as_json: Json = False,
) -> None:
    """Start a workflow by the clock.

    mutirao schedules add weekly report --cron "30 7 * * MON" --timezone America/Sao_Paulo -i topic=Rain -i collections=demo
    """
    with connect() as client:
        value = given_input.read(client, workflow)
        found = client.add_schedule(
            name, workflow, cron, value, timezone=timezone, options=options, end_at=local(until), thread_id=thread
        )
    _show(found, as_json=as_json)


@shared(options=job_options)
def change(
    schedule_id: ScheduleId,
    options: dict[str, Any],
    name: Annotated[str | None, typer.Option(help="Unique in the project.")] = None,
    cron: Annotated[str | None, typer.Option(help=_CRON)] = None,
    timezone: Annotated[str | None, typer.Option(help="Name of the IANA list.")] = None,
    input: Annotated[str | None, typer.Option(metavar="JSON", help="The whole input; @FILE, or -.")] = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Change a schedule; what is not named stays as it is. Options of the job are set all at once."""
    changes = given(
        name=name, cron=cron, timezone=timezone, input=json_object(input, "--input"), end_at=local(until),
        options=options or None,
    )  # fmt: skip
    if not changes:
        raise typer.BadParameter("name a change, for example --cron '0 6 * * *'")
    with connect() as client:
        found = client.change_schedule(schedule_id, **changes)
    _show(found, as_json=as_json)


def show(schedule_id: ScheduleId, as_json: Json = False) -> None:
    """Show one schedule and its next five times."""
    with connect() as client:
        found = client.schedule(schedule_id)
    _show(found, as_json=as_json)


def _show(schedule: "Schedule", *, as_json: bool) -> None:
    if as_json:
        output.show_json(schedule)
    else:
        typer.echo(output.printable("\n".join(_described(schedule))))


def _described(schedule: "Schedule") -> Iterator[str]:
    yield f"schedule  {schedule.id}"
    yield f"name      {schedule.name}"
    yield f"workflow  {schedule.workflow}"
    yield f"cron      {schedule.cron} ({schedule.timezone}){'' if schedule.enabled else ', off'}"
    yield f"input     {output.as_text(schedule.input)}"
    options = schedule.options.model_dump(mode="json", exclude_defaults=True)
    if options:
        yield f"options   {output.as_text(options)}"
    for moment in schedule.next_times:
        yield f"next      {output.when(moment)}"
    if schedule.end_at is not None:
        yield f"until     {output.when(schedule.end_at)}"
    yield f"last      {output.when(schedule.last_at)}"
    if schedule.last_error is not None:
        yield f"error     {schedule.last_error.code}: {schedule.last_error.message}"


def pause(schedule_id: ScheduleId, as_json: Json = False) -> None:
    """Start nothing until it is resumed."""
    with connect() as client:
        found = client.change_schedule(schedule_id, enabled=False)
    _show(found, as_json=as_json)


def resume(schedule_id: ScheduleId, as_json: Json = False) -> None:
    """Let it go on; what it missed is not made up for."""
    with connect() as client:
        found = client.change_schedule(schedule_id, enabled=True)
    _show(found, as_json=as_json)


def delete(schedule_id: ScheduleId, as_json: Json = False) -> None:
    """Delete a schedule; its jobs stay."""
    with connect() as client:
        client.delete_schedule(schedule_id)
    if as_json:
        output.show_json({"deleted": str(schedule_id)})
    else:
        typer.echo(f"schedule {schedule_id} deleted")


def trigger(schedule_id: ScheduleId, as_json: Json = False) -> None:
    """Start its job now, beside those of its times."""
    with connect() as client:
        job = client.trigger_schedule(schedule_id)
    if as_json:
        output.show_json(job)
    else:
        typer.echo(f"job {job.id} {job.state}; follow it with `mutirao jobs follow {job.id}`")
