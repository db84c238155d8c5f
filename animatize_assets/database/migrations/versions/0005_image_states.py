"""How far each image is, as rows that a list of images is filtered by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; of the images there are nobody has looked yet."""
    op.create_table(
        "image_states",
        sa.Column("image_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("provider", sa.String(length=32), nullable=True),
        sa.Column("movement", sa.String(length=32), nullable=True),
        sa.Column("code_digest", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["images.id"],
            name=op.f("fk_image_states_image_id_images"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_image_states")),
    )
    for column in ("state", "provider", "movement"):
        op.create_index(
            op.f(f"ix_image_states_{column}_image_id"),
            "image_states",
            [column, "image_id"],
            unique=False,
        )
    op.execute(
        "INSERT INTO image_states (image_id, state, updated_at) "
        "SELECT id, 'unknown', registered_at FROM images"
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("image_states")
