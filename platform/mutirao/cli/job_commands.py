"""`mutirao jobs`: list, count, show, follow. What may be done to jobs is in `control_commands` and `bulk_commands`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mutirao.cli import bulk_commands, control_commands, output
from mutirao.cli.following import finish
from mutirao.cli.job_table import JOBS, JobId, state_text
from mutirao.cli.options import Fields, Limit, job_filters, shared
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.cli.tables import show_record

if TYPE_CHECKING:
    from mutirao.jobs.records import Artifact, Attempt, Job

_DATA_CHARS = 120


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    jobs = typer.Typer(help="Jobs: list, show, follow, and what may be done to them.", no_args_is_help=True)
    jobs.command("list")(list_jobs)
    for command in (show, follow, watch, counts, journal):
        jobs.command()(command)
    control_commands.add_to(jobs)
    bulk_commands.add_to(jobs)
    app.add_typer(jobs, name="jobs")


@shared(filters=job_filters)
def list_jobs(
    filters: dict[str, Any],
    sort: Annotated[
        str | None, typer.Option(help="created_at, finished_at, -created_at, -finished_at or -priority.")
    ] = None,
    limit: Limit = 20,
    fields: Fields = None,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    with connect() as client:
        JOBS.ask(client.jobs, fields, as_json, sort=sort, limit=limit, **filters)


def watch(as_json: Json = False) -> None:
    """Show what changes in the project as it does, until Ctrl-C: a line for each job, with --json one for each change."""
    with connect() as client:
        for change in client.changes():
            if as_json:
                typer.echo(output.as_text(change))
                continue
            for row in change.data.get("jobs", ()):
                why = f" ({row['waiting_for']})" if row["waiting_for"] else ""
                typer.echo(output.printable(f"{row['id']}  {row['workflow']}  {row['state']}{why}"))
            if change.kind == "many":
                typer.echo("more has changed than is told one by one; see `mutirao jobs list`")
            elif change.kind == "approvals":
                typer.echo(f"{change.data['pending']} approvals wait")


@shared(filters=job_filters)
def counts(filters: dict[str, Any], as_json: Json = False) -> None:
    """Count jobs by state."""
    with connect() as client:
        found = client.count_jobs(**filters)
    facts = [(state, str(count)) for state, count in found.counts.items()]
    show_record(found, [*facts, ("total", str(found.total))], as_json=as_json)


def journal(
    job_id: JobId,
    after: Annotated[int, typer.Option(min=0, metavar="SEQ", help="Only events behind this one.")] = 0,
    as_json: Json = False,
) -> None:
    """Show the events of a job there are now, one a line; `follow` waits for those to come."""
    with connect() as client:
        events = client.journal(job_id, after)
        if as_json:
            output.show_json({"events": [*events]})
            return
        for event in events:
            data = output.one_line(output.as_text(event.data), _DATA_CHARS)
            typer.echo(
                output.printable(f"{event.seq:>6}  {output.when(event.at)}  {event.type}  {event.step or '-'}  {data}")
            )


def show(job_id: JobId, as_json: Json = False) -> None:
    """Show one job: input, output, error, attempts, artifacts."""
    with connect() as client:
        job, attempts, artifacts = client.job(job_id), client.attempts(job_id), client.artifacts(job_id)
    if as_json:
        output.show_json({**job.model_dump(mode="json"), "attempts_made": attempts, "artifacts": artifacts})
    else:
        typer.echo(output.printable(_described(job, attempts, artifacts)))


def _described(job: "Job", attempts: "list[Attempt]", artifacts: "list[Artifact]") -> str:
    lines = [
        f"job       {job.id}",
        f"workflow  {job.workflow} {job.version}",
        f"state     {state_text(job)}{_asked(job)}",
        f"accepted  {output.when(job.created_at)}, took {output.span(job.created_at, job.finished_at)}",
        f"input     {output.as_text(job.input)}",
    ]
    if job.deadline_at is not None:
        lines.append(f"deadline  {output.when(job.deadline_at)}")
    if job.output is not None:
        lines.append(f"output    {output.as_text(job.output)}")
    if job.error is not None:
        place = f" (step {job.error.step})" if job.error.step else ""
        lines.append(f"error     {job.error.code}: {job.error.message}{place}")
    for attempt in attempts:
        ended = f"{attempt.outcome or 'running'}, {output.span(attempt.started_at, attempt.finished_at)}"
        lines.append(f"attempt   {attempt.attempt} by worker {attempt.worker}: {ended}")
    files = [
        f"artifact  {artifact.name} ({output.size(artifact.size)}, {artifact.media_type})" for artifact in artifacts
    ]
    return "\n".join([*lines, *files])


def _asked(job: "Job") -> str:
    by = f" by {job.cancel_requested_by}" if job.cancel_requested_by else ""
    if job.finished_at:
        return by if job.state == "cancelled" else ""
    if job.cancel_requested_at:
        return f" (cancel asked for{by})"
    return " (pause asked for)" if job.pause_requested_at else ""


def follow(
    job_id: JobId,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Fetch its artifacts into this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a job from its beginning until it ends. Exit code 1 when it does not succeed."""
    with connect() as client:
        finish(client, job_id, out, as_json=as_json)
