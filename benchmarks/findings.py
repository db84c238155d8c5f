"""How long the findings of a week take that the service computes for its pages.

    python benchmarks/findings.py [--quick] [--json] [--postgres URL]

3,000 and 50,000 jobs of five weeks, faults included (the labelled traces of the tests): all
detectors and opportunities over the last seven days, held against the four weeks before, against
``pandas.read_sql`` of the same rows. Beside them the trends, and the report of the week before.

``--quick``: 3,000 jobs only. ``--postgres``: an empty database instead of SQLite.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import project  # noqa: F401  # the tests' labelled traces
from report import Measurement, alternate, compare, finish, measure, medians
from sqlalchemy import delete, select

from animatize_assets.database.performance_tables import generation_performance
from animatize_assets.performance.analyzer import EARLIER_DAYS
from animatize_assets.performance.models import JobRecord
from animatize_assets.performance.opening import PerformanceRoom
from animatize_assets.performance.weekly_report import WEEK, monday_of
from animatize_assets.web.views import findings, trends, weekly_report
from animatize_assets_tests.performance import simulator

GOAL_RATIOS = {3_000: 12.0, 50_000: 4.0}
"""By the number of jobs: among few, statistics that take as long among any number weigh more."""
DAYS = 7
SEED = 5
SITES = 4
"""Each with its own workers; their jobs come at the same time, so that five weeks hold them."""
FIVE_WEEKS = timedelta(days=DAYS + EARLIER_DAYS)


def main() -> int:
    """Measure, print, and say by the exit code whether a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="3,000 jobs only")
    parser.add_argument("--postgres", metavar="URL", help="an empty database")
    options = parser.parse_args()
    rows: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder:
        url = options.postgres or f"sqlite:///{folder}/performance.db"
        room = PerformanceRoom(url, "sqlite://", Path(folder))
        for count in list(GOAL_RATIOS)[: 1 if options.quick else None]:
            with room.engine.begin() as connection:
                connection.execute(delete(generation_performance))
            room.store.record(*traced_jobs(count, until=datetime.now(UTC)))
            rows += measured(room, count)
        room.close()
    return finish("findings", rows, as_json=options.json)


def traced_jobs(count: int, *, until: datetime) -> list[JobRecord]:
    """Return so many jobs of the five weeks that end then: every second trace has a fault."""
    kinds = itertools.cycle((simulator.mixed, simulator.healthy))
    traces: list[tuple[JobRecord, ...]] = []
    while sum(map(len, traces)) < count:
        traces.append(next(kinds)(len(traces), SEED).jobs)
    turns = -(-len(traces) // SITES)
    made: list[JobRecord] = []
    for number, trace in enumerate(traces):
        site, turn = number % SITES, number // SITES
        later = until - (turns - 1 - turn) * FIVE_WEEKS / turns - trace[-1].finished_at
        made += [_moved(job, later, f"{number}", f"site-{site}") for job in trace]
    return made[:count]


def _moved(job: JobRecord, later: timedelta, number: str, site: str) -> JobRecord:
    moments = {name: getattr(job, name) for name in ("submitted_at", "started_at", "finished_at")}
    parameters = job.parameters
    return job.model_copy(
        update={name: None if at is None else at + later for name, at in moments.items()}
        | {
            "job_id": f"{number}-{job.job_id}",
            "parameters": parameters.model_copy(update={"worker": f"{site}-{parameters.worker}"}),
        }
    )


def measured(room: PerformanceRoom, count: int) -> Iterator[Measurement]:
    """Time what the pages show, and the reading that all of it begins with."""
    import pandas as pd  # not for who only asks for help

    since = datetime.now(UTC) - timedelta(days=DAYS + EARLIER_DAYS)
    rows = select(generation_performance).where(generation_performance.c.finished_at >= since)
    monday = monday_of(datetime.now(UTC).date()) - WEEK
    seconds = medians(
        alternate(
            {
                "read_sql": lambda: pd.read_sql(rows, room.engine),
                "findings": lambda: findings(room, DAYS),
                "trends": lambda: trends(room, DAYS, None),
                "report": lambda: weekly_report(room, monday),
            }
        )
    )
    yield compare(
        f"findings among {count:,} jobs, against pandas.read_sql of them",
        seconds["findings"],
        "s",
        baseline=seconds["read_sql"],
        goal=GOAL_RATIOS[count],
        direction="at most",
    )
    yield measure(f"trends of {DAYS} days among {count:,} jobs", seconds["trends"], "s")
    yield measure(f"a week's report among {count:,} jobs", seconds["report"], "s")


if __name__ == "__main__":
    sys.exit(main())
