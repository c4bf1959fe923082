"""`mutirao demo`: the whole product on the sample documents, in one command."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mutirao.cli import output
from mutirao.cli.failures import INTERRUPTED, JOB_FAILED
from mutirao.cli.following import summary, watch
from mutirao.cli.knowledge_commands import wait_for_documents
from mutirao.cli.output import Json
from mutirao.errors import AlreadyRunning, StepFailed

if TYPE_CHECKING:
    from mutirao.client import Client
    from mutirao.jobs.records import Job
    from mutirao.settings import Settings

ARTIFACTS = ("report.md", "report.docx", "citations.json", "quality.json")
FIRST_LINES = 25
DEFAULT_OUT = Path("demo-output")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(demo)


@dataclass
class Phases:
    """What the demo does, one after another, and the seconds each took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str, what: str) -> Iterator[None]:
        """Says what begins; measures it."""
        output.say(f"== {what}")
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - began, 1)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the report is written.")] = DEFAULT_OUT,
    as_json: Json = False,
) -> None:
    """Start the stack, write a cited report from the sample documents, show it, stop what was started.

    A stack that runs already on the data folder is used, and left running.
    """
    from mutirao.settings import load_settings

    settings = load_settings()
    phases = Phases()
    began = time.monotonic()
    with _as_interrupts(signal.SIGTERM, signal.SIGHUP), _stack(settings, phases, keep=keep):
        job, paths = _write_report(settings, phases, out, as_json=as_json)
    phases.seconds["in all"] = round(time.monotonic() - began, 1)
    if as_json:
        output.show_json({"job": job, "files": [str(path) for path in paths.values()], "seconds": phases.seconds})
    elif job.state == "succeeded":
        _show_report(paths)
    output.say("seconds: " + ", ".join(f"{name} {value}" for name, value in phases.seconds.items()))
    if job.state != "succeeded":
        raise typer.Exit(JOB_FAILED)


@contextmanager
def _as_interrupts(*numbers: signal.Signals) -> Iterator[None]:
    """Inside the block these signals are as Ctrl-C: what was started is stopped."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _stack(settings: "Settings", phases: Phases, *, keep: bool) -> Iterator[None]:
    """A stack on the data folder: the one that runs there, else one of our own that is stopped at the end."""
    from mutirao.stack import background
    from mutirao.stack.foreground import Options

    if background.overview(settings).run is not None:
        output.say("using the stack that runs already; it is left running")
        yield
        return
    ours = True
    try:
        with phases.phase("start", "start the stack"):
            background.start(settings, Options(), output.say)
        yield
    except KeyboardInterrupt:
        output.say("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except AlreadyRunning:
        ours = False  # another one was quicker
        raise
    finally:
        if ours and keep:
            output.say("the stack is left running; end it with `mutirao down`")
        elif ours:
            with phases.phase("stop", "stop the stack"):
                background.stop(settings)


def _write_report(settings: "Settings", phases: Phases, out: Path, *, as_json: bool) -> "tuple[Job, dict[str, Path]]":
    """The report's job, ended, and where its artifacts were written, by their names."""
    from mutirao import dashboard, samples
    from mutirao.client import Client, find_address

    address = find_address(settings)
    with Client(address.url, address.key) as client:
        with phases.phase("documents", "take in the sample documents"):
            _add_samples(client, samples.sample_documents(), samples.DEMO_COLLECTION)
        with phases.phase("report", f"write the report: {samples.DEMO_TOPIC}"):
            job = client.submit(
                samples.DEMO_WORKFLOW, {"topic": samples.DEMO_TOPIC, "collections": [samples.DEMO_COLLECTION]}
            )
            if dashboard.folder(settings.api.dashboard_dir) is not None:
                output.say(f"to be seen at {address.url}{dashboard.PATH}/jobs/{job.id}, signed in by `mutirao open`")
            job, view = watch(client, job.id, as_json=as_json)
        output.say(summary(job, view))
        with phases.phase("files", "fetch the files"):
            found = {artifact.name: artifact for artifact in client.artifacts(job.id)}
            return job, {name: client.download(found[name], out) for name in ARTIFACTS if name in found}


def _add_samples(client: "Client", documents: list[Path], collection: str) -> None:
    added = [client.add_document(collection, path) for path in documents]
    found = wait_for_documents(client, added)
    failed = [document.name for document in found if document.state == "failed"]
    if failed:
        raise StepFailed(f"sample documents could not be taken in: {', '.join(failed)}; see `mutirao jobs list`")


def _show_report(paths: dict[str, Path]) -> None:
    typer.echo()
    report = paths["report.md"].read_text(encoding="utf-8").splitlines()
    typer.echo(output.printable("\n".join(report[:FIRST_LINES])))
    if len(report) > FIRST_LINES:
        typer.echo(f"… {len(report) - FIRST_LINES} more lines")
    typer.echo()
    for path in paths.values():
        typer.echo(f"{path}  ({output.size(path.stat().st_size)})")
    quality = json.loads(paths["quality.json"].read_text(encoding="utf-8"))
    typer.echo(_sentences(quality))


def _sentences(quality: dict[str, Any]) -> str:
    """The counts of the quality report in a line."""
    of = quality.get
    return (
        f"{of('sentences')} sentences, {of('sentences_cited')} of them cited: {of('sentences_by_model')} by the model, "
        f"{of('sentences_quoted')} quoted; the model wrote {of('model_wrote')}: {of('model_kept')} kept, "
        f"{of('model_replaced')} replaced by quotes, {of('model_dropped')} dropped"
    )
