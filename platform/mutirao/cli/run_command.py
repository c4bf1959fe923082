"""`mutirao run`: submit a job and follow it."""

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.following import finish
from mutirao.cli.inputs import read_object, read_pairs
from mutirao.cli.options import WorkflowName, job_options, json_object, local, shared
from mutirao.cli.options import given as sent
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.cli.tables import show_done
from mutirao.errors import InvalidInput

if TYPE_CHECKING:
    from mutirao.client import Client
    from mutirao.client.records import Workflow

UPLOAD_FIELD = "upload_id"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)


@dataclass(frozen=True)
class JobInput:
    """The input of a job as it was typed."""

    value: dict[str, Any]
    pairs: list[str]

    def read(
        self, client: "Client", workflow: str, *, version: str | None = None, file: Path | None = None
    ) -> dict[str, Any]:
        """The input: pairs are read by the workflow's schema, a file is sent. Raises NotFound, InvalidInput."""
        if not self.pairs and not file:
            return self.value
        found = client.workflow(workflow, version)
        pairs = read_pairs(self.pairs, found.input_schema, workflow)
        return self.value | pairs | (_uploaded(client, file, found) if file else {})


def job_input(
    input: Annotated[
        str, typer.Option("--input", metavar="JSON", help="The input as a JSON object; @FILE, or - for stdin.")
    ] = "{}",
    pairs: Annotated[
        list[str] | None,
        typer.Option("--set", "-i", metavar="KEY=VALUE", help="One field of the input; a list grows by repetition."),
    ] = None,
) -> JobInput:
    """What is typed as the input of a job."""
    return JobInput(read_object(input), pairs or [])


def submission(
    version: Annotated[str | None, typer.Option(help="Version of the workflow; default: the newest served.")] = None,
    thread: Annotated[UUID | None, typer.Option(metavar="ID", help="The thread it goes on with.")] = None,
    delay: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Begin so much later.")] = None,
    start_at: Annotated[datetime | None, typer.Option(help="Begin then, in local time.")] = None,
    deadline: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="It has failed when it has not ended by then.")
    ] = None,
    webhook: Annotated[str | None, typer.Option(metavar="URL", help="Tell this address of its end.")] = None,
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="An object that is kept with the job.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key with the same input is the same job.")
    ] = None,
) -> dict[str, Any]:
    """What is asked for a job that is submitted now, as the client takes it."""
    return sent(
        version=version, thread_id=thread, delay_seconds=delay, start_at=local(start_at), deadline_seconds=deadline,
        webhook=webhook, metadata=json_object(metadata, "--metadata"), idempotency_key=idempotency_key,
    )  # fmt: skip


@shared(given=job_input, asked=submission, options=job_options)
def run(
    workflow: WorkflowName,
    given: JobInput,
    asked: dict[str, Any],
    options: dict[str, Any],
    file: Annotated[
        Path | None,
        typer.Option("--file", exists=True, help="A file or folder to send; the input gets its `upload_id`."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--detach", help="Show the job until it ends.")] = True,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Fetch its artifacts into this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Submit a job and follow it to its end.

    mutirao run report -i topic="Rainwater" -i collections=demo --out report/
    """
    if out is not None and not follow:
        raise typer.BadParameter("--out needs --follow: there are no artifacts before the end")
    with connect() as client:
        value = given.read(client, workflow, version=asked.get("version"), file=file)
        job = client.submit(workflow, value, **asked, **options)
        if follow:
            output.say(f"job {job.id}")
            finish(client, job.id, out, as_json=as_json)
        else:
            said = f"job {job.id} {job.state}; follow it with `mutirao jobs follow {job.id}`"
            show_done(job, said, as_json=as_json)


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
