"""A setting that nobody described, or that deploy/SETTINGS.md does not show, does not pass."""

from pathlib import Path

import pytest
from mutirao.errors import InvalidInput
from mutirao.settings import AREAS, known_variables
from mutirao.settings_docs import BEGIN, END, settings_table, with_settings

ROOT = Path(__file__).parents[2]


def test_every_setting_is_described() -> None:
    fields = {f"{area.__name__}.{name}": field for area in AREAS for name, field in area.model_fields.items()}
    assert {name for name, field in fields.items() if len(field.description or "") < 10} == set()
    assert {area.__name__ for area in AREAS if not area.__doc__} == set()


def test_no_two_areas_share_a_setting() -> None:
    assert len(known_variables()) == sum(len(area.model_fields) for area in AREAS)


def test_the_page_shows_the_settings_as_they_are() -> None:
    page = (ROOT / "deploy" / "SETTINGS.md").read_text(encoding="utf-8")
    assert with_settings(page) == page, "run: python -m mutirao.settings_docs deploy/SETTINGS.md"


def test_the_table_names_every_variable_and_no_secret_value() -> None:
    table = settings_table()
    assert {name for name in known_variables() if f"`{name}`" not in table} == set()
    assert "`MUTIRAO_DATABASE_URL` or `…_FILE`" in table
    assert "SecretStr" not in table


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(InvalidInput, match="has no"):
        with_settings(f"{END} {BEGIN}")
