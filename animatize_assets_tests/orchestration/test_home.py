"""Where Dagster lives, and which process of ours is alive."""

from __future__ import annotations

import multiprocessing
import os
from importlib.resources import files
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.orchestration.home import TEMPLATE, open_instance, prepare_home
from animatize_assets.orchestration.partitions import contiguous_ranges
from animatize_assets.orchestration.process_marks import is_alive, marked_process


def test_without_dagster_home_it_is_below_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME")
    monkeypatch.delenv("DAGSTER_DISABLE_TELEMETRY")
    monkeypatch.chdir(tmp_path)
    home = prepare_home(Path("data"))
    assert home == tmp_path / "data" / "dagster"
    assert os.environ["ANIMATIZE_DATA_DIR"] == str(tmp_path / "data")
    assert os.environ["DAGSTER_HOME"] == str(home)
    assert os.environ["DAGSTER_DISABLE_TELEMETRY"] == "1"
    shipped = (files("animatize_assets") / TEMPLATE).read_bytes()
    assert (home / "dagster.yaml").read_bytes() == shipped
    assert b"enabled: false" in shipped
    assert [file.name for file in home.iterdir()] == ["dagster.yaml"]


def test_a_home_that_is_given_becomes_absolute_and_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    home = prepare_home(tmp_path / "data")
    assert os.environ["DAGSTER_HOME"] == str(home) == str(tmp_path / "mine")
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def _open_and_look(data_dir: Path, together: Barrier, told: Queue[int]) -> None:
    together.wait(60)
    with open_instance(data_dir) as instance:
        told.put(instance.get_runs_count())


def test_processes_that_open_a_new_home_at_once_all_find_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME")
    context = multiprocessing.get_context("fork")  # Dagster is imported already
    together, told = context.Barrier(3), context.Queue()
    arguments = (tmp_path / "data", together, told)
    processes = [context.Process(target=_open_and_look, args=arguments) for _ in range(3)]
    for each in processes:
        each.start()
    for each in processes:
        each.join(120)
    assert [each.exitcode for each in processes] == [0, 0, 0]
    assert [told.get(timeout=10) for _ in processes] == [0, 0, 0]


def test_a_mark_lives_as_long_as_its_process(tmp_path: Path) -> None:
    with marked_process(tmp_path) as mark:
        assert is_alive(tmp_path, mark)
    assert not is_alive(tmp_path, mark)
    assert not is_alive(tmp_path, "never seen")


ORDER = [str(number) for number in range(12)]


@given(st.sets(st.sampled_from([*ORDER, "unknown"])), st.integers(1, 5))
def test_ranges_cover_what_is_wanted_and_nothing_else(wanted: set[str], longest: int) -> None:
    ranges = contiguous_ranges(wanted, ORDER, longest=longest)
    assert [key for keys in ranges for key in keys] == [key for key in ORDER if key in wanted]
    for keys in ranges:
        first, last = ORDER.index(keys[0]), ORDER.index(keys[-1])
        assert list(keys) == ORDER[first : last + 1]
        assert len(keys) <= longest
