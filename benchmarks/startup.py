"""What starting costs: loading the code location, and ``animatize --help``.

The code location loads in at most twice the CPU time of ``import dagster``; ``animatize --help``
takes at most 0.5 s of CPU. Each is measured in fresh processes that take turns.

    python benchmarks/startup.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from report import REPEATS, compare, finish, measure

LOCATION_GOAL = 2.0
HELP_GOAL_S = 0.5

SIDES = {
    "dagster": [sys.executable, "-c", "import dagster"],
    "location": [sys.executable, "-c", "import animatize_assets.definitions"],
    "help": [str(Path(sys.executable).with_name("animatize")), "--help"],
}


def cpu_seconds(command: list[str]) -> float:
    """CPU time, user and system, of a process from start to end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure each side in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same: it takes under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    for command in SIDES.values():
        cpu_seconds(command)  # so that every file is in the page cache and compiled
    for _ in range(REPEATS):
        for name, command in SIDES.items():
            seconds[name].append(cpu_seconds(command))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    rows = [
        compare(
            "loading the code location against import dagster",
            median["location"],
            "s CPU",
            baseline=median["dagster"],
            goal=LOCATION_GOAL,
            direction="at most",
        ),
        measure("animatize --help", median["help"], "s CPU", goal=HELP_GOAL_S),
    ]
    return finish("startup", rows, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
