"""Lists as people and programs get them: a table, or one JSON document; all columns, or the fields that were asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

import typer

from mutirao.cli import output

if TYPE_CHECKING:
    from mutirao.client.verbs import Rows

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Table(Generic[R]):
    """How a list is shown: the `name` of its rows in JSON, and what each column has of a row."""

    name: str
    columns: Mapping[str, Callable[[R], str]]
    none: str

    def show(self, rows: Sequence[R], *, as_json: bool) -> None:
        """Print rows, one a line."""
        if as_json:
            output.show_json({self.name: rows})
            return
        cells = [[cell(row) for cell in self.columns.values()] for row in rows]
        typer.echo(output.table([*self.columns], cells) if rows else self.none)

    def ask(self, rows: "Rows[P, R]", fields: str | None, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:
        """Read a list and print it; with `fields` only these."""
        if fields is None:
            self.show(rows(*args, **kwargs), as_json=as_json)
            return
        names = [name.strip() for name in fields.split(",") if name.strip()]
        columns = {name: _field(name) for name in names}
        Table(self.name, columns, self.none).show(rows.select(names, *args, **kwargs), as_json=as_json)


def _field(name: str) -> Callable[[Mapping[str, Any]], str]:
    def text(row: Mapping[str, Any]) -> str:
        value = row.get(name)
        return "-" if value is None else value if isinstance(value, str) else output.as_text(value)

    return text


def show_record(record: Any, facts: Iterable[tuple[str, str | None]], *, as_json: bool) -> None:
    """Print one record: as JSON, or its facts, one a line; those that are None are left out."""
    if as_json:
        output.show_json(record)
        return
    shown = [(name, text) for name, text in facts if text is not None]
    width = max(len(name) for name, _ in shown)
    typer.echo(output.printable("\n".join(f"{name:<{width}}  {text}" for name, text in shown)))


def show_done(record: Any, said: str, *, as_json: bool) -> None:
    """Print what was done: as the record in JSON, or in a sentence."""
    if as_json:
        output.show_json(record)
    else:
        typer.echo(output.printable(said))
