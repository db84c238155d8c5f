"""A refused file goes aside with its reason, and is never lost."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from animatize_assets.errors import StorageFailed
from animatize_assets.images.models import IngestOutcome
from animatize_assets.images.quarantine import quarantine

REFUSED = IngestOutcome(
    file="uploads/x", status="rejected", code="image_empty", reason="It has zero bytes."
)


def _drop(folder: Path, name: str, content: bytes = b"refused") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_file_moves_and_its_reason_lies_beside_it(data_dir: UPath, tmp_path: Path) -> None:
    path = _drop(tmp_path / "uploads", "broken.jpg")
    target = quarantine(path, data_dir, REFUSED)
    assert target.path == (data_dir / "quarantine" / "broken.jpg").path
    assert target.read_bytes() == b"refused"
    assert not path.exists()
    reason = json.loads((data_dir / "quarantine" / "broken.jpg.json").read_text())
    assert reason["code"] == "image_empty"
    assert reason["reason"] == "It has zero bytes."
    assert reason["quarantined_at"].endswith("+00:00")


def test_no_file_takes_another_ones_place(data_dir: UPath, tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    # The third is called like the first one's reason.
    names = ["a.jpg", "a.jpg", "a.jpg.json", "a.jpg"]
    contents = [bytes([number]) * 9 for number in range(len(names))]
    targets = [
        quarantine(_drop(uploads, name, content), data_dir, REFUSED)
        for name, content in zip(names, contents, strict=True)
    ]
    assert [target.read_bytes() for target in targets] == contents
    assert len(set(targets)) == len(names)
    for target in targets:
        assert json.loads((target.parent / (target.name + ".json")).read_text())["code"]


def test_a_file_named_like_a_later_ones_reason_is_not_overwritten(
    data_dir: UPath, tmp_path: Path
) -> None:
    first = quarantine(_drop(tmp_path / "u", "b.jpg.json", b"first"), data_dir, REFUSED)
    second = quarantine(_drop(tmp_path / "u", "b.jpg", b"second"), data_dir, REFUSED)
    assert (first.read_bytes(), second.read_bytes()) == (b"first", b"second")


@pytest.mark.parametrize(
    "name",
    ["x" * 255, "é" * 127, "." + "y" * 254, "n." + "z" * 253, "-rf", "a b.jpg",
     os.fsdecode(b"caf\xe9.jpg")],
)  # fmt: skip
def test_any_file_name_fits(name: str, tmp_path: Path) -> None:
    data_dir = UPath(tmp_path / "data")
    targets = [quarantine(_drop(tmp_path / "u", name), data_dir, REFUSED) for _ in range(2)]
    assert len(set(targets)) == 2
    assert all(target.read_bytes() == b"refused" for target in targets)


def test_what_is_no_file_moves_too(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    os.mkfifo(uploads / "fifo")
    (uploads / "link").symlink_to("nowhere")
    (uploads / "folder").mkdir()
    (uploads / "folder" / "inside").touch()
    for name in ("fifo", "link", "folder"):
        quarantine(uploads / name, UPath(tmp_path / "data"), REFUSED)
    assert list(uploads.iterdir()) == []
    assert (tmp_path / "data" / "quarantine" / "folder" / "inside").exists()
    assert (tmp_path / "data" / "quarantine" / "link").is_symlink()


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM])
def test_another_file_system_gets_a_copy(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(code, "no second name here")

    monkeypatch.setattr(os, "link", refuse)
    path = _drop(tmp_path / "uploads", "broken.jpg")
    target = quarantine(path, UPath(tmp_path / "data"), REFUSED)
    assert target.read_bytes() == b"refused"
    assert not path.exists()


def test_an_interrupted_move_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _drop(tmp_path / "uploads", "broken.jpg")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "unplugged")

    for step in ("animatize_assets.images.durable.os.fsync", "pathlib.Path.unlink"):
        with monkeypatch.context() as broken:
            broken.setattr(step, fail)
            with pytest.raises((StorageFailed, OSError)):
                quarantine(path, UPath(tmp_path / "data"), REFUSED)
        assert path.read_bytes() == b"refused"
    quarantine(path, UPath(tmp_path / "data"), REFUSED)
    assert not path.exists()
    names = {file.name for file in (tmp_path / "data" / "quarantine").iterdir()}
    assert {name for name in names if not name.endswith(".part")} == {
        "broken.jpg", "broken.jpg.json",
    }  # fmt: skip


def test_a_file_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="gone"):
        quarantine(tmp_path / "gone.jpg", UPath(tmp_path / "data"), REFUSED)
