"""What generation remembers: requests, calls, batches, results, and the health of providers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "expansion_batches",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("batch_key", sa.String(length=36), nullable=False),
        sa.Column("model", sa.String(length=96), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("input_file_id", sa.String(length=128), nullable=True),
        sa.Column("remote_id", sa.String(length=128), nullable=True),
        sa.Column("output_file_id", sa.String(length=128), nullable=True),
        sa.Column("error_file_id", sa.String(length=128), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expansion_batches")),
        sa.UniqueConstraint("batch_key", name=op.f("uq_expansion_batches_batch_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_expansion_batches_remote_id"), "expansion_batches", ["remote_id"], unique=False
    )
    op.create_index(
        op.f("ix_expansion_batches_state"), "expansion_batches", ["state"], unique=False
    )
    op.create_table(
        "generation_calls",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=96), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("image_key", sa.String(length=64), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("expected_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("cost_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("remote_id", sa.String(length=256), nullable=True),
        sa.Column("resume", sa.String(), nullable=True),
        sa.Column("failure", sa.String(length=24), nullable=True),
        sa.Column("usage", sa.String(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation_calls")),
        sa.UniqueConstraint("call_id", name=op.f("uq_generation_calls_call_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_generation_calls_fingerprint"), "generation_calls", ["fingerprint"], unique=False
    )
    op.create_index(
        op.f("ix_generation_calls_opened_at"), "generation_calls", ["opened_at"], unique=False
    )
    op.create_index(
        op.f("ix_generation_calls_run_id"), "generation_calls", ["run_id"], unique=False
    )
    op.create_index(op.f("ix_generation_calls_state"), "generation_calls", ["state"], unique=False)
    op.create_table(
        "generation_requests",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("image_key", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("target", sa.String(length=32), nullable=False),
        sa.Column("style", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=96), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("movement", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("made_by", sa.String(length=32), nullable=True),
        sa.Column("cost_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("result_key", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation_requests")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_generation_requests_requested_at"),
        "generation_requests",
        ["requested_at"],
        unique=False,
    )
    op.create_table(
        "provider_health",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_health")),
    )
    op.create_table(
        "refused_parameters",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=96), nullable=False),
        sa.Column("parameter", sa.String(length=64), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "provider", "model", "parameter", name=op.f("pk_refused_parameters")
        ),
    )
    op.create_table(
        "stored_results",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("result_key", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("image_key", sa.String(length=64), nullable=True),
        sa.Column("structured_key", sa.String(length=64), nullable=False),
        sa.Column("canonical_key", sa.String(length=64), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.String(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_results")),
        sa.UniqueConstraint("result_key", name=op.f("uq_stored_results_result_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_stored_results_structured_key_id"),
        "stored_results",
        ["structured_key", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_stored_results_structured_key_canonical_key"),
        "stored_results",
        ["structured_key", "canonical_key"],
        unique=False,
    )
    op.create_index(op.f("ix_stored_results_used_at"), "stored_results", ["used_at"], unique=False)
    op.create_table(
        "expansion_lines",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("custom_id", sa.String(length=64), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("image_key", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=96), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("submissions", sa.Integer(), nullable=False),
        sa.Column("result", sa.String(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("cost_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["expansion_batches.id"],
            name=op.f("fk_expansion_lines_batch_id_expansion_batches"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expansion_lines")),
        sa.UniqueConstraint("custom_id", name=op.f("uq_expansion_lines_custom_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_expansion_lines_fingerprint"), "expansion_lines", ["fingerprint"], unique=False
    )
    op.create_index(op.f("ix_expansion_lines_state"), "expansion_lines", ["state"], unique=False)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_index(op.f("ix_expansion_lines_state"), table_name="expansion_lines")
    op.drop_index(op.f("ix_expansion_lines_fingerprint"), table_name="expansion_lines")
    op.drop_table("expansion_lines")
    op.drop_index(op.f("ix_stored_results_used_at"), table_name="stored_results")
    op.drop_index(
        op.f("ix_stored_results_structured_key_canonical_key"), table_name="stored_results"
    )
    op.drop_index(op.f("ix_stored_results_structured_key_id"), table_name="stored_results")
    op.drop_table("stored_results")
    op.drop_table("refused_parameters")
    op.drop_table("provider_health")
    op.drop_index(op.f("ix_generation_requests_requested_at"), table_name="generation_requests")
    op.drop_table("generation_requests")
    op.drop_index(op.f("ix_generation_calls_state"), table_name="generation_calls")
    op.drop_index(op.f("ix_generation_calls_run_id"), table_name="generation_calls")
    op.drop_index(op.f("ix_generation_calls_opened_at"), table_name="generation_calls")
    op.drop_index(op.f("ix_generation_calls_fingerprint"), table_name="generation_calls")
    op.drop_table("generation_calls")
    op.drop_index(op.f("ix_expansion_batches_state"), table_name="expansion_batches")
    op.drop_index(op.f("ix_expansion_batches_remote_id"), table_name="expansion_batches")
    op.drop_table("expansion_batches")
