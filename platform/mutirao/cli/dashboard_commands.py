"""`mutirao open`: the dashboard in a browser; `mutirao whoami`: whose key is used."""

from typing import Annotated

import typer

from mutirao.cli import output
from mutirao.cli.output import Json
from mutirao.cli.session import connect
from mutirao.cli.tables import show_record


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("open")(open_dashboard)
    app.command()(whoami)


def open_dashboard(
    no_open: Annotated[bool, typer.Option("--no-open", help="Only print the link.")] = False,
    as_json: Json = False,
) -> None:
    """Open the dashboard, signed in with the rights of your key. The link is good once, and for two minutes."""
    from mutirao.stack.front_door import has_browser, open_page

    with connect() as client:
        link = client.create_session_link()
    opens = not no_open and not as_json and has_browser()
    if as_json:
        output.show_json(link)
    else:
        typer.echo(link.url)
    if opens:
        # Waited for: this process ends right after it.
        open_page(link.url).join(timeout=5)


def whoami(as_json: Json = False) -> None:
    """Show whose key is used, in which project, and what it may do."""
    with connect() as client:
        found = client.session()
    facts = [
        ("subject", found.subject),
        ("project", f"{found.project.name} ({found.project.id})"),
        ("scopes", ", ".join(found.scopes)),
        ("good until", output.when(found.expires_at)),
        ("version", found.version),
    ]
    show_record(found, facts, as_json=as_json)
