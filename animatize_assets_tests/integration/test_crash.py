"""A worker that is killed in mid-run leaves a state from which the next run finishes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from animatize_assets.orchestration import open_instance
from animatize_assets.pipeline.stages import STAGES
from animatize_assets_tests.defs.runs import register, states
from animatize_assets_tests.integration.daemons import CODE_LOCATION, environment
from animatize_assets_tests.pipeline.cheap import made, wish


def materialize(first: str, last: str) -> int:
    """The README's command for a range; its exit code."""
    command = Path(sys.executable).with_name("dagster")
    arguments = ["asset", "materialize", "--select", "group:animatize", "-m", CODE_LOCATION]
    return subprocess.run(
        [command, *arguments, "--partition-range", f"{first}...{last}"],
        env=environment(),
        capture_output=True,
        check=False,
    ).returncode


@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")
@pytest.mark.parametrize(
    ("either_instance", "stage"),
    [
        ("sqlite", "scene_analysis"),
        ("postgresql", "animatic_clip"),
        pytest.param("sqlite", "animatic_clip", marks=pytest.mark.full),
        pytest.param("postgresql", "scene_analysis", marks=pytest.mark.full),
    ],
    indirect=["either_instance"],
)
def test_the_next_run_finishes_and_repeats_nothing(
    either_instance: str, stage: str, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    with open_instance(data_dir) as instance:
        keys = register(instance, data_dir, 3)
        wish(data_dir, kill_at=[keys[1], stage])
        assert materialize(keys[0], keys[-1]) == -signal.SIGKILL
        finished = made(data_dir)
        at = STAGES.index(stage)
        assert finished == [(keys[0], s) for s in STAGES] + [(keys[1], s) for s in STAGES[:at]]
        assert states(instance, keys)["source_image"][keys[0]] == "materialized"

        wish(data_dir)
        assert materialize(keys[0], keys[-1]) == 0
        for by_key in states(instance, keys).values():
            assert set(by_key.values()) == {"materialized"}
        assert sorted(made(data_dir)) == sorted((key, s) for key in keys for s in STAGES)
    left = list((data_dir / "artifacts").rglob("*draft*"))
    assert len(left) <= 1  # the killed stage's own, which the next day's draft removes
