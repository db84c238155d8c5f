"""What the performance views print for people.

Belongs here: laying out findings, trends and opportunities. Does not belong here: finding them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from animatize_assets.cli.tables import facts
from animatize_assets.performance.bottlenecks.findings import LEAST_JOBS
from animatize_assets.performance.report_page import duration, percent, quantity
from animatize_assets.performance.store import PerformanceStore
from animatize_assets.performance.weekly_report import NOTHING_YET


def no_jobs(store: PerformanceStore, days: int) -> str:
    """Say kindly that there is nothing to look at, and what to do."""
    if not store.count():
        return f"No job has been recorded here yet. {NOTHING_YET}"
    return f"No job ended in the last {days} day(s); --days looks further back."


def period_page(report: Mapping[str, Any]) -> list[RenderableType]:
    """Lay out the answer of ``generate_performance_report``."""
    numbers, summary = report["overall_statistics"], report["summary"]
    rows = [
        ("jobs", f"{numbers['total_jobs']}, {percent(numbers['success_rate'])} successful"),
        ("time per job", duration(numbers["avg_generation_time"])),
        ("GPU use", _gpu(numbers["avg_gpu_utilization"])),
        ("could be saved", percent(summary["optimization_potential"])),
    ]
    page: list[RenderableType] = [facts(f"last {report['analysis_period_days']} day(s)", rows)]
    page += bottleneck_page(report["bottlenecks"], numbers["total_jobs"])
    page += opportunity_page(report["optimization_opportunities"])
    going = [(each["metric"], each["direction"]) for each in report["trends"]]
    return [*page, facts("trends", going)] if going else page


def bottleneck_page(found: Sequence[Mapping[str, Any]], jobs: int) -> list[RenderableType]:
    """Lay out bottlenecks, as JSON values, the most severe first, that so many jobs showed."""
    if not found and jobs < LEAST_JOBS:
        return [f"Too few jobs to say what holds them up: {jobs} of at least {LEAST_JOBS}."]
    if not found:
        return ["Nothing holds the jobs up."]
    return [
        facts(
            f"{_words(each['type'])}: severity {each['severity']:.2f}, "
            f"{each['affected_jobs']} job(s)",
            [("why", each["description"]), *(("do", told) for told in each["recommendations"])],
        )
        for each in found
    ]


def opportunity_page(offered: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    """Lay out opportunities, as JSON values."""
    if not offered:
        return []
    rows = [
        (_words(each["area"]), f"{percent(each['potential_improvement'])}: {each['description']}")
        for each in offered
    ]
    return [facts("what could be gained", rows)]


def trend_table(metrics: Iterable[Mapping[str, Any]]) -> RenderableType:
    """Lay out trends, as JSON values: where each metric is and where it goes."""
    table = Table(box=None, pad_edge=False)
    for column in ("metric", "direction", "now", "in 7 days", "8 in 10 forecasts", "p"):
        table.add_column(column, overflow="fold")
    for each in metrics:
        unit = each["unit"]
        low, high = each["predicted_low_7d"], each["predicted_high_7d"]
        table.add_row(
            Text(_words(each["metric"])),
            each["direction"],
            quantity(each["current_value"], unit),
            quantity(each["predicted_value_7d"], unit),
            f"{quantity(low, unit)} to {quantity(high, unit)}",
            f"{each['p_value']:.2g}",
        )
    return table


def _gpu(used: float | None) -> str:
    return "not measured" if used is None else f"{used:.0f} %"


def _words(name: str) -> str:
    return name.replace("_", " ")
