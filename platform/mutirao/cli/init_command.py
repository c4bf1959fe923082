"""`mutirao init`: a small working project."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from mutirao.cli import output
from mutirao.cli.output import Json
from mutirao.errors import Conflict, InvalidInput

TEMPLATE = "template"
SUFFIX = ".template"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_HIDDEN = frozenset({"gitignore"})


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder; its name is the project's.")],
    as_json: Json = False,
) -> None:
    """Write a small working project: a workflow, its test, what a worker needs to serve it."""
    written = write_project(folder)
    if as_json:
        output.show_json({"folder": str(folder.absolute()), "files": written})
        return
    typer.echo(f"{folder}: {', '.join(written)}")
    typer.echo(f"next: cd {folder} && mutirao up")


def write_project(folder: Path) -> list[str]:
    """Write the project's files into `folder`; gives their names.

    Raises:
        InvalidInput: the folder's name is no name for a project.
        Conflict: there is something in it already.
    """
    name = folder.absolute().resolve().name
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} is no name for a project: use at most 64 letters, digits, '_' and '-', a letter first"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{str(folder)!r} exists and is not an empty folder; name a new one")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sorted(files("mutirao.cli").joinpath(TEMPLATE).iterdir(), key=lambda source: source.name):
        target = source.name.removesuffix(SUFFIX)
        target = f".{target}" if target in _HIDDEN else target
        text = Template(source.read_text(encoding="utf-8")).substitute(name=name)
        (folder / target).write_text(text, encoding="utf-8")
        written.append(target)
    return written
