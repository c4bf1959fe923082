"""the dashboard: browsers that are signed in, how many approvals wait, lists of many jobs"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_LISTED = ["state", "workflow", "created_at", "finished_at", "priority", "created_by"]


def _of_key(name: str, *more: sa.Column[datetime]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("project_id", sa.UUID(), nullable=False),
        sa.Column("key_id", sa.UUID(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        *more,
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f(f"fk_{name}_key_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f(f"fk_{name}_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint("token_sha256", name=op.f(f"uq_{name}_token_sha256")),
    )
    op.create_index(op.f(f"ix_{name}_key_id"), name, ["key_id"], unique=False)
    op.create_index(op.f(f"ix_{name}_expires_at"), name, ["expires_at"], unique=False)


def upgrade() -> None:
    used = sa.Column("last_used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    _of_key("sessions", used)
    _of_key("sign_in_links")
    op.create_index(
        "ix_approvals_pending", "approvals", ["project_id"], unique=False, postgresql_where=sa.text("state = 'pending'")
    )
    op.create_index("ix_jobs_listed", "jobs", ["project_id", "id"], unique=False, postgresql_include=_LISTED)
    op.drop_index("ix_jobs_project_id_id", table_name="jobs")
    # Last: it covers the tables that there are.
    op.execute("SELECT mutirao_wall()")


def downgrade() -> None:
    op.create_index("ix_jobs_project_id_id", "jobs", ["project_id", "id"], unique=False)
    op.drop_index("ix_jobs_listed", table_name="jobs")
    op.drop_index("ix_approvals_pending", table_name="approvals", postgresql_where=sa.text("state = 'pending'"))
    op.drop_table("sign_in_links")
    op.drop_table("sessions")
