"""`mutirao workflows`, `mutirao workers` and `mutirao queues`: what can be run, who runs it, and what waits."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from mutirao.cli import check_command, output
from mutirao.cli.graph_text import draw
from mutirao.cli.inputs import resolved, variants
from mutirao.cli.options import WorkflowName
from mutirao.cli.output import Json
from mutirao.cli.session import connect

if TYPE_CHECKING:
    from mutirao.client.records import Worker, Workflow

_LINE = 72
_HELP = "The workflows: list them, show one by its NAME."
_JSON = "mutirao.workflows.json"


class Workflows(TyperGroup):
    """`workflows NAME` is `workflows show NAME`, for every name that is no command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command, its name, and what is left for it."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        cls=Workflows, invoke_without_command=True, subcommand_metavar="[NAME | COMMAND] [ARGS]...", help=_HELP
    )
    group.callback()(workflows)
    group.command("show")(show)
    group.command("versions")(versions)
    group.command("check")(check_command.check)
    app.add_typer(group, name="workflows")
    app.command()(workers)
    app.command()(queues)


def workflows(context: typer.Context, as_json: Json = False) -> None:
    """List the workflows, or show one."""
    if context.invoked_subcommand is not None:
        context.meta[_JSON] = as_json
        return
    with connect() as client:
        entries = client.workflows()
    if as_json:
        output.show_json({"workflows": entries})
        return
    rows = [
        (entry.name, entry.version, entry.queue, str(entry.workers), output.one_line(_first(entry.description), _LINE))
        for entry in entries
    ]
    none = "no workflows yet: is a worker running? see `mutirao workers`"
    typer.echo(output.table(("name", "version", "queue", "workers", "description"), rows) if rows else none)


def show(
    context: typer.Context,
    name: WorkflowName,
    version: Annotated[str | None, typer.Option(help="Default: the one a new job gets.")] = None,
    as_json: Json = False,
) -> None:
    """Show one: its fields, its graph."""
    with connect() as client:
        found = client.workflow(name, version)
    if as_json or context.meta.get(_JSON):
        output.show_json(found)
    else:
        typer.echo(output.printable("\n".join(_described(found))))


def versions(name: WorkflowName, as_json: Json = False) -> None:
    """List the versions of a workflow, who serves them, and the unfinished jobs of each."""
    with connect() as client:
        found = client.versions(name)
    if as_json:
        output.show_json({"versions": found})
        return
    rows = [(row.version, output.when(row.created_at), str(row.workers), _counts(row.unfinished)) for row in found]
    typer.echo(output.table(("version", "first seen", "workers", "unfinished jobs"), rows))


def _counts(unfinished: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(unfinished.items())) or "-"


def _first(text: str) -> str:
    return text.strip().partition("\n")[0]


def _described(entry: "Workflow") -> Iterator[str]:
    yield f"{entry.name}  version {entry.version}, queue {entry.queue}, {entry.kind}, {entry.workers} live worker(s)"
    if entry.description:
        yield from ("", entry.description.strip())
    for title, schema in (("input", entry.input_schema), ("output", entry.output_schema)):
        rows = fields_of(schema)
        yield from ("", f"{title}:", *(f"  {line}" for line in rows or ["(no fields)"]))
    yield from ("", "graph:", *(f"  {line}" for line in draw(entry.graph)))


def fields_of(schema: dict[str, Any]) -> list[str]:
    """The fields of an object schema, one a line: name, type, whether it is required, what it is."""
    top = resolved(schema, schema)
    required = top.get("required", ())
    rows = [
        (name, kind_of(field, schema), _presence(field, name in required), str(field.get("description", "")))
        for name, field in top.get("properties", {}).items()
        if isinstance(field, dict)
    ]
    return output.table(("", "", "", ""), rows).splitlines()[1:] if rows else []


def _presence(field: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    return f"default {output.as_text(field['default'])}" if field.get("default") is not None else ""


def kind_of(field: dict[str, Any], root: dict[str, Any]) -> str:
    """The type of a field in a few characters: `string`, `list of string`, `a | b`."""
    return " | ".join(dict.fromkeys(_kind(variant, root) for variant in variants(field, root)))


def _kind(variant: Any, root: dict[str, Any]) -> str:
    if "enum" in variant or "const" in variant:
        return " | ".join(output.as_text(value) for value in variant.get("enum", [variant.get("const")]))
    if variant.get("type") == "array":
        return f"list of {kind_of(variant.get('items', {}), root)}"
    return str(variant.get("format") or variant.get("type") or "anything")


def workers(as_json: Json = False) -> None:
    """List the live workers, what they run and what they could not load."""
    with connect() as client:
        live = client.workers()
    if as_json:
        output.show_json({"workers": live})
        return
    rows = [
        (worker.name, worker.host, str(worker.pid), worker.kind, ",".join(worker.queues), _load(worker))
        for worker in live
    ]
    typer.echo(
        output.table(("name", "host", "pid", "kind", "queues", "running"), rows)
        if rows
        else "no live workers: jobs are accepted and wait; `mutirao up` starts one"
    )
    for worker in live:
        for error in worker.load_errors:
            what = "does not honour" if error.get("level") == "warning" else "could not load"
            typer.echo(output.printable(f"{worker.name} {what} {error.get('source')}: {error.get('message')}"))


def _load(worker: "Worker") -> str:
    return f"{worker.running}/{worker.slots}"


def queues(as_json: Json = False) -> None:
    """List the queues: what waits and runs in each, who serves it, and which nobody does."""
    with connect() as client:
        found = client.system()
    if as_json:
        output.show_json(found)
        return
    rows = [
        (
            one.name,
            str(one.queued),
            str(one.running),
            str(one.workers),
            str(one.slots),
            output.when(one.oldest_queued_at),
        )
        for one in found.queues
    ]
    headers = ("queue", "queued", "running", "workers", "slots", "waits since")
    typer.echo(output.table(headers, rows) if rows else "no queues: no worker lives, and nothing waits")
    for starved in found.starved:
        names = ", ".join(starved.workflows)
        typer.echo(output.printable(f"no worker serves queue {starved.queue}: {starved.queued} jobs wait ({names})"))
    health = "answers" if found.model.healthy else f"does not answer: {found.model.detail or 'no detail'}"
    typer.echo(output.printable(f"model {found.model.name} {health}"))
