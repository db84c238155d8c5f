"""The requests of one image are found without reading those of all."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        op.f("ix_generation_requests_image_key"), "generation_requests", ["image_key"], unique=False
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_index(op.f("ix_generation_requests_image_key"), table_name="generation_requests")
