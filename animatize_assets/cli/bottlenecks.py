"""``animatize bottlenecks``: what holds jobs up, and what mending it would bring."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from animatize_assets.cli.findings import bottleneck_page, no_jobs, opportunity_page
from animatize_assets.cli.terminal import Terminal
from animatize_assets.workplace.opening import open_workplace


def bottlenecks(terminal: Terminal, *, days: int) -> int:
    """Print what was found in the jobs of the last days."""
    room = open_workplace().performance
    analyzer = room.analyzer()
    told = [each.model_dump(mode="json") for each in analyzer.analyze_bottlenecks(days)]
    offered = [
        each.model_dump(mode="json") for each in analyzer.identify_optimization_opportunities(days)
    ]
    since = datetime.now(UTC) - timedelta(days=days)
    jobs = room.store.count(since=since)
    terminal.document(
        {
            "period_days": days,
            "total_jobs": jobs,
            "bottlenecks": told,
            "optimization_opportunities": offered,
        }
    )
    if not jobs:
        terminal.say(no_jobs(room.store, days))
        return 0
    terminal.say(*bottleneck_page(told, jobs), *opportunity_page(offered))
    return 0
