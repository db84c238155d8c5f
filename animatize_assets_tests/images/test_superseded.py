"""What was replaced goes when it is old or too many; what is current, or named by it, never."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.orphans import remove_orphans
from animatize_assets.images.store import ImageStore
from animatize_assets.images.superseded import Tidied, remove_superseded
from animatize_assets.records import Record
from animatize_assets_tests.pipeline.cheap import write_images

KEY = "photo-0123456789abcdef"
STAGES = ("scene_analysis", "animatic_clip")
NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Made(Record):
    path: str
    depth: str | None = None


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(UPath(tmp_path))


def make(
    artifacts: ArtifactStore, stage: str, name: str, age_days: float, depth: str | None = None
) -> Made:
    with artifacts.draft(stage, KEY, name) as draft:
        draft.path("a.bin").write_bytes(bytes(100))
        made = draft.commit(Made(path=draft.relative("a.bin"), depth=depth))
    folder = Path(artifacts.upath(f"artifacts/{stage}/{KEY}/{name}").path)
    moment = (NOW - timedelta(days=age_days)).timestamp()
    for file in folder.iterdir():
        os.utime(file, (moment, moment))
    return made


def left(artifacts: ArtifactStore, stage: str) -> set[str]:
    folder = Path(artifacts.upath(f"artifacts/{stage}/{KEY}").path)
    return {path.name for path in folder.iterdir() if path.is_dir()}


def tidy(artifacts: ArtifactStore, most: int = 20) -> Tidied:
    return remove_superseded(artifacts, STAGES, before=NOW - timedelta(days=90), most=most)


def test_what_is_old_and_replaced_goes(artifacts: ArtifactStore) -> None:
    make(artifacts, "scene_analysis", "old", 91)
    make(artifacts, "scene_analysis", "young", 89)
    make(artifacts, "scene_analysis", "holds", 400)
    done = tidy(artifacts)
    assert done.superseded == 1
    assert done.bytes > 100
    assert left(artifacts, "scene_analysis") == {"young", "holds"}
    assert tidy(artifacts) == Tidied(0, 0)
    with pytest.raises(ValueError, match="At least 1"):
        tidy(artifacts, most=0)


def test_what_a_current_result_names_stays(artifacts: ArtifactStore) -> None:
    scene = make(artifacts, "scene_analysis", "named", 400)
    make(artifacts, "scene_analysis", "holds", 0)
    make(artifacts, "animatic_clip", "clip", 300, depth=scene.path)
    tidy(artifacts)
    assert left(artifacts, "scene_analysis") == {"named", "holds"}


@given(
    ages=st.lists(st.integers(0, 200), min_size=1, max_size=8),
    current=st.integers(0, 7),
    most=st.integers(1, 5),
)
@settings(max_examples=20, deadline=None)
def test_no_more_are_left_than_may_be(
    tmp_path_factory: pytest.TempPathFactory, ages: list[int], current: int, most: int
) -> None:
    artifacts = ArtifactStore(UPath(tmp_path_factory.mktemp("superseded")))
    for number, age in enumerate(ages):
        make(artifacts, "animatic_clip", f"f{number}", age)
    holds = f"f{current % len(ages)}"
    artifacts.make_current("animatic_clip", KEY, holds)
    done = tidy(artifacts, most)
    kept = left(artifacts, "animatic_clip")
    assert holds in kept
    others = kept - {holds}
    assert len(others) <= most
    assert all(ages[int(name[1:])] <= 90 for name in others)
    assert done.superseded == len(ages) - len(kept)
    young = sorted(ages[n] for n in range(len(ages)) if f"f{n}" != holds and ages[n] <= 90)
    assert sorted(ages[int(name[1:])] for name in others) == young[:most]


def test_files_of_an_upload_that_never_became_an_image_go(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/animatize.db")
    upgrade(engine)
    images = ImageStore(UPath(tmp_path), engine, ImageLimits())
    (file,) = write_images(tmp_path / "given", 1)
    key = images.ingest(file).image_key or ""
    for name, age_days in (("a" * 64, 2), ("b" * 64, 0)):
        folder = tmp_path / "images" / name
        folder.mkdir()
        (folder / "original.png").write_bytes(b"half")
        moment = (NOW - timedelta(days=age_days)).timestamp()
        os.utime(folder, (moment, moment))
    assert remove_orphans(tmp_path, engine, before=NOW - timedelta(hours=1)) == 1
    there = {path.name for path in (tmp_path / "images").iterdir()}
    assert there == {images.get(key).sha256, "b" * 64}
    assert remove_orphans(tmp_path / "nowhere", engine, before=NOW) == 0
    engine.dispose()
