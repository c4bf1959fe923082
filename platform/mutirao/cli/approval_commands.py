"""`mutirao approvals`: what graphs ask people, and the decisions."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.completion import approval_ids
from mutirao.cli.failures import REFUSED
from mutirao.cli.inputs import read_any
from mutirao.cli.options import Fields, Limit, WorkflowFilter, given, local, shared
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.cli.tables import Table, show_record

if TYPE_CHECKING:
    from mutirao.client.records import Approval, DecisionResults

_REQUEST_CHARS = 60


class State(StrEnum):
    """How far an approval is."""

    PENDING = "pending"
    DECIDED = "decided"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


ApprovalId = Annotated[
    UUID,
    typer.Argument(metavar="ID", help="The approval's id, see `mutirao approvals list`.", autocompletion=approval_ids),
]
APPROVALS: "Table[Approval]" = Table(
    "approvals",
    {
        "id": lambda row: str(row.id),
        "state": lambda row: row.state,
        "workflow": lambda row: row.workflow,
        "step": lambda row: row.step or "-",
        "assignee": lambda row: row.assignee or "-",
        "asked": lambda row: output.when(row.created_at),
        "request": lambda row: output.one_line(output.as_text(row.request), _REQUEST_CHARS),
    },
    "no approvals",
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    approvals = typer.Typer(help="Approvals: what graphs ask people. List, show, decide.", no_args_is_help=True)
    approvals.command("list")(list_approvals)
    for command in (show, decide, assign):
        approvals.command()(command)
    app.add_typer(approvals, name="approvals")


def list_approvals(
    state: Annotated[list[State] | None, typer.Option(help="Of this state; may be repeated. Default: pending.")] = None,
    assignee: Annotated[str | None, typer.Option(metavar="WHO", help="Only those of this person.")] = None,
    unassigned: Annotated[bool, typer.Option("--unassigned", help="Only those of nobody.")] = False,
    workflow: WorkflowFilter = None,
    job: Annotated[UUID | None, typer.Option(metavar="ID", help="Only of this job.")] = None,
    thread: Annotated[UUID | None, typer.Option(metavar="ID", help="Only of this thread.")] = None,
    sort: Annotated[str | None, typer.Option(help="-created, created or expires.")] = None,
    limit: Limit = 50,
    fields: Fields = None,
    as_json: Json = False,
) -> None:
    """List the approvals that wait for a decision, newest first."""
    filters = given(
        assignee=assignee, unassigned=unassigned or None, workflow=workflow, job_id=job, thread_id=thread, sort=sort
    )
    with connect() as client:
        APPROVALS.ask(client.approvals, fields, as_json, limit, states=state or [State.PENDING], **filters)


def show_approvals(found: "Sequence[Approval]", *, as_json: bool) -> None:
    """Print approvals, one a line."""
    APPROVALS.show(found, as_json=as_json)


def show(approval_id: ApprovalId, as_json: Json = False) -> None:
    """Show one approval: what is asked, by which job, and the decision where there is one."""
    with connect() as client:
        _show(client.approval(approval_id), as_json=as_json)


def _show(found: "Approval", *, as_json: bool) -> None:
    decided = f"{output.as_text(found.decision)} by {found.decided_by or '-'}"
    facts = [
        ("approval", str(found.id)),
        ("state", found.state),
        ("job", f"{found.job_id} ({found.workflow}, step {found.step or '-'})"),
        ("asked", output.when(found.created_at)),
        ("request", output.as_text(found.request)),
        ("allowed", ", ".join(found.allowed) or None),
        ("assignee", found.assignee),
        ("expires", f"{output.when(found.expires_at)} ({found.on_expiry})" if found.expires_at else None),
        ("decision", decided if found.decided_at else None),
        ("comment", found.comment or None),
        ("next", how_to_decide(found.id) if found.state == State.PENDING else None),
    ]
    show_record(found, facts, as_json=as_json)


def how_to_decide(approval_id: UUID) -> str:
    """What to type."""
    return f"decide with `mutirao approvals decide {approval_id} --approve` (or --reject, --edit JSON, --answer JSON)"


def verdict(
    approve: Annotated[bool, typer.Option("--approve", help="As proposed.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Not at all; --message says why.")] = False,
    message: Annotated[str | None, typer.Option(help="Why it is rejected, for the graph.")] = None,
    edit: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="With these arguments in place of the proposed ones; @FILE, or -."),
    ] = None,
    answer: Annotated[str | None, typer.Option(metavar="JSON", help="An answer to a question; any JSON.")] = None,
    decision: Annotated[
        str | None, typer.Option(metavar="JSON", help="What the graph gets, as it is; any JSON.")
    ] = None,
) -> dict[str, Any]:
    """A decision, as the client takes it."""
    if approve + reject + sum(text is not None for text in (edit, answer, decision)) != 1:
        raise typer.BadParameter("give one of --approve, --reject, --edit, --answer and --decision")
    if message is not None and not reject:
        raise typer.BadParameter("--message belongs to --reject; for people there is --comment")
    if edit is not None:
        return {"type": "edit", "args": read_any(edit, "--edit")}
    if answer is not None:
        return {"type": "answer", "answer": read_any(answer, "--answer")}
    if decision is not None:
        return {"decision": read_any(decision, "--decision")}
    return {"type": "approve"} if approve else {"type": "reject", **given(message=message)}


@shared(decided=verdict)
def decide(
    ids: Annotated[
        list[UUID],
        typer.Argument(metavar="ID...", help="Ids, see `mutirao approvals list`.", autocompletion=approval_ids),
    ],
    decided: dict[str, Any],
    comment: Annotated[str | None, typer.Option(help="For people; kept with the decision.")] = None,
    as_json: Json = False,
) -> None:
    """Decide approvals; their jobs go on. The first decision counts: a later one is refused."""
    with connect() as client:
        if len(ids) > 1:
            _show_results(client.settle_many(ids, comment=comment, **decided), as_json=as_json)
            return
        found = client.settle(ids[0], comment=comment, **decided)
    if as_json:
        output.show_json(found)
    else:
        typer.echo(f"approval {found.id} decided; follow its job with `mutirao jobs follow {found.job_id}`")


def _show_results(found: "DecisionResults", *, as_json: bool) -> None:
    if as_json:
        output.show_json(found)
    else:
        for row in found.results:
            said = f"{row.error.code}: {row.error.message}" if row.error else "decided"
            typer.echo(output.printable(f"approval {row.id}: {said}"))
    if any(row.error for row in found.results):
        raise typer.Exit(REFUSED)


def assign(
    approval_id: ApprovalId,
    assignee: Annotated[str | None, typer.Argument(metavar="[WHO]", help="The person who is to decide.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Take it from whoever has it.")] = False,
    expires: Annotated[datetime | None, typer.Option(help="The time to decide by, in local time.")] = None,
    as_json: Json = False,
) -> None:
    """Say who is to decide, and by when."""
    if assignee is not None and nobody:
        raise typer.BadParameter("give a person or --nobody, not both")
    if assignee is None and not nobody and expires is None:
        raise typer.BadParameter("name a person, or --nobody, or --expires")
    changes = given(assignee=assignee, expires_at=local(expires)) | ({"assignee": None} if nobody else {})
    with connect() as client:
        read = client.approval(approval_id)
        _show(client.change_approval(approval_id, revision=read.revision, **changes), as_json=as_json)
