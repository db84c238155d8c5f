"""The charts of the view Performance, as SVG pictures of their own that know light and dark.

Belongs here: drawing. Does not belong here: what is drawn (``figures``); each chart's figures also
stand in a table of the page, for who cannot see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from animatize_assets.performance.report_charts import svg_style
from animatize_assets.performance.report_page import duration
from animatize_assets.performance.trends import FORECAST_DAYS, Trend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_INKS: Final = {
    "text": ("#010101", "#1b1b1b", "#ececec"),
    "rule": ("#020202", "#d6d6d2", "#3b4045"),
    "first": ("#030303", "#17577f", "#8cc4ea"),
    "second": ("#040404", "#8a5200", "#f0bd6d"),
    "third": ("#050505", "#1c6b3c", "#7fd3a0"),
    "fourth": ("#060606", "#7a3e8c", "#d3a4e3"),
    "fifth": ("#070707", "#a32020", "#ff9d9d"),
}
"""Name -> the colour that is drawn, and what stands for it in light and in dark."""

_REPORT_INKS: Final = {
    "text": ("#1b1b1b", "#ececec"),
    "rule": ("#d6d6d2", "#3b4045"),
    "image": ("#17577f", "#8cc4ea"),
    "video": ("#8a5200", "#f0bd6d"),
    "failed": ("#a32020", "#ff9d9d"),
}
"""What the weekly report's charts leave to the page that they stand in: light and dark."""

_IN_ORDER: Final = ("first", "second", "third", "fourth", "fifth")

_MOST_DAYS_NAMED = 6

MOST_POINTS: Final = 1_000
"""Of the chart of estimates; the newest ones, so that the picture stays small."""

_WIDTH_IN, _HEIGHT_IN = 5.6, 3.0
_STYLE: Final[dict[Any, Any]] = svg_style(text=_INKS["text"][0], rule=_INKS["rule"][0])


def time_chart(jobs: pd.DataFrame, trends: Sequence[Trend], pipeline: str) -> str | None:
    """Draw each day's median and 95th percentile, and the forecast; None without any job."""
    done = jobs[(jobs["pipeline_type"] == pipeline) & jobs["success"]]
    if done.empty:
        return None
    by_day = done.groupby(done["finished_at"].dt.date)["total_time_seconds"]
    median, slowest = by_day.median(), by_day.quantile(0.95)
    first, last = min(median.index), max(median.index)
    forecast_day = datetime.now(UTC).date() + timedelta(days=FORECAST_DAYS)
    forecast = next((each for each in trends if each.metric == f"{pipeline}_generation_time"), None)

    def draw(axes: Axes) -> None:
        axes.plot(slowest.index, slowest, color=_ink("second"), marker=".", label="95 % below")
        axes.plot(median.index, median, color=_ink("first"), marker="o", label="median")
        if forecast is not None:
            value = forecast.predicted_value_7d
            below, above = value - forecast.predicted_low_7d, forecast.predicted_high_7d - value
            axes.errorbar(
                [forecast_day],  # type: ignore[arg-type]
                [value],
                yerr=[[max(0.0, below)], [max(0.0, above)]],
                color=_ink("third"),
                fmt="D",
                capsize=4,
                label="typical job in 7 days (80 %)",
            )
        axes.set_ylim(0, 1.1 * max(axes.dataLim.y1, 1e-3))
        _in_words(axes, "y")
        _with_days(axes, first, last if forecast is None else forecast_day)
        _with_legend(axes)

    return _svg(f"time-{pipeline}", draw)


def accuracy_chart(jobs: pd.DataFrame) -> str | None:
    """Draw estimated against actual time with the +-20 % band; None without any estimate."""
    known = jobs["success"] & jobs["predicted_seconds"].gt(0) & jobs["total_time_seconds"].gt(0)
    promised = jobs[known].tail(MOST_POINTS)
    if promised.empty:
        return None

    def draw(axes: Axes) -> None:
        seen = promised[["predicted_seconds", "total_time_seconds"]]
        ends = [float(seen.min().min()) / 1.3, float(seen.max().max()) * 1.3]
        axes.fill_between(
            ends,
            [0.8 * end for end in ends],
            [1.2 * end for end in ends],
            color=_ink("third"),
            alpha=0.25,
            linewidth=0,
            label="within 20 %",
        )
        axes.plot(ends, ends, color=_ink("rule"), linewidth=1)
        for number, (pipeline, of_pipeline) in enumerate(promised.groupby("pipeline_type")):
            axes.scatter(
                of_pipeline["total_time_seconds"],
                of_pipeline["predicted_seconds"],
                s=9,
                color=_ink(_IN_ORDER[number]),
                label=str(pipeline),
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("actual")
        axes.set_ylabel("estimated")
        _in_words(axes, "x")
        _in_words(axes, "y")
        _with_legend(axes)

    return _svg("accuracy", draw)


def cost_chart(costs: Sequence[tuple[date, str, float]]) -> str | None:
    """Draw what each day cost, provider by provider; None when nothing cost anything."""
    if not any(usd for _, _, usd in costs):
        return None
    days = sorted({day for day, _, _ in costs})
    providers = sorted({provider for _, provider, _ in costs})

    def draw(axes: Axes) -> None:
        bottom = [0.0] * len(days)
        for number, provider in enumerate(providers):
            of_day = {day: usd for day, name, usd in costs if name == provider}
            height = [of_day.get(day, 0.0) for day in days]
            color = _ink(_IN_ORDER[number % len(_IN_ORDER)])
            axes.bar(days, height, 0.8, bottom, color=color, label=provider)  # type: ignore[arg-type]
            bottom = [low + high for low, high in zip(bottom, height, strict=True)]
        axes.set_ylabel("US dollars")
        _with_days(axes, days[0], days[-1])
        _with_legend(axes)

    return _svg("cost", draw)


def _in_words(axes: Axes, which: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    if axis.get_scale() == "log":
        axis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=8))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda seconds, _: duration(seconds)))


def _with_days(axes: Axes, first: date, last: date) -> None:
    from matplotlib.dates import DateFormatter, DayLocator

    day = timedelta(days=1)
    every = max(1, -(-(last - first).days // _MOST_DAYS_NAMED))
    axes.set_xlim(first - day, last + day)  # type: ignore[arg-type]
    axes.xaxis.set_major_locator(DayLocator(interval=every))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter("%d %b"))  # type: ignore[no-untyped-call]


def _with_legend(axes: Axes) -> None:
    axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), fontsize=9)


def _ink(name: str) -> str:
    return _INKS[name][0]


def _svg(name: str, draw: Callable[[Axes], None]) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

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
    for ink, (drawn, _, _) in _INKS.items():
        drawing = drawing.replace(drawn, f"var(--{ink})")
    return _with_colors(drawing, {ink: shown for ink, (_, *shown) in _INKS.items()})


def standing_alone(drawing: str) -> str:
    """Return a chart of the weekly report as a picture of its own, in the dashboard's colours."""
    return _with_colors(drawing, _REPORT_INKS)


def _with_colors(drawing: str, colors: Mapping[str, Sequence[str]]) -> str:
    """Put into an SVG what its colours are, in light and in dark."""
    light, dark = (
        "".join(f"--{ink}:{shown[scheme]};" for ink, shown in colors.items())
        + f"color:{colors['text'][scheme]};"
        for scheme in (0, 1)
    )
    style = f"<style>:root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    at = drawing.index(">", drawing.index("<svg")) + 1
    return drawing[:at] + style + drawing[at:]
