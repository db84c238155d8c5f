"""Accepting images: one per different bytes, whole through any crash, under any name."""

from __future__ import annotations

import json
import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import Engine, update
from sqlalchemy.exc import OperationalError
from upath import UPath

from animatize_assets.database.tables import images
from animatize_assets.errors import ImageNotFound, StorageFailed
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.models import ImageRecord
from animatize_assets.images.naming import content_hash
from animatize_assets.images.store import ImageStore
from animatize_assets_tests.images.ingesting import open_store, start
from animatize_assets_tests.images.pictures import (
    HEIGHT,
    WIDTH,
    Encoded,
    encode,
    picture,
    turned_file,
    whole_files,
)


def _upload(folder: Path, name: str = "Holiday.jpg", content: bytes | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(whole_files()[0].content if content is None else content)
    return path


def test_an_accepted_image_is_all_there(store: ImageStore, tmp_path: Path) -> None:
    upload = _upload(tmp_path / "in")
    before = datetime.now(UTC)
    outcome = store.ingest(upload)
    content = upload.read_bytes()
    sha256 = content_hash(content)
    assert outcome.status == "accepted"
    assert outcome.image_key == f"holiday-{sha256[:16]}"
    assert outcome.file == str(upload)
    record = store.get(outcome.image_key)
    assert isinstance(record, ImageRecord)
    assert (record.sha256, record.original_name, record.format) == (sha256, "Holiday.jpg", "jpeg")
    assert (record.width, record.height, record.byte_count) == (WIDTH, HEIGHT, len(content))
    assert record.aliases == ()
    assert before <= record.registered_at <= before + timedelta(minutes=5)
    assert upload.exists()
    with store.local_original(outcome.image_key) as path:
        assert path.read_bytes() == content
    np.testing.assert_array_equal(store.open_pixels(outcome.image_key), whole_files()[0].expected)


@pytest.mark.parametrize("file", whole_files(), ids=lambda file: file.name)
def test_every_format_is_stored_and_read_back(
    file: Encoded, sqlite_engine: Engine, tmp_path: Path
) -> None:
    store = ImageStore(UPath(tmp_path / "data"), sqlite_engine, ImageLimits())
    key = store.ingest(_upload(tmp_path / "in", "x", file.content)).image_key
    assert key is not None
    record = store.get(key)
    difference = np.abs(store.open_pixels(key).astype(int) - file.expected)
    assert difference.max() <= 1
    original = tmp_path / "data" / record.original_path
    assert original.read_bytes() == file.content
    if record.normalized_path != record.original_path:
        stored = Image.open(tmp_path / "data" / record.normalized_path)
        assert (stored.format, stored.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.asarray(stored), store.open_pixels(key))


def test_a_turned_upload_is_described_upright(store: ImageStore, tmp_path: Path) -> None:
    key = store.ingest(_upload(tmp_path / "in", "t.png", turned_file(6, "PNG"))).image_key
    assert key is not None
    record = store.get(key)
    assert (record.width, record.height, record.exif_orientation) == (WIDTH, HEIGHT, 6)
    assert record.normalized_path != record.original_path


def test_the_same_bytes_under_another_name_are_an_alias(store: ImageStore, tmp_path: Path) -> None:
    first = store.ingest(_upload(tmp_path / "in", "first.jpg"))
    for name in ("second.png", "third", "second.png", "first.jpg"):
        again = store.ingest(_upload(tmp_path / "in", name))
        assert (again.status, again.image_key) == ("duplicate", first.image_key)
    assert first.image_key is not None
    assert store.get(first.image_key).aliases == ("second.png", "third")
    assert store.keys() == (first.image_key,)


@pytest.mark.parametrize(
    "name",
    ["with space.jpg", "Ünïcödé 日本.jpg", "-rf", "x" * 255, "new\nline.jpg", "a'b\"c;--.jpg",
     ".hidden", "%s%20.jpg", os.fsdecode(b"caf\xe9.jpg")],
)  # fmt: skip
def test_any_file_name_works(name: str, store: ImageStore, tmp_path: Path) -> None:
    outcome = store.ingest(_upload(tmp_path / "in", name))
    assert outcome.status == "accepted"
    assert outcome.model_dump_json()
    assert outcome.image_key is not None
    assert store.get(outcome.image_key).model_dump_json()


def test_a_refused_file_leaves_nothing(store: ImageStore, data_dir: UPath, tmp_path: Path) -> None:
    truncated = whole_files()[0].content[:1000]
    outcome = store.ingest(_upload(tmp_path / "in", "cut.jpg", truncated))
    assert (outcome.status, outcome.code, outcome.image_key) == (
        "rejected", "image_body_corrupt", None,
    )  # fmt: skip
    assert outcome.reason
    assert store.keys() == ()
    assert not (data_dir / "images").exists()


def test_limits_hold(sqlite_engine: Engine, tmp_path: Path) -> None:
    upload = _upload(tmp_path / "in")
    for limits, code in (
        (ImageLimits(max_bytes=100), "image_too_many_bytes"),
        (ImageLimits(max_pixels=100), "image_too_many_pixels"),
        (ImageLimits(min_side_px=60), "image_too_small"),
    ):
        assert (
            ImageStore(UPath(tmp_path / "data"), sqlite_engine, limits).ingest(upload).code == code
        )


def test_keys_come_in_order_of_registration(store: ImageStore, tmp_path: Path) -> None:
    keys = [
        store.ingest(_upload(tmp_path / "in", f"{name}.x", file.content)).image_key
        for name, file in zip("zebra", whole_files(), strict=False)
    ]
    assert store.keys() == tuple(keys)


def test_an_unknown_key_is_not_found(store: ImageStore) -> None:
    with pytest.raises(ImageNotFound):
        store.get("nothing-0123456789abcdef")


def test_removed_files_come_back_with_the_next_upload(
    store: ImageStore, data_dir: UPath, tmp_path: Path
) -> None:
    upload = _upload(tmp_path / "in", "t.png", turned_file(3, "PNG"))
    key = store.ingest(upload).image_key
    assert key is not None
    (data_dir / store.get(key).normalized_path).unlink()
    with pytest.raises(StorageFailed):
        store.open_pixels(key)
    assert store.ingest(upload).status == "duplicate"
    np.testing.assert_array_equal(store.open_pixels(key), picture())


def test_two_files_whose_hashes_begin_alike_are_not_mixed_up(
    store: ImageStore, sqlite_engine: Engine, tmp_path: Path
) -> None:
    upload = _upload(tmp_path / "in")
    store.ingest(upload)
    with sqlite_engine.begin() as connection:  # no such pair of files is known, so one is made up
        connection.execute(update(images).values(sha256="0" * 64))
    with pytest.raises(StorageFailed):
        store.ingest(upload)


def test_uploads_at_the_same_moment_are_one_image(tmp_path: Path) -> None:
    content = [encode(Image.fromarray(picture(60 + n, 50)), "PNG") for n in range(3)]
    processes = [
        start(
            tmp_path / "data",
            [
                _upload(tmp_path / f"in{number}", f"name-{number}-{index}.png", each)
                for index, each in enumerate(content)
            ],
        )
        for number in range(3)
    ]
    for process in processes:  # all are ready: now at once
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes: list[list[dict[str, Any]]] = []
    for process in processes:
        printed, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        outcomes.append(json.loads(printed))
    store = open_store(tmp_path / "data")
    assert len(store.keys()) == len(content)
    for index in range(len(content)):
        of_one = [outcome[index] for outcome in outcomes]
        assert sorted(each["status"] for each in of_one) == ["accepted", "duplicate", "duplicate"]
        (key,) = {each["image_key"] for each in of_one}
        assert len(store.get(key).aliases) == len(processes) - 1
    assert len(list((tmp_path / "data" / "images").iterdir())) == len(content)
    assert list((tmp_path / "data").rglob("*.part")) == []


def test_threads_of_one_store_agree(sqlite_engine: Engine, tmp_path: Path) -> None:
    store = ImageStore(UPath(tmp_path / "data"), sqlite_engine, ImageLimits())
    uploads = [_upload(tmp_path / "in", f"{number}.jpg") for number in range(6)]
    statuses: list[str] = []
    threads = [
        threading.Thread(target=lambda path=path: statuses.append(store.ingest(path).status))
        for path in uploads
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == ["accepted"] + ["duplicate"] * 5
    assert len(store.get(store.keys()[0]).aliases) == 5


def _state(store: ImageStore, folder: Path) -> None:
    """Nothing half-written: what is registered is whole, what is not is whole or unfinished."""
    keys = store.keys()
    for key in keys:
        np.testing.assert_array_equal(store.open_pixels(key), picture())
    for file in (folder / "images").rglob("*"):
        if file.is_file() and file.suffix != ".part":
            Image.open(file).load()


@pytest.mark.parametrize("step", ["write", "fsync", "replace", "sync_folder", "second", "insert"])
def test_a_failure_at_any_step_leaves_the_old_state(
    step: str, sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ImageStore(UPath(tmp_path / "data"), sqlite_engine, ImageLimits())
    upload = _upload(tmp_path / "in", "turned.png", turned_file(6, "PNG"))

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        if step == "write":
            broken.setattr("animatize_assets.images.durable.os.fsync", fail)
        elif step == "fsync":
            broken.setattr("animatize_assets.images.durable.sync_folder", fail)
        elif step == "replace":
            broken.setattr(Path, "replace", fail)
        elif step == "sync_folder":
            broken.setattr("animatize_assets.images.durable.make_folder", fail)
        elif step == "second":
            original = Path.replace
            broken.setattr(
                Path,
                "replace",
                lambda self, to: fail() if "normalized" in str(to) else original(self, to),
            )
        else:
            broken.setattr(
                ImageStore,
                "_register",
                lambda *_: (_ for _ in ()).throw(OperationalError("disk I/O error", None, fail)),
            )
        with pytest.raises((StorageFailed, OperationalError)):
            store.ingest(upload)
    assert store.keys() == ()
    _state(store, tmp_path / "data")
    assert list((tmp_path / "data").rglob("*.part")) == []
    assert store.ingest(upload).status == "accepted"
    _state(store, tmp_path / "data")


def test_a_process_killed_at_any_step_leaves_nothing_half_written(tmp_path: Path) -> None:
    upload = _upload(tmp_path / "in", "turned.png", turned_file(6, "PNG"))
    survived = False
    for calls in (0, 2, 4, 5, 6, 7, 100):
        data_dir = tmp_path / f"data{calls}"
        process = start(data_dir, [upload], killed_at=calls)
        process.communicate("go\n", timeout=120)
        survived = process.returncode == 0
        assert process.returncode in {0, -signal.SIGKILL}
        store = open_store(data_dir)
        assert store.keys() == () or survived
        _state(store, data_dir)
        assert store.ingest(upload).status == ("duplicate" if survived else "accepted")
        _state(store, data_dir)
    assert survived


def test_what_a_killed_process_left_is_removed_later(store: ImageStore, tmp_path: Path) -> None:
    if not (tmp_path / "data").exists():
        pytest.skip("only a local folder has unfinished files")
    upload = _upload(tmp_path / "in")
    store = ImageStore(UPath(tmp_path / "data"), store._engine, ImageLimits())
    folder = tmp_path / "data" / "images" / content_hash(upload.read_bytes())
    folder.mkdir(parents=True)
    old, new = folder / ".original.jpg.1-a.part", folder / ".original.jpg.2-b.part"
    old.touch()
    new.touch()
    os.utime(old, (1e9, 1e9))
    store.ingest(upload)
    assert not old.exists()
    assert new.exists()  # somebody may be writing it


def test_bytes_without_a_file_are_taken_like_a_file(store: ImageStore, tmp_path: Path) -> None:
    content = whole_files()[0].content
    outcome = store.ingest_content(content, "Holiday.jpg")
    assert outcome.status == "accepted"
    assert outcome.file == "Holiday.jpg"
    assert outcome.image_key is not None
    assert store.get(outcome.image_key).original_name == "Holiday.jpg"
    assert store.ingest(_upload(tmp_path / "in")).status == "duplicate"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "image_empty"),
        (b"x" * 100_001, "image_too_many_bytes"),
        (b"neither picture nor film", "image_format_unsupported"),
        (whole_files()[0].content[:-200], "image_body_corrupt"),
    ],
)
def test_bytes_without_a_file_are_refused_like_a_file(
    content: bytes, code: str, sqlite_engine: Engine, tmp_path: Path
) -> None:
    store = ImageStore(UPath(tmp_path / "data"), sqlite_engine, ImageLimits(max_bytes=100_000))
    outcome = store.ingest_content(content, "../../etc/passwd")
    assert (outcome.status, outcome.code) == ("rejected", code)
    assert not (tmp_path / "data" / "images").exists()
