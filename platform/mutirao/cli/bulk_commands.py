"""`mutirao jobs`, what may be done to one or to many: submit, cancel, retry."""

import json
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.control_commands import Follow, show_begun
from mutirao.cli.inputs import read_json
from mutirao.cli.job_table import JobIds, show_results
from mutirao.cli.options import Checkpoint, chosen_jobs, job_budget, shared
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.errors import InvalidInput

CANCEL_SECONDS = 10.0
_MOST = 200


def add_to(jobs: typer.Typer) -> None:
    """Add the commands of this module to those of `mutirao jobs`."""
    for command in (cancel, retry, batch):
        jobs.command()(command)


def one_of(ids: list[UUID] | None, chosen: dict[str, Any] | None) -> UUID | None:
    """The one job that is named; None where there are several or they are chosen. Wrong usage when it is neither."""
    if bool(ids) == (chosen is not None):
        raise typer.BadParameter("name jobs by their ids, or choose them with --all-matching and filters")
    return ids[0] if ids and len(ids) == 1 else None


@shared(chosen=chosen_jobs)
def cancel(chosen: dict[str, Any] | None, ids: JobIds = None, as_json: Json = False) -> None:
    """Ask for the end of jobs; of one: wait until nothing of it runs any more."""
    one = one_of(ids, chosen)
    with connect() as client:
        if one is None:
            show_results(client.cancel_jobs(ids or None, **(chosen or {})), as_json=as_json)
            return
        job = client.cancel(one, CANCEL_SECONDS)
    if as_json:
        output.show_json(job)
    elif job.state.terminal:
        typer.echo(f"job {job.id} {job.state}")
    else:
        typer.echo(f"job {job.id} is asked to end and has not yet; look again with `mutirao jobs show {job.id}`")


@shared(chosen=chosen_jobs, budget=job_budget)
def retry(
    chosen: dict[str, Any] | None,
    budget: dict[str, Any],
    ids: JobIds = None,
    checkpoint: Checkpoint = None,
    current_version: Annotated[
        bool, typer.Option("--current-version", help="Go on with the version that is served now.")
    ] = False,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """Begin jobs anew that have failed, are dead, have spent their budget or are stranded; finished steps stay finished."""
    one = one_of(ids, chosen)
    if one is None and (budget or checkpoint or current_version or follow):
        raise typer.BadParameter("budgets, --checkpoint, --current-version and --follow are for one job")
    with connect() as client:
        if one is None:
            show_results(client.retry_jobs(ids or None, **(chosen or {})), as_json=as_json)
            return
        version = "current" if current_version else None
        job = client.retry(one, checkpoint_id=checkpoint, version=version, budget=budget or None)
        show_begun(client, job, follow=follow, as_json=as_json)


def batch(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help='Jobs, one `{"workflow": …, "input": {…}}` a line or a list; - for stdin.'),
    ],
    as_json: Json = False,
) -> None:
    """Submit up to 200 jobs at once. Exit code 5 when one is refused; the others are kept all the same."""
    jobs = _jobs(output.stdin_text() if file == "-" else Path(file).read_text(encoding="utf-8-sig"), file)
    with connect() as client:
        show_results(client.submit_batch(jobs), as_json=as_json)


def _jobs(text: str, file: str) -> list[dict[str, Any]]:
    if text.lstrip().startswith("["):
        found = read_json(text, file)
    else:
        lines = [line for line in text.splitlines() if line.strip()]
        found = [read_json(line, f"{file}, line {number}") for number, line in enumerate(lines, start=1)]
    odd = next((job for job in found if not isinstance(job, dict) or "workflow" not in job), None)
    if odd is not None:
        raise InvalidInput(f'{json.dumps(odd)[:80]} in {file} is no job; write {{"workflow": "name", "input": {{}}}}')
    if not 0 < len(found) <= _MOST:
        raise InvalidInput(f"{file} has {len(found)} jobs; send 1 to {_MOST} at once")
    return list(found)
