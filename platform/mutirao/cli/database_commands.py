"""`mutirao db`: the schema of a database that is not the embedded stack's."""

import typer

from mutirao.cli import output
from mutirao.cli.output import Json
from mutirao.errors import SettingsInvalid, Unavailable


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    database = typer.Typer(help="The database named by MUTIRAO_DATABASE_URL.", no_args_is_help=True)
    database.callback()(_group)
    database.command("upgrade")(upgrade)
    app.add_typer(database, name="db")


def _group() -> None:
    """The database named by MUTIRAO_DATABASE_URL."""


def upgrade(as_json: Json = False) -> None:
    """Bring the schema up to date. Safe to run twice; the embedded stack does it by itself."""
    from mutirao.settings import load_settings

    url = load_settings().stack.database_url
    if url is None:
        raise SettingsInvalid(
            "MUTIRAO_DATABASE_URL is not set; set it to postgresql://user:password@host/db "
            "(the embedded stack of `mutirao up` upgrades its own database by itself)",
            setting="MUTIRAO_DATABASE_URL",
        )
    from sqlalchemy.exc import ArgumentError, DBAPIError

    from mutirao.db import migrate

    try:
        revision = migrate.upgrade(url.get_secret_value())
    except ArgumentError:
        raise SettingsInvalid(
            "MUTIRAO_DATABASE_URL is not a URL; it looks like postgresql://user:password@host/db",
            setting="MUTIRAO_DATABASE_URL",
        ) from None
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise Unavailable(f"the database of MUTIRAO_DATABASE_URL: {reason}") from None
    if as_json:
        output.show_json({"revision": revision})
    else:
        typer.echo(f"the schema is at revision {revision}")
