"""In which trace an image was taken in, and a question put into a batch."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = ("images", "expansion_lines")


def upgrade() -> None:
    """Add the columns; what was not traced stays NULL."""
    for table in TABLES:
        op.add_column(table, sa.Column("traceparent", sa.String(length=55), nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    for table in TABLES:
        op.drop_column(table, "traceparent")
