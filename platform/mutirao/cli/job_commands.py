"""`mutirao jobs`: list, show, follow, cancel; what else may be done to one is in `control_commands`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from mutirao.cli import control_commands, output
from mutirao.cli.following import finish
from mutirao.cli.job_table import JobId, show_jobs, state_text
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.jobs.states import JobState

if TYPE_CHECKING:
    from mutirao.jobs.records import Artifact, Attempt, Job

CANCEL_SECONDS = 10.0


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    jobs = typer.Typer(help="Jobs: list, show, follow, and what may be done to them.", no_args_is_help=True)
    jobs.command("list")(list_jobs)
    jobs.command("show")(show)
    jobs.command("follow")(follow)
    jobs.command("cancel")(cancel)
    control_commands.add_to(jobs)
    app.add_typer(jobs, name="jobs")


def list_jobs(
    state: Annotated[list[JobState] | None, typer.Option(help="Only this state; may be repeated.")] = None,
    workflow: Annotated[str | None, typer.Option(help="Only this workflow.")] = None,
    schedule: Annotated[UUID | None, typer.Option(metavar="ID", help="Only what this schedule started.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    with connect() as client:
        jobs = client.jobs(workflow=workflow, states=state or (), schedule_id=schedule, limit=limit)
    show_jobs(jobs, as_json=as_json)


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
    if job.finished_at:
        return ""
    return " (cancel asked for)" if job.cancel_requested_at else " (pause asked for)" if job.pause_requested_at else ""


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


def cancel(job_id: JobId, as_json: Json = False) -> None:
    """Ask for the end of a job and wait until nothing of it runs any more."""
    with connect() as client:
        job = client.cancel(job_id, CANCEL_SECONDS)
    if as_json:
        output.show_json(job)
    elif job.state.terminal:
        typer.echo(f"job {job.id} {job.state}")
    else:
        typer.echo(f"job {job.id} is asked to end and has not yet; look again with `mutirao jobs show {job.id}`")
