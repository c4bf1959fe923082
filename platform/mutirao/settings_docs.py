"""The settings as a Markdown table, made from their own descriptions.

`python -m mutirao.settings_docs` prints it; `python -m mutirao.settings_docs deploy/SETTINGS.md` puts it between the two marks
of that file. A guard test fails when that page and the settings differ.
"""

import inspect
import sys
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from mutirao.errors import InvalidInput
from mutirao.settings import AREAS, PREFIX, Area

BEGIN = "<!-- settings: made by `python -m mutirao.settings_docs deploy/SETTINGS.md` -->"
END = "<!-- end of settings -->"


def settings_table() -> str:
    """Every setting: one Markdown table for each area, under the area's own sentence."""
    return "\n\n".join(_area_table(area) for area in AREAS)


def with_settings(page: str) -> str:
    """`page` with a fresh table between its marks.

    Raises:
        InvalidInput: a mark is missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InvalidInput(f"the page has no {BEGIN!r} followed by {END!r}; put both on lines of their own")
    return f"{before}{BEGIN}\n\n{settings_table()}\n\n{END}{after}"


def _area_table(area: type[Area]) -> str:
    rows = [_row(name, field) for name, field in area.model_fields.items()]
    return "\n".join([f"**{inspect.getdoc(area)}**", "", "| setting | default | meaning |", "|---|---|---|", *rows])


def _row(name: str, field: FieldInfo) -> str:
    variable = f"`{PREFIX}{name.upper()}`" + (" or `…_FILE`" if _is_secret(field) else "")
    meaning = (field.description or "").replace("|", "\\|")
    return f"| {variable} | {_default(field.default)} | {meaning} |"


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def _default(value: Any) -> str:
    return "–" if isinstance(value, NoneType) else f"`{value}`"


def main(arguments: list[str]) -> None:
    """Print the table, or write it into the page named."""
    if not arguments:
        sys.stdout.write(settings_table() + "\n")
        return
    page = Path(arguments[0])
    page.write_text(with_settings(page.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
