"""How a command fails: one line on stderr and an exit code that scripts can rely on."""

import errno
import json
import sys
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import typer
from typer.core import TyperGroup

from mutirao.cli.output import printable
from mutirao.errors import Conflict, InvalidInput, MutiraoError, NotFound, Unauthorized, Unavailable

JOB_FAILED = 1
REFUSED = 5
INTERRUPTED = 130
EXIT_CODES = (
    "0 done; 1 the job failed, was cancelled, is dead or has spent its budget, a check found something, or something "
    "unforeseen; 2 wrong usage; 3 not found (`status`: not running); 4 unavailable or not running; 5 refused (input, key, "
    "or not in this state); 130 Ctrl-C."
)
# The first class that fits gives the code.
_CODES: tuple[tuple[type[MutiraoError], int], ...] = (
    (NotFound, 3),
    (Unavailable, 4),
    (InvalidInput, REFUSED),
    (Unauthorized, REFUSED),
    (Conflict, REFUSED),
)
_JSON = "mutirao.json"


def exit_code_of(error: MutiraoError) -> int:
    """The exit code of a command that ends with `error`."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), 1)


def problem_of(error: MutiraoError) -> dict[str, Any]:
    """`error` as the API would answer it: problem details of RFC 9457."""
    return {
        **error.details,
        "type": f"urn:mutirao:problem:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
    }


def show_error(error: MutiraoError, *, as_json: bool) -> None:
    """Tell people `code: message`, or programs the problem, on stderr."""
    text = json.dumps(problem_of(error), default=str) if as_json else printable(f"{error.code}: {error.message}")
    typer.echo(text, err=True)


class FileFailed(MutiraoError):
    """Raised when a file of this machine cannot be read or written."""

    code = "file_failed"


class Commands(TyperGroup):
    """The outermost command: whatever fails below it ends here, never as a traceback when it was foreseen."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note whether programs read the output, for errors that come before the command has begun."""
        ctx.meta[_JSON] = "--json" in _before_dashes(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors become a line and an exit code."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a reader who went away is noticed here and not at the end of the process
        except MutiraoError as error:
            _end(error, ctx)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            named = f"{str(error.filename)!r}: " if error.filename else ""
            _end(FileFailed(f"{named}{error.strerror or error}"), ctx)
        else:
            return result


def _end(error: MutiraoError, ctx: Any) -> None:
    show_error(error, as_json=ctx.meta[_JSON])
    raise typer.Exit(exit_code_of(error)) from None


def _before_dashes(args: list[str]) -> Iterable[str]:
    return args[: args.index("--")] if "--" in args else args
