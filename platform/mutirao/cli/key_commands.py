"""`mutirao keys` and `mutirao audit`: who may do what, and who did."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.options import Fields, Limit, local
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.cli.tables import Table, show_done, show_record

if TYPE_CHECKING:
    from mutirao.client.records import AuditEntry, Key, MadeKey


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    SUBMIT = "submit"
    APPROVE = "approve"
    ADMIN = "admin"


KeyId = Annotated[UUID, typer.Argument(metavar="ID", help="The key's id, see `mutirao keys list`.")]


def _until(key: "Key") -> str:
    if key.revoked_at:
        return f"revoked {output.when(key.revoked_at)}"
    return output.when(key.expires_at)


KEYS: "Table[Key]" = Table(
    "keys",
    {
        "id": lambda row: str(row.id),
        "prefix": lambda row: row.prefix,
        "name": lambda row: row.name,
        "scopes": lambda row: ",".join(row.scopes),
        "last used": lambda row: output.when(row.last_used_at),
        "good until": _until,
    },
    "no keys",
)
AUDIT: "Table[AuditEntry]" = Table(
    "entries",
    {
        "when": lambda row: output.when(row.created_at),
        "who": lambda row: row.actor,
        "what": lambda row: row.action,
        "on": lambda row: row.resource_id or "-",
        "data": lambda row: output.one_line(output.as_text(row.data), 60) if row.data else "",
    },
    "nothing in the audit log",
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    keys = typer.Typer(help="Keys: list, create, revoke, rotate.", no_args_is_help=True)
    keys.command("list")(list_keys)
    for command in (create, show, revoke, rotate):
        keys.command()(command)
    app.add_typer(keys, name="keys")
    app.command()(audit)


def list_keys(limit: Limit = 50, fields: Fields = None, as_json: Json = False) -> None:
    """List keys, newest first, revoked ones among them."""
    with connect() as client:
        KEYS.ask(client.keys, fields, as_json, limit)


def create(
    name: Annotated[str, typer.Argument(help="For people: whose it is, what for.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it may do; may be repeated. Default: what the API gives by itself.")
    ] = None,
    expires: Annotated[datetime | None, typer.Option(help="It is no good after this, in local time.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it on stdout; it is shown this once."""
    with connect() as client:
        found = client.create_key(name, scope or None, expires_at=local(expires))
    _show_made(found, as_json=as_json)


def _show_made(found: "MadeKey", *, as_json: bool) -> None:
    """The key alone on stdout, for scripts; what else there is to know on stderr."""
    if as_json:
        output.show_json(found)
        return
    output.say(f"key {found.id} ({', '.join(found.scopes)}), good until {_until(found)}; it is shown this once:")
    typer.echo(found.key)


def show(key_id: KeyId, as_json: Json = False) -> None:
    """Show one key, without its secret."""
    with connect() as client:
        found = client.key(key_id)
    facts = [
        ("key", str(found.id)),
        ("prefix", found.prefix),
        ("name", found.name),
        ("scopes", ", ".join(found.scopes)),
        ("made", f"{output.when(found.created_at)} by {found.created_by or '-'}"),
        ("last used", output.when(found.last_used_at)),
        ("good until", _until(found)),
    ]
    show_record(found, facts, as_json=as_json)


def revoke(key_id: KeyId, as_json: Json = False) -> None:
    """Revoke a key; its open streams are closed within seconds."""
    with connect() as client:
        found = client.revoke_key(key_id)
    show_done(found, f"key {found.id} ({found.name}) is revoked", as_json=as_json)


def rotate(
    key_id: KeyId,
    overlap: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="How long the old key is good as well.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key in place of this one and print it on stdout; it is shown this once."""
    with connect() as client:
        _show_made(client.rotate_key(key_id, overlap), as_json=as_json)


def audit(
    actor: Annotated[str | None, typer.Option(metavar="WHO", help="Only what this key or subject did.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this, as key.create.")] = None,
    resource: Annotated[str | None, typer.Option(metavar="ID", help="Only what was done to this.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only later ones, in local time.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only earlier ones, in local time.")] = None,
    limit: Limit = 50,
    fields: Fields = None,
    as_json: Json = False,
) -> None:
    """List who did what, newest first."""
    with connect() as client:
        AUDIT.ask(
            client.audit, fields, as_json, limit, actor=actor, action=action, resource_id=resource,
            since=local(since), until=local(until),
        )  # fmt: skip
