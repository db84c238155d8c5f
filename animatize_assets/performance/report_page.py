"""How a person sees the weekly report: a page, and a few lines of Markdown.

Belongs here: words for numbers, and putting the template and the charts together. Does not belong
here: the numbers (``weekly_report``).

The page is one file without scripts or addresses of others; everything that comes from records is
escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from animatize_assets.performance.daily_trends import DailyTrend
from animatize_assets.performance.models import PIPELINE_TYPES
from animatize_assets.performance.opportunities import Opportunity
from animatize_assets.performance.report_charts import jobs_chart, time_chart
from animatize_assets.performance.trends import Trend
from animatize_assets.performance.weekly_report import WeeklyReport

TEMPLATE = "weekly_report.html.j2"
NOT_MEASURED = "not measured"
MARKDOWN_FINDINGS = 3


@dataclass(frozen=True)
class ReportParts:
    """What is shown of a report, beside what stands in it."""

    title: str
    headline: str
    tiles: tuple[tuple[str, str, str], ...]
    """Name, this week, the week before."""
    charts: tuple[tuple[str, str], ...]
    """Caption and drawing: SVG whose colours are those of the page that it stands in."""
    changing: tuple[Trend, ...]
    stable: tuple[Trend, ...]
    opportunities: tuple[Opportunity, ...]
    """Beyond mending the bottlenecks."""


def html_page(report: WeeklyReport, parts: ReportParts | None = None) -> str:
    """Return the page. ``parts``: those of the report, where they have been drawn already."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("animatize_assets.performance"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "duration": duration,
        "quantity": quantity,
        "words": _words,
        "code": _code,
    }
    parts = parts or report_parts(report)
    # not escaped again: drawn here, with numbers and names of this project's own
    charts = [(caption, Markup(drawing)) for caption, drawing in parts.charts]  # noqa: S704
    page: str = environment.get_template(TEMPLATE).render(
        report=report,
        title=parts.title,
        headline=parts.headline,
        tiles=parts.tiles,
        charts=charts,
        changing=parts.changing,
        stable=parts.stable,
        opportunities=parts.opportunities,
    )
    return page


def report_parts(report: WeeklyReport) -> ReportParts:
    """Return what a page shows of a report, for whoever has a page of their own."""
    drawn = [("Jobs per day", jobs_chart(report.days, report.week_start))] if report.days else []
    drawn += [
        (f"Seconds per {pipeline} job", time_chart(report.days, report.week_start, pipeline))
        for pipeline in PIPELINE_TYPES
        if any(_is_timed(day) for day in report.days if day.pipeline_type == pipeline)
    ]
    return ReportParts(
        title=f"Week of {period(report.week_start, report.week_end)}",
        headline=headline(report),
        tiles=tuple(_tiles(report)),
        charts=tuple(drawn),
        changing=tuple(trend for trend in report.trends if trend.direction != "stable"),
        stable=tuple(trend for trend in report.trends if trend.direction == "stable"),
        opportunities=tuple(_further(report)),
    )


def markdown(report: WeeklyReport) -> str:
    """Return the report in a few lines, for an asset's metadata."""
    lines = [f"**{period(report.week_start, report.week_end)}**: {headline(report)}", ""]
    if report.totals.total_jobs:
        lines += ["| | this week | the week before |", "|---|---|---|"]
        lines += [f"| {name} | {now} | {before} |" for name, now, before in _tiles(report)]
        lines += [""]
    for found in report.bottlenecks[:MARKDOWN_FINDINGS]:
        lines.append(f"- **{_words(found.type)}**: {_plain(found.description)}")
    lines += ["", "What to do:", ""] if report.recommendations else []
    lines += [f"{n}. {_plain(told)}" for n, told in enumerate(report.recommendations, 1)]
    return "\n".join(lines).strip() + "\n"


def headline(report: WeeklyReport) -> str:
    """Say the week in one sentence."""
    totals = report.totals
    if not totals.total_jobs:
        return "No job ended in this week."
    jobs = "One job" if totals.total_jobs == 1 else f"{totals.total_jobs:,} jobs"
    told = f"{jobs}, {percent(totals.success_rate)} of them successful, "
    told += f"{duration(totals.total_generation_time)} of work"
    if totals.cost_usd is not None:
        told += f", {dollars(totals.cost_usd)}"
    worst = report.bottlenecks[0] if report.bottlenecks else None
    held = f"what held them up most: {_words(worst.type)}" if worst else "nothing held them up"
    return f"{told}; {held}."


def period(first: date, last: date) -> str:
    """Write a week: ``1 to 7 June 2026``."""
    if first.year != last.year:
        return f"{first.day} {first:%B %Y} to {last.day} {last:%B %Y}"
    if first.month != last.month:
        return f"{first.day} {first:%B} to {last.day} {last:%B %Y}"
    return f"{first.day} to {last.day} {last:%B %Y}"


def percent(share: float | None) -> str:
    """Write a share: ``97 %``; what is nearly all gets a decimal, and never reads as all."""
    if share is None:
        return NOT_MEASURED
    return f"{min(100 * share, 99.9):.1f} %" if 0.99 <= share < 1 else f"{100 * share:.0f} %"


def duration(seconds: float | None) -> str:
    """Write a duration in the unit that a person would choose."""
    if seconds is None:
        return NOT_MEASURED
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def dollars(usd: float | None) -> str:
    """Write money."""
    return NOT_MEASURED if usd is None else f"${usd:,.2f}"


def quantity(value: float, unit: str) -> str:
    """Write a value of a trend in its unit."""
    if unit == "share":
        return percent(value)
    if unit == "per cent":
        return f"{value:.0f} %"
    if unit == "USD":
        return f"${value:.4g}"
    return duration(value) if unit == "s" else f"{value:.3g} {unit}"


def _further(report: WeeklyReport) -> list[Opportunity]:
    """Return what could be gained beyond mending the bottlenecks, which stand above already."""
    named = {found.type for found in report.bottlenecks}
    return [each for each in report.opportunities if each.area not in named]


def _tiles(report: WeeklyReport) -> list[tuple[str, str, str]]:
    """Name, this week, the week before."""
    now, before = report.totals, report.before
    return [
        ("Jobs", f"{now.total_jobs:,}", f"{before.total_jobs:,}"),
        ("Successful", percent(now.success_rate), percent(before.success_rate)),
        (
            "Time per job",
            duration(now.avg_generation_time),
            duration(before.avg_generation_time),
        ),
        ("Waiting", duration(now.avg_queue_time), duration(before.avg_queue_time)),
        ("Work", duration(now.total_generation_time), duration(before.total_generation_time)),
        ("Cost", dollars(now.cost_usd), dollars(before.cost_usd)),
    ]


def _is_timed(day: DailyTrend) -> bool:
    return day.median_generation_time is not None


def _words(name: str) -> str:
    """Write a name of the API for a person: ``high_queue_time`` as ``high queue time``."""
    return name.replace("_", " ").replace("gpu", "GPU").replace("cpu", "CPU")


def _code(sentence: str) -> Any:
    """Show what stands between backticks as code; everything is escaped first."""
    from markupsafe import Markup, escape

    parts = sentence.split("`")
    shown = [
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    ]
    return Markup("").join(shown)


def _plain(sentence: str) -> str:
    """Take from a sentence what would be markup in a list of Markdown."""
    return sentence.replace("\n", " ").replace("<", "&lt;").replace("|", "\\|")
