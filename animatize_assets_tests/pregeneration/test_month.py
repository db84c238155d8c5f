"""A simulated month: half as dear as on demand, near the best possible, little wasted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]


def simulated(*options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The benchmark's exit code and its rows by the beginning of their names."""
    done = subprocess.run(
        [sys.executable, "benchmarks/pregeneration.py", "--json", *options],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    rows = {row["name"].split(":")[0]: row for row in json.loads(done.stdout)["results"]}
    return done.returncode, rows


def test_a_few_nights_are_half_as_dear_and_hit_what_is_asked_for() -> None:
    code, rows = simulated("--quick")
    assert code == 0
    assert rows["made ahead"]["value"] >= 30
    assert rows["waste"]["value"] <= 0.1
    assert rows["hit share / the best possible"]["value"] > 0.3


@pytest.mark.full
def test_a_month_reaches_every_figure() -> None:
    code, rows = simulated()
    assert code == 0
    assert {name for name, row in rows.items() if row["goal"]} == {
        "pictures made ahead",
        "hit share / the best possible",
        "waste",
        "by day",
    }
    assert all(row["met"] for row in rows.values() if row["goal"])
