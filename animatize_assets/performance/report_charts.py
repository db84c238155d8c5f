"""The weekly report's charts, as SVG that stands within the page.

Belongs here: drawing. Does not belong here: what is drawn (``weekly_report``), the page
(``report_page``).

Colours are those of the page: what is drawn in a colour of :data:`_INKS` takes the page's own
when it is shown, so that one drawing serves light and dark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

from animatize_assets.performance.daily_trends import DailyTrend
from animatize_assets.performance.models import PIPELINE_TYPES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INKS = {
    "text": ("#010101", "currentColor"),
    "rule": ("#020202", "var(--rule)"),
    "image": ("#030303", "var(--image)"),
    "video": ("#040404", "var(--video)"),
    "failed": ("#050505", "var(--failed)"),
}
"""Name -> the colour that is drawn, and what stands in the page instead of it."""

_WIDTH_IN, _HEIGHT_IN = 4.8, 2.3


def svg_style(*, text: str, rule: str) -> dict[str, Any]:
    """Return matplotlib's settings for a chart in a page, inked in these two colours."""
    return {
        "svg.fonttype": "none",  # letters stay letters: read aloud, and in the page's own type
        "font.family": "sans-serif",
        "font.size": 11,
        "text.color": text,
        "axes.edgecolor": rule,
        "axes.labelcolor": text,
        "xtick.color": text,
        "ytick.color": text,
        "grid.color": rule,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }


_STYLE: dict[Any, Any] = {
    **svg_style(text=_INKS["text"][0], rule=_INKS["rule"][0]),
    "axes.spines.left": False,
}


def jobs_chart(days: Sequence[DailyTrend], week_start: date) -> str:
    """Draw how many jobs of each pipeline ended each day, and how many of them failed."""
    from matplotlib.ticker import MaxNLocator

    names = _day_names(week_start)

    def draw(axes: Axes) -> None:
        bottom = [0] * len(names)
        for pipeline in PIPELINE_TYPES:
            of_day = {day.date: day for day in days if day.pipeline_type == pipeline}
            done = [_count(of_day, week_start, n, "successful_jobs") for n in range(len(names))]
            if any(done):
                axes.bar(names, done, 0.62, bottom, color=_ink(pipeline), label=pipeline)
                bottom = [low + high for low, high in zip(bottom, done, strict=True)]
        failed = [
            sum(
                day.total_jobs - day.successful_jobs
                for day in days
                if day.date == week_start + timedelta(days=n)
            )
            for n in range(len(names))
        ]
        if any(failed):
            axes.bar(names, failed, 0.62, bottom, color=_ink("failed"), label="failed")
        axes.set_ylabel("jobs")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), fontsize=10)

    total = sum(day.total_jobs for day in days)
    return _svg("jobs", f"Jobs per day, {total} in all", draw)


def time_chart(days: Sequence[DailyTrend], week_start: date, pipeline: str) -> str:
    """Draw the median seconds of each day's jobs, and up to which time 95 % of them ended."""
    names = _day_names(week_start)
    points = [
        ((day.date - week_start).days, day.median_generation_time, day.p95_generation_time)
        for day in days
        if day.pipeline_type == pipeline
        and day.median_generation_time is not None
        and day.p95_generation_time is not None
    ]

    def draw(axes: Axes) -> None:
        for place, median, slowest in points:
            axes.plot([place] * 2, [median, slowest], color=_ink(pipeline), alpha=0.4, linewidth=6)
        places, medians, _ = zip(*points, strict=True)
        axes.plot(places, medians, color=_ink(pipeline), marker="o", linewidth=2)
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("seconds")

    return _svg(f"time-{pipeline}", f"Seconds per {pipeline} job, day by day", draw)


def _count(of_day: dict[date, DailyTrend], week_start: date, number: int, name: str) -> int:
    day = of_day.get(week_start + timedelta(days=number))
    return 0 if day is None else int(getattr(day, name))


def _day_names(week_start: date) -> list[str]:
    return [f"{week_start + timedelta(days=number):%a}" for number in range(7)]


def _ink(name: str) -> str:
    return _INKS[name][0]


def _svg(name: str, label: str, draw: Callable[[Axes], None]) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # the salt makes ids that are the same each time, and different in each chart of a page
    with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="y", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        draw(axes)
        written = StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    drawing = written.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    # groups are named alike in every chart, and nothing refers to them
    drawing = re.sub(r'<g id="[^"]*"', "<g", drawing)
    for drawn, shown in _INKS.values():
        drawing = drawing.replace(drawn, shown)
    return drawing.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
