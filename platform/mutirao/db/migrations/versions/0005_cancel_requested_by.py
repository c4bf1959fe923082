"""who has asked for the end of a job

Only adds: workers and APIs of the version before go on beside it, and what they cancel has nobody's name.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("cancel_requested_by", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "cancel_requested_by")
