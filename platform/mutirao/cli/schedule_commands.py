"""`mutirao schedules`: workflows that are started by the clock."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.inputs import read_object, read_pairs
from mutirao.cli.options import (
    BudgetCost,
    BudgetTokens,
    JobSeconds,
    MaxAttempts,
    Priority,
    RetryFailures,
    StepSeconds,
    given,
    job_options,
)
from mutirao.cli.output import Json
from mutirao.cli.session import connect

if TYPE_CHECKING:
    from mutirao.client.records import Schedule

ScheduleId = Annotated[UUID, typer.Argument(metavar="ID", help="The schedule's id, see `mutirao schedules list`.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    schedules = typer.Typer(help="Schedules: workflows that are started by the clock.", no_args_is_help=True)
    schedules.command("list")(list_schedules)
    for command in (add, show, pause, resume, delete, trigger):
        schedules.command()(command)
    app.add_typer(schedules, name="schedules")


def list_schedules(as_json: Json = False) -> None:
    """List the schedules, newest first."""
    with connect() as client:
        found = client.schedules()
    if as_json:
        output.show_json({"schedules": found})
        return
    rows = [(str(row.id), row.name, row.workflow, row.cron, row.timezone, _next(row)) for row in found]
    headers = ("id", "name", "workflow", "cron", "timezone", "next")
    typer.echo(output.table(headers, rows) if rows else "no schedules")


def _next(schedule: "Schedule") -> str:
    if not schedule.enabled:
        return "off"
    failed = " (the last one failed to start)" if schedule.last_error else ""
    return (output.when(schedule.next_at) if schedule.next_at else "never again") + failed


def add(
    name: Annotated[str, typer.Argument(help="Unique in the project.")],
    workflow: Annotated[str, typer.Argument(help="Its name, see `mutirao workflows`.")],
    cron: Annotated[str, typer.Option(help="minute hour day-of-month month day-of-week, as '30 7 * * MON-FRI'.")],
    timezone: Annotated[str, typer.Option(help="Name of the IANA list, as America/Sao_Paulo.")] = "UTC",
    input: Annotated[str, typer.Option(metavar="JSON", help="The input as a JSON object; @FILE, or -.")] = "{}",
    pairs: Annotated[
        list[str] | None, typer.Option("--set", "-i", metavar="KEY=VALUE", help="One field of the input.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(help="Nothing is started after this, in local time.")] = None,
    priority: Priority = None,
    max_attempts: MaxAttempts = None,
    retry_failures: RetryFailures = None,
    step_seconds: StepSeconds = None,
    job_seconds: JobSeconds = None,
    budget_tokens: BudgetTokens = None,
    budget_cost: BudgetCost = None,
    as_json: Json = False,
) -> None:
    """Start a workflow by the clock.

    mutirao schedules add weekly report --cron "30 7 * * MON" --timezone America/Sao_Paulo -i topic=Rain -i collections=demo
    """
    options = job_options(
        priority=priority, max_attempts=max_attempts, retry_failures=retry_failures, step_seconds=step_seconds,
        job_seconds=job_seconds, budget=given(tokens=budget_tokens, cost=budget_cost),
    )  # fmt: skip
    value = read_object(input)
    with connect() as client:
        if pairs:
            value |= read_pairs(pairs, client.workflow(workflow).input_schema, workflow)
        end_at = until.astimezone() if until else None
        found = client.add_schedule(name, workflow, cron, value, timezone=timezone, options=options, end_at=end_at)
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
