"""How every benchmark measures in pairs, prints its table and decides its exit code.

Belongs here: the row, the table, the JSON document, the alternation of two sides. Does not
belong here: anything that one benchmark measures. Import it as ``from report import ...``: a
script's own folder is on its path.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

REPEATS = 7
"""Fewest repeats of a median."""

Direction = Literal["at most", "at least"]


@dataclass(frozen=True)
class Measurement:
    """One row: what was measured, against what, and whether the goal is met.

    ``met`` is None when there is no goal or nothing was measured; a row without a measurement
    keeps its goal and is never met.
    """

    name: str
    value: float | None
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    goal: str | None = None
    met: bool | None = None


def compare(
    name: str, value: float, unit: str, *, baseline: float, goal: float, direction: Direction
) -> Measurement:
    """Make a row whose goal binds the ratio ``value / baseline``."""
    ratio = value / baseline
    return Measurement(
        name,
        value,
        unit,
        baseline,
        ratio,
        f"ratio {direction} {goal:g}",
        _met(ratio, goal, direction),
    )


def measure(
    name: str,
    value: float,
    unit: str,
    *,
    goal: float | None = None,
    direction: Direction = "at most",
    baseline: float | None = None,
) -> Measurement:
    """Make a row whose goal, if any, binds the value itself."""
    ratio = None if baseline in (None, 0) else value / baseline
    if goal is None:
        return Measurement(name, value, unit, baseline, ratio)
    return Measurement(
        name, value, unit, baseline, ratio, f"{direction} {goal:g}", _met(value, goal, direction)
    )


def not_measured(name: str, unit: str, goal: str) -> Measurement:
    """Make a row for a goal whose data is not here."""
    return Measurement(name, None, unit, goal=goal)


def _met(value: float, goal: float, direction: Direction) -> bool:
    return value <= goal if direction == "at most" else value >= goal


def alternate(
    sides: Mapping[str, Callable[[], object]], *, repeats: int = REPEATS, warm_up: int = 1
) -> dict[str, list[float]]:
    """Time each side per repeat, in seconds; they take turns, so both meet the same machine."""
    for _ in range(warm_up):
        for side in sides.values():
            side()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(max(repeats, REPEATS)):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def medians(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Take the median of each side."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def machine() -> dict[str, str | int]:
    """Where the figures were taken."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
    }


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            names = [
                line.partition(":")[2].strip() for line in lines if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"


def finish(benchmark: str, results: Sequence[Measurement], *, as_json: bool) -> int:
    """Print the results; the exit code: 1 when a measured goal is missed, else 0."""
    if as_json:
        document = {
            "benchmark": benchmark,
            "machine": machine(),
            "results": [asdict(row) for row in results],
        }
        json.dump(document, sys.stdout, indent=1)
        print()
    else:
        _print_table(benchmark, results)
    return int(any(row.met is False for row in results))


def _print_table(benchmark: str, results: Sequence[Measurement]) -> None:
    title = f"{benchmark} on {', '.join(str(part) for part in machine().values())} core(s)"
    table = Table(title=title)
    for heading in ("what", "value", "unit", "baseline", "ratio", "goal", "met"):
        right = heading in {"value", "baseline", "ratio"}
        table.add_column(heading, justify="right" if right else "left")
    for row in results:
        table.add_row(
            row.name,
            _number(row.value),
            row.unit,
            _number(row.baseline),
            _number(row.ratio),
            row.goal or "",
            _verdict(row),
        )
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 140)
    console.print(table)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _verdict(row: Measurement) -> str:
    if row.met is None:
        return "not measured" if row.value is None else ""
    return "yes" if row.met else "NO"
