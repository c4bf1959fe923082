"""The embedded parts serve, and are the programs they claim to be."""

import psycopg
import pytest
from mutirao.stack.embedded import EmbeddedParts

pytestmark = pytest.mark.integration


def test_a_new_database_has_the_whole_schema(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert ("jobs",) in tables


def test_the_database_sorts_the_same_everywhere(embedded: EmbeddedParts) -> None:
    with psycopg.connect(embedded.database_url) as connection:
        row = connection.execute(
            "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'mutirao'"
        ).fetchone()
    assert row == ("b", "C.UTF-8", "UTF8")


def test_a_wrong_password_is_refused(embedded: EmbeddedParts) -> None:
    wrong = embedded.database_url.replace("//mutirao:", "//mutirao:x")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
