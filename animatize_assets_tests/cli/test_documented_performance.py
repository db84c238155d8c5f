"""What docs/performance.md says can be typed and called, can."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from animatize_assets.cli.entry import animatize as command_line
from animatize_assets.defs.performance_schedules import build_performance_schedules
from animatize_assets.defs.performance_sensors import build_performance_sensors
from animatize_assets.performance.bottlenecks.findings import BottleneckType
from animatize_assets.performance.tracking import use_tracking
from animatize_assets.settings import Settings
from animatize_assets.workplace.from_settings import performance_room

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (?:\$ )?animatize ([^#\n]+)", TEXT + README, re.MULTILINE)


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_line_is_understood(command: str) -> None:
    name, *arguments = command.split()
    found = command_line.get_command(click.Context(command_line), name)
    assert found is not None
    found.make_context(name, arguments)  # parses, and raises what a person would see


@pytest.mark.parametrize(
    "name", ["estimate", "rate", "train", "report", "bottlenecks", "trends", "alerts"]
)
def test_every_command_about_time_is_documented(name: str) -> None:
    assert any(each.split()[0] == name for each in COMMANDS)


def test_the_example_of_tracking_records_both_jobs() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    with use_tracking(None):  # what the example sets ends here
        exec(compile(example, "docs/performance.md", "exec"), names)
    room = performance_room(Settings.read())
    picture, clip = room.store.jobs()
    room.engine.dispose()
    assert (picture.parameters.width, picture.parameters.provider) == (768, "my-server")
    assert "prompt" not in picture.parameters.extra
    assert (clip.job_id, clip.parameters.frame_count, clip.success) == ("job_123", 60, True)
    assert clip.promise is not None


def test_every_variable_and_every_bottleneck_is_one() -> None:
    read = {f"ANIMATIZE_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"ANIMATIZE_\w+", TEXT)) <= read
    assert set(get_args(BottleneckType)) <= set(re.findall(r"`(\w+)`", TEXT))


def test_what_works_by_itself_is_named_as_dagster_names_it() -> None:
    named = set(re.findall(r"`(\w+)`", TEXT))
    assert {each.name for each in build_performance_schedules()} <= named
    assert {each.name for each in build_performance_sensors()} <= named
