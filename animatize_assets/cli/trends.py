"""``animatize trends``: which way time, success and cost are going."""

from __future__ import annotations

from animatize_assets.cli.findings import no_jobs, trend_table
from animatize_assets.cli.tables import facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.performance.models import PipelineType
from animatize_assets.performance.pipeline_trends import pipeline_trends
from animatize_assets.performance.report_page import duration, percent
from animatize_assets.workplace.opening import open_workplace


def trends(terminal: Terminal, *, days: int, pipeline: PipelineType | None) -> int:
    """Print the trends of the last days."""
    room = open_workplace().performance
    told = pipeline_trends(
        room.store, days_back=days, pipeline_type=pipeline, thresholds=room.thresholds
    )
    terminal.document(told)
    if not told["trends"]:
        terminal.say(no_jobs(room.store, days))
    for name, each in told["trends"].items():
        rows = [
            ("jobs", f"{each['total_jobs']}, {percent(each['success_rate'])} successful"),
            ("time per job", f"{duration(each['avg_generation_time'])} on average"),
            ("going", each["time_trend"] or "not known yet: too few days have jobs"),
        ]
        terminal.say(facts(f"{name} jobs of the last {days} day(s)", rows))
        if each["metrics"]:
            terminal.say(trend_table(each["metrics"]))
    return 0
