"""`mutirao assistants`: workflows with a configuration, under a name."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.options import Fields, Limit, WorkflowFilter, WorkflowName, given, json_object, shared
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.cli.tables import Table, show_done, show_record

if TYPE_CHECKING:
    from mutirao.client.records import Assistant

AssistantId = Annotated[UUID, typer.Argument(metavar="ID", help="The assistant's id, see `mutirao assistants list`.")]

ASSISTANTS: "Table[Assistant]" = Table(
    "assistants",
    {
        "id": lambda row: str(row.id),
        "name": lambda row: row.name,
        "workflow": lambda row: row.workflow,
        "version": lambda row: str(row.version),
        "description": lambda row: output.one_line(row.description or "", 60),
    },
    "no assistants",
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    assistants = typer.Typer(help="Assistants: workflows with a configuration, under a name.", no_args_is_help=True)
    assistants.command("list")(list_assistants)
    for command in (show, create, change, delete, versions, use):
        assistants.command()(command)
    app.add_typer(assistants, name="assistants")


def fields_of(
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    config: Annotated[str | None, typer.Option(metavar="JSON", help="Its configuration; @FILE, or -.")] = None,
    context: Annotated[str | None, typer.Option(metavar="JSON", help="Its run-time context; @FILE, or -.")] = None,
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="An object; @FILE, or -.")] = None,
) -> dict[str, Any]:
    """What an assistant has beside name and workflow."""
    return given(
        description=description, config=json_object(config, "--config"), context=json_object(context, "--context"),
        metadata=json_object(metadata, "--metadata"),
    )  # fmt: skip


def list_assistants(
    workflow: WorkflowFilter = None,
    name: Annotated[str | None, typer.Option(help="Only those with this in their name.")] = None,
    limit: Limit = 50,
    fields: Fields = None,
    as_json: Json = False,
) -> None:
    """List assistants, newest first."""
    with connect() as client:
        ASSISTANTS.ask(client.assistants, fields, as_json, limit, workflow=workflow, name=name)


def show(assistant_id: AssistantId, as_json: Json = False) -> None:
    """Show one assistant in the version that counts now."""
    with connect() as client:
        _show(client.assistant(assistant_id), as_json=as_json)


def _show(found: "Assistant", *, as_json: bool) -> None:
    objects = {"config": found.config, "context": found.context, "metadata": found.metadata}
    facts = [
        ("assistant", str(found.id)),
        ("name", found.name),
        ("about", found.description),
        ("workflow", found.workflow),
        ("version", str(found.version)),
        *((name, output.as_text(value) if value else None) for name, value in objects.items()),
        ("changed", output.when(found.updated_at or found.created_at)),
    ]
    show_record(found, facts, as_json=as_json)


@shared(fields=fields_of)
def create(
    workflow: WorkflowName,
    fields: dict[str, Any],
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    assistant_id: Annotated[UUID | None, typer.Option("--id", help="The id it gets.")] = None,
    as_json: Json = False,
) -> None:
    """Make an assistant of a workflow."""
    with connect() as client:
        _show(client.create_assistant(workflow, name, **fields, **given(id=assistant_id)), as_json=as_json)


@shared(fields=fields_of)
def change(
    assistant_id: AssistantId,
    fields: dict[str, Any],
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    workflow: Annotated[str | None, typer.Option(help="The workflow it is of.")] = None,
    as_json: Json = False,
) -> None:
    """Make a new version of an assistant, which counts from now on; what is not named stays as it is."""
    changes: Any = fields | given(name=name, workflow=workflow)
    if not changes:
        raise typer.BadParameter("name a change, for example --name 'for the press'")
    with connect() as client:
        read = client.assistant(assistant_id)
        _show(client.change_assistant(assistant_id, version=read.version, **changes), as_json=as_json)


def delete(assistant_id: AssistantId, as_json: Json = False) -> None:
    """Delete an assistant and all its versions; its jobs stay."""
    with connect() as client:
        client.delete_assistant(assistant_id)
    show_done({"deleted": str(assistant_id)}, f"assistant {assistant_id} deleted", as_json=as_json)


def versions(
    assistant_id: AssistantId,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List the versions of an assistant, newest first."""
    with connect() as client:
        found = client.assistant_versions(assistant_id, limit)
    ASSISTANTS.show(found, as_json=as_json)


def use(
    assistant_id: AssistantId,
    version: Annotated[int, typer.Argument(min=1, help="See `mutirao assistants versions`.")],
    as_json: Json = False,
) -> None:
    """Let this version be the one that counts."""
    with connect() as client:
        _show(client.set_latest(assistant_id, version), as_json=as_json)
