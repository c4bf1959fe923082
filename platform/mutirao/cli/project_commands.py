"""`mutirao project`: limits of the project whose key is used, and what it has spent; `mutirao projects`: all of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mutirao.cli import output
from mutirao.cli.options import Fields, Limit, given
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.cli.tables import Table

if TYPE_CHECKING:
    from mutirao.client.records import ListedProject, Project


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    project = typer.Typer(help="The project of this key: show, set its limits.", no_args_is_help=True)
    project.command("show")(show)
    project.command("set")(change)
    app.add_typer(project, name="project")
    projects = typer.Typer(help="All projects: list, create.", no_args_is_help=True)
    projects.command("list")(list_projects)
    projects.command("create")(create)
    app.add_typer(projects, name="projects")


def show(as_json: Json = False) -> None:
    """Show limits, what runs and waits, and what was spent this month."""
    with connect() as client:
        _show(client.project(), as_json=as_json)


def change(
    max_running: Annotated[int | None, typer.Option(min=0, help="Most jobs that run at once.")] = None,
    no_max_running: Annotated[bool, typer.Option("--no-max-running", help="No such limit.")] = False,
    budget_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens a month.")] = None,
    budget_cost: Annotated[float | None, typer.Option(help="Most money a month.")] = None,
    budget_model_calls: Annotated[int | None, typer.Option(min=1, help="Most calls of models a month.")] = None,
    no_budget: Annotated[bool, typer.Option("--no-budget", help="No budget at all.")] = False,
    as_json: Json = False,
) -> None:
    """Set limits; those that are not named stay as they are."""
    budget = given(tokens=budget_tokens, cost=budget_cost, model_calls=budget_model_calls)
    if (max_running is not None and no_max_running) or (budget and no_budget):
        raise typer.BadParameter("a limit cannot be both set and taken away")
    if not (max_running is not None or no_max_running or budget or no_budget):
        raise typer.BadParameter("name a limit, for example --max-running 10")
    with connect() as client:
        read = client.project()
        changes: dict[str, Any] = {}
        if max_running is not None or no_max_running:
            changes["max_running"] = max_running
        if no_budget:
            changes["budget"] = None
        elif budget:
            now = read.budget
            changes["budget"] = (now.model_dump(exclude_none=True) if now else {}) | budget
        _show(client.change_project(revision=read.revision, **changes), as_json=as_json)


def _show(project: "Project", *, as_json: bool) -> None:
    if as_json:
        output.show_json(project)
    else:
        typer.echo(output.printable("\n".join(_described(project))))


def _described(project: "Project") -> Iterator[str]:
    usage, budget = project.usage, project.budget
    yield f"project      {project.name}"
    most = "" if project.max_running is None else f" of at most {project.max_running}"
    yield f"jobs         {project.running}{most} running, {project.queued} queued"
    for name, spent, limit in (
        ("tokens", f"{usage.tokens:,}", budget and budget.tokens),
        ("cost", f"{usage.cost:g}", budget and budget.cost),
        ("model calls", f"{usage.model_calls:,}", budget and budget.model_calls),
    ):
        yield f"{name:<12} {spent}{f' of {limit:,}' if limit else ''} in {usage.month}"


PROJECTS: "Table[ListedProject]" = Table(
    "projects",
    {
        "id": lambda row: str(row.id),
        "name": lambda row: row.name,
        "running": lambda row: str(row.running),
        "queued": lambda row: str(row.queued),
        "made": lambda row: output.when(row.created_at),
    },
    "no projects",
)


def list_projects(limit: Limit = 50, fields: Fields = None, as_json: Json = False) -> None:
    """List all projects, newest first."""
    with connect() as client:
        PROJECTS.ask(client.projects, fields, as_json, limit)


def create(name: Annotated[str, typer.Argument(help="Unique on this server.")], as_json: Json = False) -> None:
    """Make a project and print its first key on stdout; it is shown this once."""
    with connect() as client:
        found = client.create_project(name)
    if as_json:
        output.show_json(found)
        return
    output.say(f"project {found.id} ({found.name}); its first key is shown this once:")
    typer.echo(found.key)
