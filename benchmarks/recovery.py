"""How long an instance takes until every image is complete after something was killed.

The tests that are named here kill and start again, fill a disk and set a clock (real processes,
real PostgreSQL, the instance files as they ship), assert that every image is complete, made once
and without a person's hand, and note how long it took. This runs them and reads that. A test that
fails is a row that is not measured.

    python benchmarks/recovery.py [--quick] [--only NAME] [--json]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

from report import Measurement, finish

PROJECT = Path(__file__).parents[1]
TESTS = {
    "killed": "animatize_assets_tests/integration/test_recovery.py",
    "disk": "animatize_assets_tests/integration/test_full_disk.py",
    "clock": "animatize_assets_tests/integration/test_clock_jump.py",
}
GOAL_S = 300.0
"""Issue: time to recover under five minutes each."""


def main() -> int:
    """Run the tests, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="what `make test` runs")
    parser.add_argument("--only", choices=TESTS, help="one kind of them; default: all")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        full = [] if options.quick else ["--full"]
        files = [TESTS[options.only]] if options.only else list(TESTS.values())
        command = [sys.executable, "-m", "pytest", "-q", *files, *full, f"--junitxml={report}"]
        # The newer family of reports keeps no properties.
        ended = subprocess.run(
            [*command, "--override-ini=junit_family=xunit1"],
            cwd=PROJECT,
            stdout=sys.stderr,
            check=False,
        )
        rows = rows_of(report)
    return max(finish("recovery", rows, as_json=options.json), min(ended.returncode, 1))


def rows_of(report: Path) -> list[Measurement]:
    """Return a row for each test that measures; without a value of one that failed."""
    rows = []
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  # pytest wrote it just now
        if case.find("skipped") is not None:
            continue
        noted = {each.get("name"): each.get("value") for each in case.iter("property")}
        failed = case.find("failure") is not None or case.find("error") is not None
        if not failed and "recovery_s" not in noted:
            continue
        told = noted.get("recovery_s")
        seconds = None if failed or told is None else float(told)
        met = None if seconds is None else seconds < GOAL_S
        name = case.get("name", "").removeprefix("test_").replace("_", " ")
        name = name.replace("[", " (").replace("]", ")")  # rich takes brackets for styles
        rows.append(Measurement(name, seconds, "s", goal=f"under {GOAL_S:g} s", met=met))
    return rows


if __name__ == "__main__":
    sys.exit(main())
