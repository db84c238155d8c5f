"""Two providers, or two runs, side by side; computed in the analysing process.

Belongs here: which figures are compared. Does not belong here: how it looks (``templates``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from animatize_assets.performance.trends import within_20_percent

if TYPE_CHECKING:
    import pandas as pd

    from animatize_assets.performance.opening import PerformanceRoom

Kind = Literal["provider", "run"]

COLUMNS: Final[dict[Kind, str]] = {"provider": "provider", "run": "run_id"}

MOST_CHOICES: Final = 50
"""Of the lists to choose from; the latest runs, all providers."""

MOST_PAIRS: Final = 12
"""Images that both sides have, shown with their times."""


@dataclass(frozen=True)
class Side:
    """One of the two. Seconds and dollars; None: nothing was measured."""

    name: str
    jobs: int
    success_rate: float | None
    median: float | None
    p95: float | None
    waiting: float | None
    """Mean, before work began."""
    cost_usd: float | None
    """Of all jobs of known cost."""
    cost_per_job: float | None
    """Mean over successful jobs of known cost."""
    rating: float | None
    """Mean of people's, 1 to 5."""
    within_20_percent: float | None
    retries: int


@dataclass(frozen=True)
class Pair:
    """One image that both have worked on: seconds of its successful jobs."""

    image_key: str
    left: float
    right: float


@dataclass(frozen=True)
class Comparison:
    """What can be compared, and the two that are."""

    choices: tuple[str, ...]
    sides: tuple[Side, Side] | None
    """None: two have not been chosen."""
    shared_images: int
    pairs: tuple[Pair, ...]


def compare(room: PerformanceRoom, kind: Kind, names: tuple[str, str], days: int) -> Comparison:
    """Return the comparison of two over the last ``days`` days."""
    until = datetime.now(UTC)
    jobs = room.store.frame(since=until - timedelta(days=days), until=until)
    column = COLUMNS[kind]
    latest = jobs.dropna(subset=[column]).groupby(column)["finished_at"].max()
    choices = tuple(map(str, latest.sort_values(ascending=False).index[:MOST_CHOICES]))
    if not all(names):
        return Comparison(choices, None, 0, ())
    left, right = (jobs[jobs[column] == name] for name in names)
    pairs = _pairs(left, right)
    sides = (_side(names[0], left), _side(names[1], right))
    return Comparison(choices, sides, len(pairs), pairs[:MOST_PAIRS])


def _side(name: str, jobs: pd.DataFrame) -> Side:
    done = jobs[jobs["success"]]
    took = done["total_time_seconds"]
    return Side(
        name=name,
        jobs=len(jobs),
        success_rate=_known(jobs["success"].astype("float64").mean()),
        median=_known(took.median()),
        p95=_known(float(took.quantile(0.95))),
        waiting=_known(jobs["queue_time_seconds"].mean()),
        cost_usd=_known(jobs["cost_usd"].sum(min_count=1)),
        cost_per_job=_known(done["cost_usd"].mean()),
        rating=_known(jobs["user_rating"].mean()),
        within_20_percent=_known(within_20_percent(jobs).mean()),
        retries=int(jobs["retries"].sum()),
    )


def _pairs(left: pd.DataFrame, right: pd.DataFrame) -> tuple[Pair, ...]:
    """Return the images that both have, those whose times differ most first."""
    of_left, of_right = (
        side[side["success"]].groupby("partition_key")["total_time_seconds"].sum()
        for side in (left, right)
    )
    both = of_left.index.intersection(of_right.index)
    found = [Pair(str(key), float(of_left[key]), float(of_right[key])) for key in both]
    return tuple(sorted(found, key=lambda pair: -abs(pair.left - pair.right)))


def _known(value: float) -> float | None:
    """Turn the NaN of an empty column into None."""
    return None if value != value else float(value)  # noqa: PLR0124  # only NaN is not itself
