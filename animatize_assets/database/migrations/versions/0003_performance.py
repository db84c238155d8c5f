"""What the performance system keeps: job records, daily aggregates, alerts, estimators."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "generation_performance",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=128), nullable=False),
        sa.Column("pipeline_type", sa.String(length=8), nullable=False),
        sa.Column("job_type", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("frame_count", sa.Integer(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=True),
        sa.Column("guidance_scale", sa.Float(), nullable=True),
        sa.Column("sampler", sa.String(length=64), nullable=True),
        sa.Column("batch_size", sa.Integer(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.String(length=64), nullable=True),
        sa.Column("model", sa.String(length=160), nullable=True),
        sa.Column("extra", sa.String(), nullable=False),
        sa.Column("worker", sa.String(length=160), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queue_length", sa.Integer(), nullable=True),
        sa.Column("queue_time_seconds", sa.Float(), nullable=True),
        sa.Column("initialization_time_seconds", sa.Float(), nullable=True),
        sa.Column("model_load_time_seconds", sa.Float(), nullable=True),
        sa.Column("preprocessing_time_seconds", sa.Float(), nullable=True),
        sa.Column("processing_time_seconds", sa.Float(), nullable=True),
        sa.Column("postprocessing_time_seconds", sa.Float(), nullable=True),
        sa.Column("total_time_seconds", sa.Float(), nullable=False),
        sa.Column("phases", sa.String(), nullable=False),
        sa.Column("gpu_model", sa.String(length=128), nullable=True),
        sa.Column("gpu_utilization_avg", sa.Float(), nullable=True),
        sa.Column("gpu_utilization_peak", sa.Float(), nullable=True),
        sa.Column("vram_used_mb", sa.Float(), nullable=True),
        sa.Column("vram_peak_mb", sa.Float(), nullable=True),
        sa.Column("vram_total_mb", sa.Float(), nullable=True),
        sa.Column("cpu_utilization_avg", sa.Float(), nullable=True),
        sa.Column("memory_used_mb", sa.Float(), nullable=True),
        sa.Column("memory_total_mb", sa.Float(), nullable=True),
        sa.Column("disk_read_mb", sa.Float(), nullable=True),
        sa.Column("disk_write_mb", sa.Float(), nullable=True),
        sa.Column("network_latency_ms", sa.Float(), nullable=True),
        sa.Column("gpu_attribution", sa.String(length=16), nullable=True),
        sa.Column("unmeasured", sa.String(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("error_type", sa.String(length=128), nullable=True),
        sa.Column("error_details", sa.String(), nullable=True),
        sa.Column("user_rating", sa.Integer(), nullable=True),
        sa.Column("cost_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("predicted_seconds", sa.Float(), nullable=True),
        sa.Column("predicted_low_seconds", sa.Float(), nullable=True),
        sa.Column("predicted_high_seconds", sa.Float(), nullable=True),
        sa.Column("prediction_method", sa.String(length=16), nullable=True),
        sa.Column("prediction_model", sa.String(length=160), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("partition_key", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation_performance")),
        sa.UniqueConstraint("job_id", name=op.f("uq_generation_performance_job_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_generation_performance_finished_at"),
        "generation_performance",
        ["finished_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_generation_performance_partition_key"),
        "generation_performance",
        ["partition_key"],
        unique=False,
    )
    op.create_index(
        op.f("ix_generation_performance_pipeline_type_finished_at"),
        "generation_performance",
        ["pipeline_type", "finished_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_generation_performance_run_id"), "generation_performance", ["run_id"], unique=False
    )
    op.create_index(
        op.f("ix_generation_performance_submitted_at"),
        "generation_performance",
        ["submitted_at"],
        unique=False,
    )
    op.create_table(
        "performance_alerts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("alert_type", sa.String(length=32), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("details", sa.String(), nullable=False),
        sa.Column("threshold_value", sa.Float(), nullable=True),
        sa.Column("actual_value", sa.Float(), nullable=True),
        sa.Column("is_resolved", sa.Boolean(), nullable=False),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.String(length=64), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performance_alerts")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_performance_alerts_fingerprint_is_resolved"),
        "performance_alerts",
        ["fingerprint", "is_resolved"],
        unique=False,
    )
    op.create_index(
        op.f("ix_performance_alerts_is_resolved_created_at"),
        "performance_alerts",
        ["is_resolved", "created_at"],
        unique=False,
    )
    op.create_table(
        "performance_prediction_models",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("model_name", sa.String(length=96), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("model_type", sa.String(length=32), nullable=False),
        sa.Column("pipeline_type", sa.String(length=8), nullable=False),
        sa.Column("accuracy_score", sa.Float(), nullable=False),
        sa.Column("mean_absolute_error", sa.Float(), nullable=False),
        sa.Column("interval_coverage", sa.Float(), nullable=True),
        sa.Column("baseline_accuracy", sa.Float(), nullable=True),
        sa.Column("training_data_count", sa.Integer(), nullable=False),
        sa.Column("data_hash", sa.String(length=64), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("mlflow_run_id", sa.String(length=64), nullable=True),
        sa.Column("tracking_uri", sa.String(), nullable=True),
        sa.Column("last_trained_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("promotion_note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performance_prediction_models")),
        sa.UniqueConstraint(
            "model_name",
            "version",
            name=op.f("uq_performance_prediction_models_model_name_version"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "performance_spool_imports",
        sa.Column("spool_id", sa.String(length=64), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("spool_id", name=op.f("pk_performance_spool_imports")),
    )
    op.create_table(
        "performance_trends",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("pipeline_type", sa.String(length=8), nullable=False),
        sa.Column("total_jobs", sa.Integer(), nullable=False),
        sa.Column("successful_jobs", sa.Integer(), nullable=False),
        sa.Column("total_generation_time", sa.Float(), nullable=False),
        sa.Column("avg_generation_time", sa.Float(), nullable=True),
        sa.Column("median_generation_time", sa.Float(), nullable=True),
        sa.Column("p95_generation_time", sa.Float(), nullable=True),
        sa.Column("avg_queue_time", sa.Float(), nullable=True),
        sa.Column("avg_gpu_utilization", sa.Float(), nullable=True),
        sa.Column("avg_cpu_utilization", sa.Float(), nullable=True),
        sa.Column("cost_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("within_20_percent", sa.Float(), nullable=True),
        sa.Column("interval_coverage", sa.Float(), nullable=True),
        sa.Column("estimated_jobs", sa.Integer(), nullable=False),
        sa.Column("bottlenecks", sa.String(), nullable=False),
        sa.Column("recommendations", sa.String(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performance_trends")),
        sa.UniqueConstraint(
            "date", "pipeline_type", name=op.f("uq_performance_trends_date_pipeline_type")
        ),
        sqlite_autoincrement=True,
    )
