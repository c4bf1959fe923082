"""`mutirao webhooks` and `mutirao deliveries`: whom to tell of events, and what became of it."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mutirao.cli import output
from mutirao.cli.options import Fields, Limit, given
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.cli.tables import Table, show_done, show_record

if TYPE_CHECKING:
    from mutirao.client.records import Delivery, Webhook


class State(StrEnum):
    """How far a message is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


WebhookId = Annotated[UUID, typer.Argument(metavar="ID", help="The webhook's id, see `mutirao webhooks list`.")]
DeliveryId = Annotated[UUID, typer.Argument(metavar="ID", help="The delivery's id, see `mutirao deliveries list`.")]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", help="Type of event; `job.*` for all of jobs, `*` for all; may be repeated."),
]

WEBHOOKS: "Table[Webhook]" = Table(
    "webhooks",
    {
        "id": lambda row: str(row.id),
        "name": lambda row: row.name or "-",
        "on": lambda row: "on" if row.enabled else "off",
        "events": lambda row: ",".join(row.events),
        "url": lambda row: row.url,
    },
    "no webhooks",
)
DELIVERIES: "Table[Delivery]" = Table(
    "deliveries",
    {
        "id": lambda row: str(row.id),
        "event": lambda row: row.event,
        "state": lambda row: str(row.state),
        "tries": lambda row: str(row.attempts),
        "made": lambda row: output.when(row.created_at),
        "url": lambda row: row.url,
    },
    "no deliveries",
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    webhooks = typer.Typer(help="Webhooks: addresses that are told of events.", no_args_is_help=True)
    webhooks.command("list")(list_webhooks)
    for command in (add, show, change, delete, rotate):
        webhooks.command()(command)
    webhooks.command("test")(send_test)
    app.add_typer(webhooks, name="webhooks")
    deliveries = typer.Typer(help="Deliveries: messages to webhooks, and what became of them.", no_args_is_help=True)
    deliveries.command("list")(list_deliveries)
    deliveries.command("show")(show_delivery)
    deliveries.command("replay")(replay)
    app.add_typer(deliveries, name="deliveries")


def list_webhooks(limit: Limit = 50, fields: Fields = None, as_json: Json = False) -> None:
    """List webhooks, newest first."""
    with connect() as client:
        WEBHOOKS.ask(client.webhooks, fields, as_json, limit)


def add(
    url: Annotated[str, typer.Argument(help="Where to send messages to.")],
    event: Events = None,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Send nothing until it is enabled.")] = False,
    as_json: Json = False,
) -> None:
    """Tell an address of events (all of jobs, unless --event says otherwise). Prints the secret, this once."""
    with connect() as client:
        found = client.add_webhook(url, event or ["job.*"], name=name, enabled=not disabled)
    _show(found, as_json=as_json, secret=found.secret)


def show(webhook_id: WebhookId, as_json: Json = False) -> None:
    """Show one webhook."""
    with connect() as client:
        _show(client.webhook(webhook_id), as_json=as_json)


def _show(found: "Webhook", *, as_json: bool, secret: str | None = None) -> None:
    facts = [
        ("webhook", str(found.id)),
        ("name", found.name or None),
        ("url", found.url),
        ("events", ", ".join(found.events)),
        ("enabled", "yes" if found.enabled else "no"),
        ("secret", f"{secret} (it is shown this once)" if secret else None),
    ]
    show_record(found, facts, as_json=as_json)


def change(
    webhook_id: WebhookId,
    url: Annotated[str | None, typer.Option(help="Where to send messages to.")] = None,
    event: Events = None,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether anything is sent.")] = None,
    as_json: Json = False,
) -> None:
    """Change a webhook; what is not named stays as it is, events are set all at once."""
    changes: Any = given(url=url, events=event or None, name=name, enabled=enabled)
    if not changes:
        raise typer.BadParameter("name a change, for example --disable")
    with connect() as client:
        read = client.webhook(webhook_id)
        _show(client.change_webhook(webhook_id, revision=read.revision, **changes), as_json=as_json)


def delete(webhook_id: WebhookId, as_json: Json = False) -> None:
    """Delete a webhook."""
    with connect() as client:
        client.delete_webhook(webhook_id)
    show_done({"deleted": str(webhook_id)}, f"webhook {webhook_id} deleted", as_json=as_json)


def send_test(webhook_id: WebhookId, as_json: Json = False) -> None:
    """Send a message that says no more than that it is a test."""
    with connect() as client:
        _say_sent(client.test_webhook(webhook_id), as_json=as_json)


def rotate(
    webhook_id: WebhookId,
    keep: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="How long the old secret signs as well.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a webhook a new secret. Prints it, this once."""
    with connect() as client:
        found = client.rotate_webhook(webhook_id, keep)
    _show(found, as_json=as_json, secret=found.secret)


def list_deliveries(
    webhook: Annotated[UUID | None, typer.Option(metavar="ID", help="Only of this webhook.")] = None,
    state: Annotated[State | None, typer.Option(help="Only of this state.")] = None,
    event: Annotated[str | None, typer.Option(help="Only of this type of event.")] = None,
    job: Annotated[UUID | None, typer.Option(metavar="ID", help="Only of this job.")] = None,
    limit: Limit = 50,
    fields: Fields = None,
    as_json: Json = False,
) -> None:
    """List messages, newest first."""
    if webhook is not None and job is not None:
        raise typer.BadParameter("give --webhook or --job, not both")
    with connect() as client:
        if webhook is None:
            DELIVERIES.ask(client.deliveries, fields, as_json, limit, state=state, event=event, job_id=job)
        else:
            DELIVERIES.ask(client.deliveries_of, fields, as_json, webhook, limit, state=state, event=event)


def show_delivery(delivery_id: DeliveryId, as_json: Json = False) -> None:
    """Show one message, with every try to deliver it."""
    with connect() as client:
        found = client.delivery(delivery_id)
    tries = [
        ("try", f"{output.when(one.at)}: {one.error or f'answered {one.status}'} in {one.milliseconds} ms")
        for one in found.tries
    ]
    facts = [
        ("delivery", str(found.id)),
        ("event", found.event),
        ("state", str(found.state)),
        ("url", found.url),
        ("job", str(found.job_id) if found.job_id else None),
        ("payload", output.as_text(found.payload)),
        *tries,
        ("next try", output.when(found.next_at) if found.next_at else None),
    ]
    show_record(found, facts, as_json=as_json)


def replay(delivery_id: DeliveryId, as_json: Json = False) -> None:
    """Send a message once more."""
    with connect() as client:
        _say_sent(client.replay_delivery(delivery_id), as_json=as_json)


def _say_sent(found: "Delivery", *, as_json: bool) -> None:
    show_done(found, f"delivery {found.id} {found.state}; see `mutirao deliveries show {found.id}`", as_json=as_json)
