"""Jobs as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from mutirao.cli import output

if TYPE_CHECKING:
    from mutirao.jobs.records import Job

JobId = Annotated[UUID, typer.Argument(metavar="ID", help="The job's id, see `mutirao jobs list`.")]


def show_jobs(jobs: "Sequence[Job]", *, as_json: bool) -> None:
    """Print jobs, one a line."""
    if as_json:
        output.show_json({"jobs": jobs})
        return
    rows = [
        (
            str(job.id),
            job.workflow,
            state_text(job),
            output.when(job.created_at),
            output.span(job.created_at, job.finished_at),
        )
        for job in jobs
    ]
    typer.echo(output.table(("id", "workflow", "state", "accepted", "took"), rows) if rows else "no jobs")


def state_text(job: "Job") -> str:
    """The state, and what a job that stands still waits for."""
    return f"{job.state} ({job.waiting_for})" if job.waiting_for else str(job.state)
