"""jobs that did not succeed, for threads by their status

Only adds: workers and APIs of the version before go on beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_UNSUCCESSFUL = sa.text("state IN ('failed', 'dead', 'budget_exhausted', 'cancelled')")


def upgrade() -> None:
    op.create_index(
        "ix_jobs_unsuccessful",
        "jobs",
        ["project_id", "state", "thread_id"],
        unique=False,
        postgresql_where=_UNSUCCESSFUL,
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_unsuccessful", table_name="jobs", postgresql_where=_UNSUCCESSFUL)
