"""What a person sees of the performance assets without opening a file.

Belongs here: choosing and phrasing metadata. Does not belong here: computing any of it. What was
not measured is left empty, never 0.
See https://docs.dagster.io/guides/build/assets/metadata-and-tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from upath import UPath

    from animatize_assets.performance.daily_trends import DailyTrend
    from animatize_assets.performance.learning import Candidate
    from animatize_assets.performance.weekly_report import WeeklyReport


def trends_metadata(rows: Sequence[DailyTrend]) -> dict[str, Any]:
    """Describe one day: one line per pipeline."""
    lines = [
        dg.TableRecord(
            {
                "pipeline": row.pipeline_type,
                "jobs": row.total_jobs,
                "successful": row.successful_jobs,
                "median s": _rounded(row.median_generation_time),
                "p95 s": _rounded(row.p95_generation_time),
                "queue s": _rounded(row.avg_queue_time),
                "within 20 %": _rounded(row.within_20_percent),
                "cost $": _rounded(row.cost_usd),
                "bottlenecks": ", ".join(row.bottlenecks),
            }
        )
        for row in rows
    ]
    schema = dg.TableSchema(
        columns=[
            dg.TableColumn("pipeline"),
            dg.TableColumn("jobs", "int"),
            dg.TableColumn("successful", "int"),
            dg.TableColumn("median s", "float", "Seconds of successful jobs, without waiting."),
            dg.TableColumn("p95 s", "float", "Of twenty jobs the slowest takes longer."),
            dg.TableColumn("queue s", "float", "Average seconds from enqueued to started."),
            dg.TableColumn("within 20 %", "float", "Share of estimates that were so near."),
            dg.TableColumn("cost $", "float"),
            dg.TableColumn("bottlenecks", description="The most severe first."),
        ]
    )
    return {
        "jobs": sum(row.total_jobs for row in rows),
        "day": dg.MetadataValue.table(lines, schema),
    }


def report_metadata(report: WeeklyReport, page: UPath, numbers: UPath) -> dict[str, Any]:
    """Describe a weekly report: its few lines, and where the whole is."""
    from animatize_assets.performance.report_page import markdown  # noqa: PLC0415  # pandas

    return {
        "report": dg.MetadataValue.md(markdown(report)),
        "jobs": report.totals.total_jobs,
        "page": dg.MetadataValue.path(str(page)),
        "numbers": dg.MetadataValue.path(str(numbers)),
    }


def candidate_metadata(candidate: Candidate) -> dict[str, Any]:
    """Describe a version of an estimator and how it did on the newest jobs."""
    registered, card = candidate.registered, candidate.card
    shown: dict[str, Any] = {
        "version": registered.version,
        "model_type": card.model_type,
        "learned_from": card.learned_from,
        "within_20_percent": card.newest.within_20,
        "mean_absolute_error_s": card.newest.mean_absolute_error,
        "promote": card.promotion.promote,
        "reason": card.promotion.reason,
    }
    if card.newest_coverage_80 is not None:
        shown["coverage_of_80_percent_interval"] = card.newest_coverage_80
    if card.baseline is not None:
        shown["baseline_within_20_percent"] = card.baseline.within_20
    if card.champion is not None:
        shown["in_use_within_20_percent"] = card.champion.within_20
    if registered.mlflow_run_id is not None:
        shown["mlflow_run"] = registered.mlflow_run_id
    return shown


def _rounded(value: float | None) -> float | str:
    """Round for a table, which knows no None."""
    return "" if value is None else round(value, 4)
