"""How far what deletes has come."""

from sqlalchemy import Column, DateTime, Table, Text
from sqlalchemy.dialects.postgresql import UUID

from mutirao.db.tables.columns import metadata

# How far retention has come: of the jobs that ended up to then, `what` is pruned.
retention_marks = Table(
    "retention_marks",
    metadata,
    Column("what", Text, primary_key=True),
    Column("finished_at", DateTime(timezone=True), nullable=False),
    Column("job_id", UUID, nullable=False),
)
