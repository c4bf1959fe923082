"""The database: tables, migrations and the connection pool."""

from mutirao.db.engine import Database

__all__ = ["Database"]
