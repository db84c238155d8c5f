"""Which images are archived, and what Dagster knew of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; no image is archived yet."""
    op.create_table(
        "image_archives",
        sa.Column("image_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("materializations", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["images.id"],
            name=op.f("fk_image_archives_image_id_images"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_image_archives")),
    )
    op.create_index(
        op.f("ix_image_archives_archived_at"), "image_archives", ["archived_at"], unique=False
    )


def downgrade() -> None:
    """Drop the table; archived images are ordinary ones again."""
    op.execute("UPDATE image_states SET state = 'unknown' WHERE state = 'archived'")
    op.drop_table("image_archives")
