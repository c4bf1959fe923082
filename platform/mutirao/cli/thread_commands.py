"""`mutirao threads`: what the jobs of a conversation share."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.completion import thread_ids
from mutirao.cli.inputs import read_object
from mutirao.cli.options import Fields, Limit, WorkflowFilter, given, json_object
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.cli.tables import Table, show_done, show_record

if TYPE_CHECKING:
    from mutirao.client.records import Thread


class Status(StrEnum):
    """What a thread does."""

    IDLE = "idle"
    BUSY = "busy"
    INTERRUPTED = "interrupted"
    ERROR = "error"


class Leftover(StrEnum):
    """What becomes of a thread that nobody uses any more."""

    DELETE = "delete"
    KEEP_LATEST = "keep_latest"


ThreadId = Annotated[
    UUID, typer.Argument(metavar="ID", help="The thread's id, see `mutirao threads list`.", autocompletion=thread_ids)
]
Metadata = Annotated[str | None, typer.Option(metavar="JSON", help="An object; @FILE, or - for stdin.")]
TtlMinutes = Annotated[float | None, typer.Option(min=0, help="How long it lives after its last use.")]
TtlStrategy = Annotated[Leftover | None, typer.Option(help="What goes then: all of it, or all but its last state.")]
CheckpointId = Annotated[str | None, typer.Option("--checkpoint", metavar="ID", help="Default: the last one.")]

THREADS: "Table[Thread]" = Table(
    "threads",
    {
        "id": lambda row: str(row.id),
        "status": lambda row: row.status,
        "workflow": lambda row: row.workflow or "-",
        "next": lambda row: ",".join(row.next) or "-",
        "updated": lambda row: output.when(row.updated_at),
    },
    "no threads",
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    threads = typer.Typer(help="Threads: what the jobs of a conversation share.", no_args_is_help=True)
    threads.command("list")(list_threads)
    for command in (show, create, change, delete, copy, state, write, history, storage):
        threads.command()(command)
    app.add_typer(threads, name="threads")


def list_threads(
    status: Annotated[Status | None, typer.Option(help="Only of this status.")] = None,
    workflow: WorkflowFilter = None,
    assistant: Annotated[UUID | None, typer.Option(metavar="ID", help="Only of this assistant.")] = None,
    limit: Limit = 50,
    fields: Fields = None,
    as_json: Json = False,
) -> None:
    """List threads, newest first."""
    with connect() as client:
        THREADS.ask(client.threads, fields, as_json, limit, status=status, workflow=workflow, assistant_id=assistant)


def show(thread_id: ThreadId, as_json: Json = False) -> None:
    """Show one thread as its last job has left it."""
    with connect() as client:
        _show(client.thread(thread_id), as_json=as_json)


def _show(found: "Thread", *, as_json: bool) -> None:
    kept = found.ttl_minutes is not None
    facts = [
        ("thread", str(found.id)),
        ("status", found.status),
        ("workflow", found.workflow),
        ("metadata", output.as_text(found.metadata) if found.metadata else None),
        ("values", output.as_text(found.values) if found.values is not None else None),
        ("next", ", ".join(found.next) or None),
        ("error", output.as_text(found.error) if found.error is not None else None),
        ("lives", f"{found.ttl_minutes:g} minutes after its last use, then {found.ttl_strategy}" if kept else None),
        ("updated", output.when(found.updated_at)),
    ]
    show_record(found, facts, as_json=as_json)


def create(
    metadata: Metadata = None,
    thread_id: Annotated[UUID | None, typer.Option("--id", help="The id it gets.")] = None,
    ttl_minutes: TtlMinutes = None,
    ttl_strategy: TtlStrategy = None,
    as_json: Json = False,
) -> None:
    """Make a thread, to which jobs may be submitted."""
    strategy = cast(Literal["delete", "keep_latest"] | None, ttl_strategy)
    with connect() as client:
        found = client.create_thread(
            json_object(metadata, "--metadata"), thread_id=thread_id, ttl_minutes=ttl_minutes, ttl_strategy=strategy
        )
    _show(found, as_json=as_json)


def change(
    thread_id: ThreadId,
    metadata: Metadata = None,
    ttl_minutes: TtlMinutes = None,
    ttl_strategy: TtlStrategy = None,
    as_json: Json = False,
) -> None:
    """Merge metadata, and say how long the thread lives after its last use."""
    changes: Any = given(
        metadata=json_object(metadata, "--metadata"), ttl_minutes=ttl_minutes, ttl_strategy=ttl_strategy
    )
    if not changes:
        raise typer.BadParameter("name a change, for example --ttl-minutes 60")
    with connect() as client:
        _show(client.change_thread(thread_id, **changes), as_json=as_json)


def delete(thread_id: ThreadId, as_json: Json = False) -> None:
    """Delete a thread with its jobs and checkpoints; jobs that have not ended are cancelled before."""
    with connect() as client:
        client.delete_thread(thread_id)
    show_done({"deleted": str(thread_id)}, f"thread {thread_id} deleted", as_json=as_json)


def copy(thread_id: ThreadId, as_json: Json = False) -> None:
    """Make a thread with the same metadata, state and history, and without jobs."""
    with connect() as client:
        _show(client.copy_thread(thread_id), as_json=as_json)


def state(
    thread_id: ThreadId,
    checkpoint: CheckpointId = None,
    subgraphs: Annotated[bool, typer.Option("--subgraphs", help="With the states of sub-graphs.")] = False,
    as_json: Json = False,
) -> None:
    """Show the state as its graph sees it: values, next steps, tasks. A worker must serve its workflow."""
    with connect() as client:
        found = client.state(thread_id, checkpoint_id=checkpoint, subgraphs=subgraphs)
    facts = [(name, output.as_text(value)) for name, value in found.items() if value not in (None, [], {})]
    show_record(found, facts, as_json=as_json)


def write(
    thread_id: ThreadId,
    values: Annotated[str, typer.Argument(metavar="JSON", help="What changes, an object; @FILE, or - for stdin.")],
    as_node: Annotated[
        str | None, typer.Option(metavar="STEP", help="The step the changes are taken to come from.")
    ] = None,
    checkpoint: CheckpointId = None,
    as_json: Json = False,
) -> None:
    """Change the state, as if one of its steps had written it; not while a job of the thread is at work."""
    changes = read_object(values, "JSON")
    with connect() as client:
        found = client.change_state(thread_id, changes, as_node=as_node, checkpoint_id=checkpoint)
    show_done(found, f"thread {thread_id} changed; see `mutirao threads state {thread_id}`", as_json=as_json)


def history(
    thread_id: ThreadId,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 20,
    before: Annotated[str | None, typer.Option(metavar="ID", help="Only states before this checkpoint.")] = None,
    as_json: Json = False,
) -> None:
    """List the states of a thread, newest first. A worker must serve its workflow."""
    with connect() as client:
        found = client.history(thread_id, limit, before)
    HISTORY.show(found, as_json=as_json)


def storage(thread_id: ThreadId, as_json: Json = False) -> None:
    """Show what a thread takes in the database."""
    with connect() as client:
        found = client.storage(thread_id)
    parts = {"checkpoints": found.checkpoints, "blobs": found.blobs, "writes": found.writes, "events": found.events}
    facts = [(name, f"{use.count:,} ({output.size(use.bytes)})") for name, use in parts.items()]
    show_record(found, [("jobs", str(found.jobs)), *facts, ("all", output.size(found.bytes))], as_json=as_json)


_VALUES_CHARS = 80
HISTORY: "Table[dict[str, Any]]" = Table(
    "states",
    {
        "checkpoint": lambda row: str((row.get("checkpoint") or {}).get("checkpoint_id", "-")),
        "next": lambda row: ",".join(row.get("next") or ()) or "-",
        "written": lambda row: str(row.get("created_at") or "-"),
        "values": lambda row: output.one_line(output.as_text(row.get("values")), _VALUES_CHARS),
    },
    "no states",
)
