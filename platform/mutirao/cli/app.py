"""The commands, put together."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mutirao import __version__
from mutirao.cli import (
    approval_commands,
    assistant_commands,
    dashboard_commands,
    database_commands,
    demo_command,
    init_command,
    job_commands,
    key_commands,
    knowledge_commands,
    project_commands,
    run_command,
    schedule_commands,
    stack_commands,
    thread_commands,
    webhook_commands,
    workflow_commands,
)
from mutirao.cli.failures import EXIT_CODES, Commands

app = typer.Typer(
    name="mutirao",
    cls=Commands,
    help="Mutirão runs graphs of agents as durable jobs.",
    epilog=f"Exit codes: {EXIT_CODES}",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mutirao {__version__}")
        raise typer.Exit


@app.callback()
def settings(
    url: Annotated[str | None, typer.Option(help="The API; default: the local stack. [MUTIRAO_API_URL]")] = None,
    key: Annotated[str | None, typer.Option(help="The key; other users see it in `ps`. [MUTIRAO_API_KEY]")] = None,
    home: Annotated[Path | None, typer.Option(help="Data folder of the local stack. [MUTIRAO_HOME]")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Settings of this call. They are environment variables to all that it starts, as all settings are."""
    given = {"MUTIRAO_API_URL": url, "MUTIRAO_API_KEY": key, "MUTIRAO_HOME": str(home) if home else None}
    os.environ.update({name: value for name, value in given.items() if value is not None})


for commands in (
    run_command,
    job_commands,
    thread_commands,
    assistant_commands,
    approval_commands,
    schedule_commands,
    webhook_commands,
    key_commands,
    project_commands,
    workflow_commands,
    knowledge_commands,
    stack_commands,
    dashboard_commands,
    database_commands,
    init_command,
    demo_command,
):
    commands.register(app)


def main() -> int:
    """The console script. Ends with SystemExit; the codes are in `failures.EXIT_CODES`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 still gets the rest of the line
    app(prog_name="mutirao")
    return 0
