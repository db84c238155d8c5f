"""Pictures that are made before anybody asks for them, and the batches that they are asked in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "pregeneration_batches",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("batch_key", sa.String(length=36), nullable=False),
        sa.Column("model", sa.String(length=96), nullable=False),
        sa.Column("endpoint", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=True),
        sa.Column("remote_id", sa.String(length=128), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pregeneration_batches")),
        sa.UniqueConstraint("batch_key", name=op.f("uq_pregeneration_batches_batch_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_pregeneration_batches_state"), "pregeneration_batches", ["state"], unique=False
    )
    op.create_table(
        "pregenerated_pictures",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("image_key", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=32), nullable=False),
        sa.Column("style", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=96), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("movement", sa.String(length=32), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("asked", sa.String(), nullable=True),
        sa.Column("expected_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("by_day_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("cost_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["pregeneration_batches.id"],
            name=op.f("fk_pregenerated_pictures_batch_id_pregeneration_batches"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pregenerated_pictures")),
        sqlite_autoincrement=True,
    )
    for column in ("state", "fingerprint", "batch_id", "planned_at"):
        op.create_index(
            op.f(f"ix_pregenerated_pictures_{column}"),
            "pregenerated_pictures",
            [column],
            unique=False,
        )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("pregenerated_pictures")
    op.drop_table("pregeneration_batches")
