"""The newest weekly report, for the view Performance: its parts, and its page as it is.

The asset ``weekly_performance_report`` writes reports below the data folder; they stay when job
records are deleted for their age. Where nobody has written that of the last whole week yet, it is
put together now. What takes long happens in the analysing process.

Belongs here: which report is shown, and what of it. Does not belong here: the report
(``performance.weekly_report``), its own page (``performance.report_page``), templates.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from animatize_assets.performance.report_page import ReportParts, html_page, report_parts
from animatize_assets.performance.weekly_report import WeeklyReport, build_weekly_report
from animatize_assets.web.dashboard.charts import standing_alone

if TYPE_CHECKING:
    from animatize_assets.performance.opening import PerformanceRoom

_log = logging.getLogger(__name__)

FOLDER: Final = "reports"
"""Below the data folder: where the asset writes."""

MOST_WEEKS: Final = 52
"""Of those that can be looked at, the newest."""

_WRITTEN = re.compile(r"week-(\d{4}-\d{2}-\d{2})\.json")


@dataclass(frozen=True)
class Week:
    """A report and what is shown of it."""

    report: WeeklyReport
    parts: ReportParts
    charts: tuple[str, ...]
    """In the order of the parts' captions: pictures of their own."""
    page: str
    """The report's own page."""


def written_weeks(data_dir: Path) -> tuple[date, ...]:
    """Return the Mondays of the weeks that have a report, the newest first."""
    found = (_WRITTEN.fullmatch(each.name) for each in (data_dir / FOLDER).glob("week-*.json"))
    return tuple(
        sorted((date.fromisoformat(each[1]) for each in found if each), reverse=True)[:MOST_WEEKS]
    )


def written_report(data_dir: Path, monday: date) -> WeeklyReport | None:
    """Return the report that was written of a week; None when there is none that can be read."""
    try:
        text = (data_dir / FOLDER / f"week-{monday}.json").read_bytes()
        return WeeklyReport.model_validate_json(text)
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        _log.warning(
            "The report of the week of %s is put together anew, for what was written cannot be "
            "read (%s).",
            monday,
            type(error).__name__,
        )
        return None


def week_of(room: PerformanceRoom, monday: date, written: WeeklyReport | None) -> Week:
    """Return the week that begins on that day; put together from the jobs unless it is written."""
    report = written or build_weekly_report(room.store, monday, thresholds=room.thresholds)
    parts = report_parts(report)
    return Week(
        report=report,
        parts=parts,
        charts=tuple(standing_alone(drawing) for _, drawing in parts.charts),
        page=html_page(report, parts),
    )
