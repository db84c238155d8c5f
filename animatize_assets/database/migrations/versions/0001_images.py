"""Accepted images, one row per different bytes, and the other names they came under."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "images",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("image_key", sa.String(64), nullable=False),
        sa.Column("original_name", sa.String, nullable=False),
        sa.Column("format", sa.String(8), nullable=False),
        sa.Column("byte_count", sa.BigInteger, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("source_mode", sa.String(16), nullable=False),
        sa.Column("exif_orientation", sa.Integer, nullable=False),
        sa.Column("has_icc_profile", sa.Boolean, nullable=False),
        sa.Column("flattened_alpha", sa.Boolean, nullable=False),
        sa.Column("frame_count", sa.Integer, nullable=False),
        sa.Column("original_path", sa.String, nullable=False),
        sa.Column("normalized_path", sa.String, nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_images"),
        sa.UniqueConstraint("sha256", name="uq_images_sha256"),
        sa.UniqueConstraint("image_key", name="uq_images_image_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "image_aliases",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("image_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_image_aliases"),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name="fk_image_aliases_image_id_images", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("image_id", "name", name="uq_image_aliases_image_id_name"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("image_aliases")
    op.drop_table("images")
