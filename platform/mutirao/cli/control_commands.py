"""`mutirao jobs`, what may be done to one job and what belongs to it: pause, resume, fork, children, and more."""

from typing import TYPE_CHECKING, Annotated

import typer

from mutirao.cli import output
from mutirao.cli.approval_commands import show_approvals
from mutirao.cli.following import finish
from mutirao.cli.job_table import JobId, show_jobs
from mutirao.cli.options import Checkpoint, json_object
from mutirao.cli.output import Json
from mutirao.cli.session import connect

if TYPE_CHECKING:
    from mutirao.client import Client
    from mutirao.jobs.records import Job

Follow = Annotated[bool, typer.Option("--follow", help="Show it until it ends.")]


def add_to(jobs: typer.Typer) -> None:
    """Add the commands of this module to those of `mutirao jobs`."""
    for command in (pause, resume, fork, children, checkpoints, usage):
        jobs.command()(command)
    jobs.command("approvals")(approvals_of_job)


def pause(job_id: JobId, as_json: Json = False) -> None:
    """Let a job stand still after the step it is in."""
    with connect() as client:
        job = client.pause(job_id)
    if as_json:
        output.show_json(job)
    elif job.state == "paused":
        typer.echo(f"job {job.id} paused; let it go on with `mutirao jobs resume {job.id}`")
    else:
        typer.echo(f"job {job.id} is asked to pause and is {job.state}; look again with `mutirao jobs show {job.id}`")


def resume(job_id: JobId, as_json: Json = False) -> None:
    """Let a paused job go on."""
    with connect() as client:
        show_begun(client, client.resume(job_id), follow=False, as_json=as_json)


def fork(
    job_id: JobId,
    checkpoint: Checkpoint = None,
    values: Annotated[
        str | None, typer.Option(metavar="JSON", help="Changes to the state there; @FILE, or - for stdin.")
    ] = None,
    as_node: Annotated[
        str | None, typer.Option(metavar="STEP", help="The step the changes are taken to come from.")
    ] = None,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """Begin a new job at a checkpoint of this one, in a thread of its own."""
    changes = json_object(values, "--values")
    with connect() as client:
        job = client.fork(job_id, checkpoint_id=checkpoint, values=changes, as_node=as_node)
        show_begun(client, job, follow=follow, as_json=as_json)


def show_begun(client: "Client", job: "Job", *, follow: bool, as_json: bool) -> None:
    """Say that a job has begun, or follow it to its end."""
    if follow:
        output.say(f"job {job.id}")
        finish(client, job.id, None, as_json=as_json)
    elif as_json:
        output.show_json(job)
    else:
        typer.echo(f"job {job.id} {job.state}; follow it with `mutirao jobs follow {job.id}`")


def children(
    job_id: JobId,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 200,
    as_json: Json = False,
) -> None:
    """List the jobs it fanned out to, in order."""
    with connect() as client:
        found = client.children(job_id, limit)
    show_jobs(found, as_json=as_json)


def checkpoints(
    job_id: JobId,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List where a job can go on from, newest first."""
    with connect() as client:
        found = client.checkpoints(job_id, limit)
    if as_json:
        output.show_json({"checkpoints": found})
        return
    rows = [(row.id, str(row.step), row.source or "-", output.when(row.created_at)) for row in found]
    typer.echo(output.table(("id", "step", "source", "written"), rows) if rows else "no checkpoints")


def usage(job_id: JobId, as_json: Json = False) -> None:
    """Show what a job has spent."""
    with connect() as client:
        found = client.usage(job_id)
    if as_json:
        output.show_json(found)
    else:
        tokens = f"{found.tokens:,} tokens ({found.input_tokens:,} read, {found.output_tokens:,} written)"
        typer.echo(f"{tokens} in {found.model_calls} model calls, cost {found.cost:g}")


def approvals_of_job(job_id: JobId, as_json: Json = False) -> None:
    """List what a job has asked, with the decisions."""
    with connect() as client:
        found = client.approvals_of(job_id)
    show_approvals(found, as_json=as_json)
