"""Artefacts are there whole or not at all, and the pointer names one that is there."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from animatize_assets.errors import StorageFailed
from animatize_assets.images.artifacts import ArtifactStore
from animatize_assets.records import Record

STAGE, KEY = "scene_analysis", "beach-0123456789abcdef"


class Depth(Record):
    depth_path: str
    near: float


class Other(Record):
    something_else: int


@pytest.fixture
def artifacts(data_dir: UPath) -> ArtifactStore:
    return ArtifactStore(data_dir)


def _make(artifacts: ArtifactStore, fingerprint: str, near: float = 0.5) -> Depth:
    with artifacts.draft(STAGE, KEY, fingerprint) as draft:
        draft.path("depth.png").write_bytes(fingerprint.encode())
        return draft.commit(Depth(depth_path=draft.relative("depth.png"), near=near))


def test_what_is_committed_is_found(artifacts: ArtifactStore, data_dir: UPath) -> None:
    record = _make(artifacts, "f1")
    assert record.depth_path == f"artifacts/{STAGE}/{KEY}/f1/depth.png"
    assert artifacts.find(STAGE, KEY, "f1", Depth) == record
    assert artifacts.current(STAGE, KEY, Depth) == record
    assert artifacts.current_fingerprint(STAGE, KEY) == "f1"
    with artifacts.local(record.depth_path) as path:
        assert path.read_bytes() == b"f1"
    assert (data_dir / record.depth_path).read_bytes() == b"f1"
    assert artifacts.upath(record.depth_path) == data_dir / record.depth_path


def test_nothing_made_is_nothing_found(artifacts: ArtifactStore) -> None:
    assert artifacts.find(STAGE, KEY, "f1", Depth) is None
    assert artifacts.current(STAGE, KEY, Depth) is None
    assert artifacts.current_fingerprint(STAGE, KEY) is None
    with pytest.raises(StorageFailed):
        artifacts.make_current(STAGE, KEY, "f1")
    with pytest.raises(StorageFailed), artifacts.local("artifacts/none"):
        pass


def test_a_draft_that_is_not_committed_leaves_nothing(
    artifacts: ArtifactStore, data_dir: UPath
) -> None:
    with artifacts.draft(STAGE, KEY, "f1") as draft:
        written = draft.path("depth.png")
        written.write_bytes(b"half")

    def fail_in_a_draft() -> None:
        with artifacts.draft(STAGE, KEY, "f1") as draft:
            draft.path("depth.png").write_bytes(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail_in_a_draft()
    assert not written.parent.exists()
    assert artifacts.find(STAGE, KEY, "f1", Depth) is None
    assert [path for path in data_dir.glob("**/*") if path.is_file()] == []


def test_an_earlier_artefact_can_hold_again(artifacts: ArtifactStore) -> None:
    first, second = _make(artifacts, "f1"), _make(artifacts, "f2")
    assert artifacts.current(STAGE, KEY, Depth) == second
    artifacts.make_current(STAGE, KEY, "f1")
    assert artifacts.current(STAGE, KEY, Depth) == first
    assert artifacts.find(STAGE, KEY, "f2", Depth) == second


def test_the_same_artefact_made_twice_stays_the_first(artifacts: ArtifactStore) -> None:
    first = _make(artifacts, "f1", near=0.25)
    assert _make(artifacts, "f1", near=0.75) == first
    assert artifacts.current(STAGE, KEY, Depth) == first


def test_a_makeshift_gives_way_when_the_better_one_is_whole(
    artifacts: ArtifactStore, data_dir: UPath
) -> None:
    makeshift = _make(artifacts, "f1", near=0.1)
    with artifacts.draft(STAGE, KEY, "f1") as draft:
        draft.path("better.png").write_bytes(b"better")
        assert artifacts.current(STAGE, KEY, Depth) == makeshift
        better = Depth(depth_path=draft.relative("better.png"), near=0.9)
        assert draft.commit(better, replaces=makeshift) == better
    assert artifacts.current(STAGE, KEY, Depth) == better
    assert (data_dir / better.depth_path).read_bytes() == b"better"
    assert not (data_dir / makeshift.depth_path).exists()


def test_what_took_the_place_of_a_makeshift_meanwhile_stays(artifacts: ArtifactStore) -> None:
    makeshift = _make(artifacts, "f1", near=0.1)
    with artifacts.draft(STAGE, KEY, "f1") as slow, artifacts.draft(STAGE, KEY, "f1") as fast:
        for draft in (slow, fast):
            draft.path("depth.png").write_bytes(b"depth")
        better = Depth(depth_path=fast.relative("depth.png"), near=0.9)
        assert fast.commit(better, replaces=makeshift) == better
        late = Depth(depth_path=slow.relative("depth.png"), near=0.2)
        assert slow.commit(late, replaces=makeshift) == better
    assert artifacts.current(STAGE, KEY, Depth) == better


def test_a_record_of_another_kind_is_replaced(artifacts: ArtifactStore) -> None:
    with artifacts.draft(STAGE, KEY, "f1") as draft:
        draft.commit(Other(something_else=1))
    assert artifacts.find(STAGE, KEY, "f1", Depth) is None
    record = _make(artifacts, "f1")
    assert artifacts.find(STAGE, KEY, "f1", Depth) == record
    with artifacts.local(record.depth_path) as path:
        assert path.read_bytes() == b"f1"


def test_a_record_whose_file_was_removed_is_made_again(artifacts: ArtifactStore) -> None:
    record = _make(artifacts, "f1")
    artifacts.upath(record.depth_path).unlink()
    assert artifacts.find(STAGE, KEY, "f1", Depth) is None
    _make(artifacts, "f1")
    assert artifacts.find(STAGE, KEY, "f1", Depth) == record


def test_an_image_has_its_own_artefacts(artifacts: ArtifactStore) -> None:
    _make(artifacts, "f1")
    assert artifacts.current_fingerprint(STAGE, "other-0123456789abcdef") is None
    assert artifacts.current_fingerprint("motion_prompt", KEY) is None


@pytest.mark.parametrize("name", ["", "..", "../up", "a/b", "record.json", ".hidden", "x" * 200])
def test_a_file_stays_in_its_folder(name: str, artifacts: ArtifactStore) -> None:
    with artifacts.draft(STAGE, KEY, "f1") as draft, pytest.raises(StorageFailed):
        draft.path(name)


@pytest.mark.parametrize("relative", ["", "/etc/passwd", "../x", "artifacts/../../x"])
def test_a_path_stays_in_the_data_folder(relative: str, artifacts: ArtifactStore) -> None:
    with pytest.raises(StorageFailed):
        artifacts.upath(relative)


@pytest.mark.parametrize("step", ["sync_file", "sync_folder", "rename", "pointer"])
def test_a_failure_at_any_step_keeps_the_old_artefact(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = ArtifactStore(UPath(tmp_path / "data"))
    old = _make(artifacts, "old")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        if step in {"sync_file", "sync_folder"}:
            broken.setattr(f"animatize_assets.images.artifacts.{step}", fail)
        else:
            broken.setattr(Path, "rename" if step == "rename" else "replace", fail)
        with pytest.raises(StorageFailed):
            _make(artifacts, "new")
    assert artifacts.current(STAGE, KEY, Depth) == old
    # Once renamed the folder is whole; only the pointer may lag behind it.
    assert (artifacts.find(STAGE, KEY, "new", Depth) is None) == (step != "pointer")
    assert list((tmp_path / "data").rglob("*.part")) == []
    assert _make(artifacts, "new") == artifacts.current(STAGE, KEY, Depth)


def test_threads_that_make_the_same_artefact_agree(tmp_path: Path) -> None:
    artifacts = ArtifactStore(UPath(tmp_path / "data"))
    made: list[Depth] = []
    barrier = threading.Barrier(6)

    def make(near: float) -> None:
        barrier.wait()
        made.append(_make(artifacts, "f1", near))

    threads = [threading.Thread(target=make, args=(number / 8,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert artifacts.current(STAGE, KEY, Depth) == made[0]
    assert list((tmp_path / "data").rglob("*.part")) == []


def test_an_abandoned_draft_is_removed_later(tmp_path: Path) -> None:
    artifacts = ArtifactStore(UPath(tmp_path / "data"))
    shelf = tmp_path / "data" / "artifacts" / STAGE / KEY
    abandoned = shelf / ".draft.1-a.part"
    abandoned.mkdir(parents=True)
    (abandoned / "depth.png").touch()
    os.utime(abandoned, (1e9, 1e9))
    _make(artifacts, "f1")
    assert not abandoned.exists()
