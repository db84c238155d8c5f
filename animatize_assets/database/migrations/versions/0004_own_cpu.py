"""The CPU that a job used itself, beside that of the machine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what was not measured stays NULL."""
    op.add_column(
        "generation_performance", sa.Column("cpu_utilization_own", sa.Float(), nullable=True)
    )


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("generation_performance", "cpu_utilization_own")
