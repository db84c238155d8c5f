"""``animatize report``: what a week of jobs was, and what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.markdown import Markdown

from animatize_assets.cli.findings import no_jobs, period_page
from animatize_assets.cli.terminal import Terminal
from animatize_assets.performance.opening import PerformanceRoom
from animatize_assets.performance.report_page import html_page, markdown
from animatize_assets.performance.weekly_report import WEEK, build_weekly_report, monday_of
from animatize_assets.workplace.opening import open_workplace


def report(
    terminal: Terminal, *, weeks_back: int | None, html: Path | None, days: int | None
) -> int:
    """Print the report of a week, or of the last days; ``html``: where the week's page goes."""
    if days is not None and (weeks_back is not None or html is not None):
        raise click.UsageError("--days is for itself: a page and --weeks-back are of a week.")
    room = open_workplace().performance
    if days is not None:
        return _last_days(terminal, room, days)
    monday = monday_of(datetime.now(UTC).date()) - (weeks_back or 0) * WEEK
    told = build_weekly_report(room.store, monday, thresholds=room.thresholds)
    if html is not None:
        html.write_text(html_page(told), encoding="utf-8")
        terminal.note(f"Written: {html}")
    terminal.document(told.predecessor_body())
    terminal.say(Markdown(markdown(told)))
    if not weeks_back and not told.totals.total_jobs and told.before.total_jobs:
        terminal.say("The week before had jobs: `animatize report --weeks-back 1`.")
    return 0


def _last_days(terminal: Terminal, room: PerformanceRoom, days: int) -> int:
    told = room.analyzer().generate_performance_report(days)
    terminal.document(told)
    is_empty = not told["overall_statistics"]["total_jobs"]
    terminal.say(*([no_jobs(room.store, days)] if is_empty else period_page(told)))
    return 0
