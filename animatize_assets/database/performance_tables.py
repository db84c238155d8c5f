"""The tables of the performance system: job records, daily aggregates, alerts, estimators.

They are part of the one migration history. Embedded, they live in a SQLite file of their own, so
that recording a job never waits for the ledger; on PostgreSQL everything is one database.

Belongs here: columns and constraints. Does not belong here: queries and rules (``performance``).
Columns that the predecessor's clients know keep its names; seconds and megabytes (10^6 bytes)
stand in the names. What was not measured is NULL, never 0.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from animatize_assets.database.tables import metadata

generation_performance = Table(
    "generation_performance",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job_id", String(128), nullable=False, unique=True),
    Column("pipeline_type", String(8), nullable=False),  # image, video
    Column("job_type", String(64), nullable=False),
    # what was asked for
    Column("width", Integer),
    Column("height", Integer),
    Column("frame_count", Integer),
    Column("steps", Integer),
    Column("guidance_scale", Float),
    Column("sampler", String(64)),
    Column("batch_size", Integer),
    Column("seed", BigInteger),
    Column("provider", String(64)),
    Column("model", String(160)),
    Column("extra", String, nullable=False),  # JSON object of further parameters
    # where and when
    Column("worker", String(160)),
    Column("submitted_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True), nullable=False),
    Column("queue_length", Integer),  # jobs that waited when this one was submitted
    # timings, seconds; the total leaves out the queue
    Column("queue_time_seconds", Float),
    Column("initialization_time_seconds", Float),
    Column("model_load_time_seconds", Float),
    Column("preprocessing_time_seconds", Float),
    Column("processing_time_seconds", Float),
    Column("postprocessing_time_seconds", Float),
    Column("total_time_seconds", Float, nullable=False),
    Column("phases", String, nullable=False),  # JSON list of {name, description, seconds}
    # resources
    Column("gpu_model", String(128)),
    Column("gpu_utilization_avg", Float),  # per cent, 0 to 100
    Column("gpu_utilization_peak", Float),
    Column("vram_used_mb", Float),
    Column("vram_peak_mb", Float),
    Column("vram_total_mb", Float),
    Column("cpu_utilization_avg", Float),  # per cent of all cores, 0 to 100, of everybody
    Column("cpu_utilization_own", Float),  # the same, of the job's own processes
    Column("memory_used_mb", Float),
    Column("memory_total_mb", Float),
    Column("disk_read_mb", Float),
    Column("disk_write_mb", Float),
    Column("network_latency_ms", Float),
    Column("gpu_attribution", String(16)),  # process, device, shared
    Column("unmeasured", String, nullable=False),  # JSON object: what could not be read -> why
    # outcome
    Column("retries", Integer, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("error_type", String(128)),
    Column("error_details", String),
    Column("user_rating", Integer),  # 1 to 5
    Column("cost_nanousd", BigInteger),
    # what was promised at submission
    Column("predicted_seconds", Float),
    Column("predicted_low_seconds", Float),  # 80 % interval
    Column("predicted_high_seconds", Float),
    Column("prediction_method", String(16)),  # ml_model, heuristic
    Column("prediction_model", String(160)),  # which estimator, with its version
    # where it belongs in Dagster
    Column("run_id", String(64)),
    Column("partition_key", String(128)),
    Index(None, "pipeline_type", "finished_at"),
    Index(None, "finished_at"),
    Index(None, "submitted_at"),
    Index(None, "run_id"),
    Index(None, "partition_key"),
    sqlite_autoincrement=True,
)
"""One row per generation job, written when it ends. Kept 90 days, then only as aggregates."""

performance_trends = Table(
    "performance_trends",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("date", Date, nullable=False),  # UTC day in which the jobs finished
    Column("pipeline_type", String(8), nullable=False),
    Column("total_jobs", Integer, nullable=False),
    Column("successful_jobs", Integer, nullable=False),
    Column("total_generation_time", Float, nullable=False),  # seconds, successful jobs
    Column("avg_generation_time", Float),
    Column("median_generation_time", Float),
    Column("p95_generation_time", Float),
    Column("avg_queue_time", Float),
    Column("avg_gpu_utilization", Float),
    Column("avg_cpu_utilization", Float),
    Column("cost_nanousd", BigInteger),
    Column("within_20_percent", Float),  # share 0..1 of estimated jobs
    Column("interval_coverage", Float),  # share 0..1 of estimated jobs inside their 80 % interval
    Column("estimated_jobs", Integer, nullable=False),
    Column("bottlenecks", String, nullable=False),  # JSON list of bottleneck types
    Column("recommendations", String, nullable=False),  # JSON list of sentences
    Column("computed_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("date", "pipeline_type"),
    sqlite_autoincrement=True,
)
"""Daily aggregates; kept for ever."""

performance_alerts = Table(
    "performance_alerts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("fingerprint", String(64), nullable=False),  # what makes two alerts the same
    Column("alert_type", String(32), nullable=False),
    Column("severity", String(8), nullable=False),  # low, medium, high, critical
    Column("message", String, nullable=False),
    Column("details", String, nullable=False),  # JSON object
    Column("threshold_value", Float),
    Column("actual_value", Float),
    Column("is_resolved", Boolean, nullable=False),
    Column("occurrences", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True), nullable=False),
    Column("resolved_at", DateTime(timezone=True)),
    Column("resolved_by", String(64)),
    Column("delivered_at", DateTime(timezone=True)),
    Index(None, "is_resolved", "created_at"),
    Index(None, "fingerprint", "is_resolved"),
    sqlite_autoincrement=True,
)
"""Alerts and their history."""

performance_prediction_models = Table(
    "performance_prediction_models",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("model_name", String(96), nullable=False),  # registered name in MLflow
    Column("version", String(32), nullable=False),
    Column("model_type", String(32), nullable=False),  # random_forest, gradient_boosting, ...
    Column("pipeline_type", String(8), nullable=False),
    Column("accuracy_score", Float, nullable=False),  # share 0..1 within +-20 %, newest window
    Column("mean_absolute_error", Float, nullable=False),  # seconds
    Column("interval_coverage", Float),
    Column("baseline_accuracy", Float),  # of the mean of the last two like jobs, same window
    Column("training_data_count", Integer, nullable=False),
    Column("data_hash", String(64), nullable=False),
    Column("content_sha256", String(64), nullable=False),  # pins the stored files
    Column("mlflow_run_id", String(64)),
    Column("tracking_uri", String),
    Column("last_trained_at", DateTime(timezone=True), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("promotion_note", String, nullable=False),
    UniqueConstraint("model_name", "version"),
    sqlite_autoincrement=True,
)
"""Which estimator is registered where, its scores, and whether it is in use."""

performance_spool_imports = Table(
    "performance_spool_imports",
    metadata,
    Column("spool_id", String(64), primary_key=True),
    Column("imported_at", DateTime(timezone=True), nullable=False),
)
"""Spooled records that were written already, so that none is written twice."""
