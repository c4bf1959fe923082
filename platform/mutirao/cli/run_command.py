"""`mutirao run`: submit a job and follow it."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mutirao.cli import output
from mutirao.cli.following import finish
from mutirao.cli.inputs import read_object, read_pairs
from mutirao.cli.options import (
    BudgetCalls,
    BudgetCost,
    BudgetTokens,
    JobSeconds,
    MaxAttempts,
    Priority,
    RetryFailures,
    StepSeconds,
    job_options,
)
from mutirao.cli.options import given as sent
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.errors import InvalidInput

if TYPE_CHECKING:
    from mutirao.client import Client
    from mutirao.client.records import Workflow

UPLOAD_FIELD = "upload_id"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)


def run(
    workflow: Annotated[str, typer.Argument(help="Its name, see `mutirao workflows`.")],
    given: Annotated[
        str, typer.Option("--input", metavar="JSON", help="The input as a JSON object; @FILE, or - for stdin.")
    ] = "{}",
    pairs: Annotated[
        list[str] | None,
        typer.Option("--set", "-i", metavar="KEY=VALUE", help="One field of the input; a list grows by repetition."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", exists=True, help="A file or folder to send; the input gets its `upload_id`."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--detach", help="Show the job until it ends.")] = True,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Fetch its artifacts into this folder.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Version of the workflow; default: the newest served.")] = None,
    priority: Priority = None,
    delay: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Begin so much later.")] = None,
    deadline: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="It has failed when it has not ended by then.")
    ] = None,
    max_attempts: MaxAttempts = None,
    retry_failures: RetryFailures = None,
    step_seconds: StepSeconds = None,
    job_seconds: JobSeconds = None,
    budget_tokens: BudgetTokens = None,
    budget_cost: BudgetCost = None,
    budget_model_calls: BudgetCalls = None,
    as_json: Json = False,
) -> None:
    """Submit a job and follow it to its end.

    mutirao run report -i topic="Rainwater" -i collections=demo --out report/
    """
    if out is not None and not follow:
        raise typer.BadParameter("--out needs --follow: there are no artifacts before the end")
    options = job_options(
        priority=priority, max_attempts=max_attempts, retry_failures=retry_failures, step_seconds=step_seconds,
        job_seconds=job_seconds,
        budget=sent(tokens=budget_tokens, cost=budget_cost, model_calls=budget_model_calls),
    ) | sent(version=version, delay_seconds=delay, deadline_seconds=deadline)  # fmt: skip
    value = read_object(given)
    with connect() as client:
        if pairs or file:
            found = client.workflow(workflow, version)
            value |= read_pairs(pairs or (), found.input_schema, workflow)
            value |= _uploaded(client, file, found) if file else {}
        job = client.submit(workflow, value, **options)
        if follow:
            output.say(f"job {job.id}")
            finish(client, job.id, out, as_json=as_json)
        elif as_json:
            output.show_json(job)
        else:
            typer.echo(f"job {job.id} {job.state}; follow it with `mutirao jobs follow {job.id}`")


def _uploaded(client: "Client", path: Path, workflow: "Workflow") -> dict[str, Any]:
    if UPLOAD_FIELD not in workflow.input_schema.get("properties", {}):
        raise InvalidInput(f"workflow {workflow.name!r} takes no file: its input has no field {UPLOAD_FIELD!r}")
    if path.is_file():
        upload = client.upload(path)
    else:
        from mutirao.client import zip_folder

        with tempfile.TemporaryDirectory(prefix="mutirao-") as scratch:
            archive = Path(scratch) / f"{path.resolve().name or 'folder'}.zip"
            left_out = zip_folder(path, archive)
            if left_out:
                output.say(f"left out (no plain files, or caches): {', '.join(sorted({*left_out}))}")
            upload = client.upload(archive)
    output.say(f"sent {upload.name} ({output.size(upload.size)})")
    return {UPLOAD_FIELD: str(upload.id)}
