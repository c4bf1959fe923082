"""The schema this code works with."""

HEAD = "0006"
"""Newest revision of `mutirao.db.migrations`; here, so that a process that only checks it need not load alembic."""
