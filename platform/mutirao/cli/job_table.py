"""Jobs as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.completion import job_ids
from mutirao.cli.failures import REFUSED
from mutirao.cli.tables import Table

if TYPE_CHECKING:
    from mutirao.client.records import BatchAnswer
    from mutirao.jobs.records import Job

JobId = Annotated[
    UUID, typer.Argument(metavar="ID", help="The job's id, see `mutirao jobs list`.", autocompletion=job_ids)
]
JobIds = Annotated[
    list[UUID] | None, typer.Argument(metavar="ID...", help="Ids, see `mutirao jobs list`.", autocompletion=job_ids)
]


def state_text(job: "Job") -> str:
    """The state, and what a job that stands still waits for."""
    return f"{job.state} ({job.waiting_for})" if job.waiting_for else str(job.state)


JOBS: "Table[Job]" = Table(
    "jobs",
    {
        "id": lambda job: str(job.id),
        "workflow": lambda job: job.workflow,
        "state": state_text,
        "accepted": lambda job: output.when(job.created_at),
        "took": lambda job: output.span(job.created_at, job.finished_at),
    },
    "no jobs",
)


def show_jobs(jobs: "Sequence[Job]", *, as_json: bool) -> None:
    """Print jobs, one a line."""
    JOBS.show(jobs, as_json=as_json)


def show_results(answer: "BatchAnswer", *, as_json: bool) -> None:
    """Print what became of each of several jobs. Exit code 5 when nothing was done for one of them."""
    if as_json:
        output.show_json(answer)
    else:
        for number, row in enumerate(answer.results, start=1):
            done = state_text(row.job) if row.job else "nothing was done"
            why = f"{row.error.code}: {row.error.detail}" if row.error else done
            typer.echo(output.printable(f"job {row.id or number}: {why}"))
        if not answer.results:
            typer.echo("no jobs")
    if any(row.error for row in answer.results):
        raise typer.Exit(REFUSED)
