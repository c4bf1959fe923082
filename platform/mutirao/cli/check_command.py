"""`mutirao workflows check`: which unfinished jobs the workflows of this folder would leave behind or break."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import typer

from mutirao.cli import output
from mutirao.cli.failures import JOB_FAILED
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.errors import InvalidInput
from mutirao.jobs.states import JobState

if TYPE_CHECKING:
    from mutirao.client import Client
    from mutirao.jobs.records import Event, Job

LOAD_SECONDS = 120
_BEGUN = (JobState.WAITING, JobState.PAUSED, JobState.STRANDED, JobState.QUEUED, JobState.RUNNING)


class WorkflowsInvalid(InvalidInput):
    """Raised when the workflows of this folder cannot be loaded at all."""

    code = "workflows_invalid"


@dataclass(frozen=True)
class Touched:
    """An unfinished job that the new version of its workflow is not the version of, or has no steps for."""

    id: str
    workflow: str
    state: str
    version: str
    new_version: str
    next_steps: list[str]
    missing_steps: list[str]

    @property
    def verdict(self) -> str:
        """What becomes of it, for people."""
        if self.missing_steps:
            return f"breaks: no step {', '.join(map(repr, self.missing_steps))} any more"
        return f"waits for a worker with version {self.version}; or `mutirao jobs retry {self.id} --current-version`"


def check(as_json: Json = False) -> None:
    """Look, before a deployment, which unfinished jobs the workflows of this folder would leave behind.

    A job that has begun keeps its version: it goes on when a worker serves that, or with the new one by `jobs retry
    --current-version`. Exit code 1 when the next step of such a job is not in the new graph: it could not go on.
    """
    here = _load()
    with connect() as client:
        touched = [found for workflow in here["workflows"] for found in _touched(client, workflow)]
    breaks = [found for found in touched if found.missing_steps]
    if as_json:
        versions = [{"name": entry["name"], "version": entry["version"]} for entry in here["workflows"]]
        jobs = [asdict(found) for found in touched]
        output.show_json({"workflows": versions, "jobs": jobs, "breaks": len(breaks), "errors": here["errors"]})
    else:
        _show(here, touched)
    if breaks:
        raise typer.Exit(JOB_FAILED)


def _load() -> dict[str, Any]:
    """The document of `python -m mutirao_agents.check`. Raises WorkflowsInvalid."""
    argv = [sys.executable, "-m", "mutirao_agents.check"]
    try:
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=LOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise WorkflowsInvalid(f"the workflows of this folder were not loaded within {LOAD_SECONDS} s") from None
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise WorkflowsInvalid(f"loading the workflows of this folder ended with code {ran.returncode}: {last}")
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def _touched(client: "Client", workflow: dict[str, Any]) -> Iterator[Touched]:
    for job in client.jobs(workflow=workflow["name"], states=_BEGUN, limit=None):
        if not job.attempts:
            continue
        steps = open_steps(client.journal(job.id))
        missing = [step for step in steps if not exists(step, workflow["steps"])]
        if missing or job.version != workflow["version"]:
            yield _described(job, workflow["version"], steps, missing)


def _described(job: "Job", new_version: str, steps: list[str], missing: list[str]) -> Touched:
    return Touched(str(job.id), job.workflow, str(job.state), job.version, new_version, steps, missing)


def open_steps(events: "Iterable[Event]") -> list[str]:
    """The steps that have begun and not finished, by a job's journal: where it goes on."""
    begun: dict[str, tuple[str, int]] = {}
    for event in events:
        task, step = str(event.data.get("id")), event.step or "?"
        if event.type == "step.started":
            begun[task] = (step, event.attempt)
        elif event.type == "step.finished":
            # An attempt that was lost may have begun the same step under another id.
            begun = {
                other: place
                for other, place in begun.items()
                if other != task and not (place[0] == step and place[1] < event.attempt)
            }
    return list(dict.fromkeys(step for step, _ in begun.values()))


def exists(step: str, steps: list[str]) -> bool:
    """Whether a graph has a step; what is below one that shows no steps of its own is not known and taken to be there."""
    outer, _, _ = step.rpartition("/")
    if step in steps:
        return True
    if not outer or not exists(outer, steps):
        return False
    return not any(known.startswith(f"{outer}/") for known in steps)


def _show(here: dict[str, Any], touched: list[Touched]) -> None:
    for error in here["errors"]:
        output.say(f"could not load {error['source']}: {error['message']}")
    rows = [
        (found.id, found.workflow, found.state, f"{found.version} -> {found.new_version}", ", ".join(found.next_steps) or "-",
         found.verdict)
        for found in touched
    ]  # fmt: skip
    headers = ("job", "workflow", "state", "version", "next", "what becomes of it")
    counted = f"{len(here['workflows'])} workflows of this folder"
    typer.echo(output.table(headers, rows) if rows else f"{counted}: no unfinished job is touched")
