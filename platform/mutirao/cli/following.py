"""Following a job to its end, and saying how it ended."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.approval_commands import how_to_decide
from mutirao.cli.failures import INTERRUPTED, JOB_FAILED
from mutirao.cli.screens import call_text, screen_for

if TYPE_CHECKING:
    from mutirao.cli.job_view import JobView
    from mutirao.client import Client
    from mutirao.jobs.records import Artifact, Job

OUTPUT_CHARS = 4_000


def watch(client: "Client", job_id: UUID, *, as_json: bool) -> "tuple[Job, JobView]":
    """Show a job until it has ended, on stderr when stdout is for JSON; the job as it then is, and what was seen."""
    with screen_for(sys.stderr if as_json else sys.stdout) as screen:
        for event in client.follow(job_id):
            screen.show(event)
            if event.type == "job.paused":
                for line in _why_paused(client, job_id):
                    screen.note(line)
    return client.job(job_id), screen.view


def _why_paused(client: "Client", job_id: UUID) -> Iterator[str]:
    """What a job waits for that is paused now, and what to type."""
    job = client.job(job_id)
    if job.state != "paused":
        return
    if job.waiting_for == "request":
        yield f"it stands still until `mutirao jobs resume {job_id}`"
    for approval in client.approvals_of(job_id):
        if approval.state == "pending":
            yield f"step {approval.step or '?'} asks: {output.as_text(approval.request)}"
            yield how_to_decide(approval.id)


def finish(client: "Client", job_id: UUID, out: Path | None, *, as_json: bool) -> None:
    """Follow a job, fetch its artifacts into `out`, say how it ended. Exit code 1 when it did not succeed.

    Ctrl-C ends the following and never the job: it says how to go on, and the command ends with exit code 130.
    """
    try:
        job, view = watch(client, job_id, as_json=as_json)
    except KeyboardInterrupt:
        output.say(
            f"job {job_id} goes on; follow it with `mutirao jobs follow {job_id}`, "
            f"cancel it with `mutirao jobs cancel {job_id}`"
        )
        raise typer.Exit(INTERRUPTED) from None
    artifacts = client.artifacts(job_id)
    files = [client.download(artifact, out) for artifact in artifacts] if out else []
    if as_json:
        fetched = [str(path) for path in files]
        output.show_json({**job.model_dump(mode="json"), "artifacts": artifacts, "files": fetched})
    else:
        typer.echo(summary(job, view))
        _show_result(job, artifacts, files)
    if job.state != "succeeded":
        raise typer.Exit(JOB_FAILED)


def summary(job: "Job", view: "JobView") -> str:
    """How a job ended: state, seconds, model calls; and why, where it did not succeed."""
    took = output.span(job.created_at, job.finished_at)
    calls = f"; {view.calls} model calls, {call_text(view.input_tokens, view.output_tokens)}" if view.calls else ""
    tries = f"; {job.attempts} attempts" if job.attempts > 1 else ""
    lines = [f"job {job.id} {job.state} in {took}{calls.rstrip(', ')}{tries}"]
    if job.error is not None:
        place = f" (step {job.error.step})" if job.error.step else ""
        lines += [f"{job.error.code}: {job.error.message}{place}", f"all of it: `mutirao jobs show {job.id}`"]
    return output.printable("\n".join(lines))


def _show_result(job: "Job", artifacts: "list[Artifact]", files: list[Path]) -> None:
    if job.output is not None:
        text = output.as_text(job.output)
        more = f" … (`mutirao jobs show {job.id}` has all of it)" if len(text) > OUTPUT_CHARS else ""
        typer.echo("output: " + output.printable(text[:OUTPUT_CHARS]) + more)
    for path in files:
        typer.echo(f"wrote {output.printable(str(path))}")
    if artifacts and not files:
        names = ", ".join(artifact.name for artifact in artifacts)
        typer.echo(f"artifacts: {output.printable(names)}; fetch them with `mutirao jobs follow {job.id} --out DIR`")
