"""`mutirao approvals`: what graphs ask people, and the decisions."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.errors import InvalidInput

if TYPE_CHECKING:
    from mutirao.client.records import Approval

_REQUEST_CHARS = 60

ApprovalId = Annotated[UUID, typer.Argument(metavar="ID", help="The approval's id, see `mutirao approvals list`.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    approvals = typer.Typer(help="Approvals: what graphs ask people. List, show, decide.", no_args_is_help=True)
    approvals.command("list")(list_approvals)
    approvals.command("show")(show)
    approvals.command("decide")(decide)
    app.add_typer(approvals, name="approvals")


def list_approvals(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50, as_json: Json = False
) -> None:
    """List the approvals that wait for a decision, newest first."""
    with connect() as client:
        found = client.approvals(limit)
    show_approvals(found, as_json=as_json)


def show_approvals(found: "Sequence[Approval]", *, as_json: bool) -> None:
    """Print approvals, one a line."""
    if as_json:
        output.show_json({"approvals": found})
        return
    rows = [
        (
            str(row.id),
            row.state,
            row.workflow,
            row.step or "-",
            output.when(row.created_at),
            output.one_line(output.as_text(row.request), _REQUEST_CHARS),
        )
        for row in found
    ]
    headers = ("id", "state", "workflow", "step", "asked", "request")
    typer.echo(output.table(headers, rows) if rows else "no approvals")


def show(approval_id: ApprovalId, as_json: Json = False) -> None:
    """Show one approval: what is asked, by which job, and the decision where there is one."""
    with connect() as client:
        found = client.approval(approval_id)
    if as_json:
        output.show_json(found)
        return
    lines = [
        f"approval  {found.id}",
        f"state     {found.state}",
        f"job       {found.job_id} ({found.workflow}, step {found.step or '-'})",
        f"asked     {output.when(found.created_at)}",
        f"request   {output.as_text(found.request)}",
    ]
    if found.expires_at is not None:
        lines.append(f"expires   {output.when(found.expires_at)}")
    if found.decided_at is not None:
        lines.append(f"decision  {output.as_text(found.decision)} by {found.decided_by or '-'}")
    if found.comment:
        lines.append(f"comment   {found.comment}")
    if found.state == "pending":
        lines.append(how_to_decide(found.id))
    typer.echo(output.printable("\n".join(lines)))


def how_to_decide(approval_id: UUID) -> str:
    """What to type."""
    return f"decide with `mutirao approvals decide {approval_id} --approve` (or --reject, or --decision JSON)"


def decide(
    approval_id: ApprovalId,
    decision: Annotated[
        str | None, typer.Option(metavar="JSON", help="What the graph gets as the answer; any JSON.")
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="The same as --decision true.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="The same as --decision false.")] = False,
    comment: Annotated[str | None, typer.Option(help="For people; kept with the decision.")] = None,
    as_json: Json = False,
) -> None:
    """Decide an approval; its job goes on. The first decision counts: a later one is refused."""
    if (decision is not None) + approve + reject != 1:
        raise typer.BadParameter("give one of --decision, --approve and --reject")
    value = approve if decision is None else _read(decision)
    with connect() as client:
        found = client.decide(approval_id, value, comment)
    if as_json:
        output.show_json(found)
    else:
        typer.echo(f"approval {found.id} decided; follow its job with `mutirao jobs follow {found.job_id}`")


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"--decision is not JSON: {error}; a text needs quotes: --decision '\"yes\"'") from None
