"""What commands print: JSON for programs, aligned lines for people."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from unicodedata import category

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document; messages go to stderr.")]

_UNITS = ("B", "kB", "MB", "GB")
_CUT = "…"


def show_json(value: Any) -> None:
    """Print one JSON document on stdout; records are shown as the API shows them."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def say(text: str) -> None:
    """A message for people, on stderr."""
    typer.echo(printable(text), err=True)


def printable(text: str, *, keep: str = "\n\t") -> str:
    """`text` without what would make a terminal do something: names and quotes come from anywhere."""
    return "".join(sign if sign.isprintable() or sign in keep or category(sign) == "Zs" else "�" for sign in text)


def one_line(text: str, width: int) -> str:
    """`text` on one line of at most `width` characters."""
    flat = printable(" ".join(text.split()), keep="")
    return flat if len(flat) <= width else flat[: max(0, width - 1)] + _CUT


def as_text(value: Any) -> str:
    """A JSON value on one line."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, the last one as it is."""
    cells = [[*headers], *([printable(cell, keep="") for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(lines)


def size(count: float) -> str:
    """Bytes for people: `1.5 MB`."""
    for unit in _UNITS[:-1]:
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} {_UNITS[-1]}"


def seconds(value: float) -> str:
    """A span for people: `0.4 s`, `2 min 5 s`, `3 h 12 min`."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def when(moment: datetime | None) -> str:
    """A time for people, in their time zone."""
    return "-" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span(began: datetime | None, ended: datetime | None) -> str:
    """How long something took or has been going on."""
    return "-" if began is None else seconds(max(0.0, ((ended or datetime.now(UTC)) - began).total_seconds()))


def stdin_text() -> str:
    """All of stdin."""
    return sys.stdin.read()
