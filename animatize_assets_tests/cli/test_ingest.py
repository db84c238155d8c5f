"""``animatize ingest`` and what the other commands then know."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from animatize_assets.cli import ingest as ingest_command
from animatize_assets.images.models import IngestOutcome
from animatize_assets.images.store import ImageStore
from animatize_assets.orchestration import image_keys, open_instance
from animatize_assets_tests.cli.conftest import Animatize

Picture = Callable[..., Path]


def test_accepted_duplicate_and_rejected(
    animatize: Animatize, picture: Picture, data_dir: Path, tmp_path: Path
) -> None:
    first, again = picture("Größe 1.png"), picture("-x.png")
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    answer = animatize("ingest", "--json", "--", first, again, bad, tmp_path, tmp_path / "none.png")
    assert answer.code == 1
    images = answer.document["images"]
    assert [image["status"] for image in images] == [
        "accepted",
        "duplicate",
        "rejected",
        "rejected",
        "rejected",
    ]
    assert all(set(i) == {"file", "status", "image_key", "code", "reason"} for i in images)
    assert images[0]["image_key"] == images[1]["image_key"]
    assert [image["code"] for image in images[3:]] == ["image_not_a_file", "image_missing"]
    assert all(image["reason"] for image in images[2:])
    with open_instance(data_dir) as instance:
        assert image_keys(instance) == (images[0]["image_key"],)


def test_a_name_that_begins_with_a_dash(
    animatize: Animatize, picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture("--json.png")
    monkeypatch.chdir(tmp_path)
    answer = animatize("ingest", "--", "--json.png")
    assert answer.code == 0
    assert "accepted" in answer.out


def test_a_name_that_is_no_unicode(animatize: Animatize, picture: Picture, tmp_path: Path) -> None:
    odd = tmp_path / "caf\udce9.png"
    picture().rename(odd)
    (image,) = animatize("ingest", "--json", odd).document["images"]
    assert image["status"] == "accepted"
    assert animatize("ingest", odd).code == 0


def test_for_people_the_reason_is_beside_the_file(
    animatize: Animatize, tmp_path: Path, picture: Picture
) -> None:
    empty = tmp_path / "empty.png"
    empty.touch()
    answer = animatize("ingest", picture(), empty)
    assert answer.code == 1
    assert "image_empty" in answer.out
    assert "accepted" in answer.out


def test_a_data_folder_that_cannot_be_made_is_told(
    animatize: Animatize, picture: Picture, data_dir: Path
) -> None:
    data_dir.write_text("a file stands where the folder should be")
    answer = animatize("ingest", "--json", picture())
    assert answer.code == 1
    assert answer.document["error"]["code"] == "storage_failed"
    assert str(data_dir) in answer.document["error"]["message"]


def test_a_file_that_cannot_be_stored_costs_no_other(
    animatize: Animatize, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = ImageStore.ingest

    def full_for_the_first(self: ImageStore, path: Path) -> IngestOutcome:
        if path.name == "first.png":
            raise OSError(errno.ENOSPC, "No space left on device")
        return stores(self, path)

    monkeypatch.setattr(ImageStore, "ingest", full_for_the_first)
    answer = animatize("ingest", "--json", picture("first.png"), picture("second.png", seed=1))
    assert answer.code == 1
    first, second = answer.document["images"]
    assert (first["status"], first["code"]) == ("rejected", "storage_failed")
    assert "No space left" in first["reason"]
    assert second["status"] == "accepted"


def test_images_that_dagster_was_not_told_of_are_found_by_the_next_command(
    animatize: Animatize, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_data_dir: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(ingest_command, "open_instance", full)
        answer = animatize("ingest", "--json", picture())
    assert answer.code == 1
    assert answer.document["images"][0]["status"] == "accepted"
    assert "animatize run" in answer.err
    assert animatize("status", "--json").document["images"]["missing"] == 1


def test_show_before_anything_was_made(animatize: Animatize, picture: Picture) -> None:
    ingested = animatize("ingest", "--json", picture()).document["images"][0]["image_key"]
    shown = animatize("show", "--json", "some").document
    assert shown["image_key"] == ingested
    assert Path(shown["source_image"]["original_path"]).is_file()
    assert list(shown) == [
        "image_key",
        "source_image",
        "scene_analysis",
        "movement_prediction",
        "motion_prompt",
        "generated_picture",
        "animatic_clip",
    ]
    assert shown["scene_analysis"] is None
    assert "not made" in animatize("show", ingested).out


def test_show_names_the_nearest_key(animatize: Animatize, picture: Picture) -> None:
    animatize("ingest", picture())
    answer = animatize("show", "--json", "sone-picture")
    assert answer.code == 1
    assert answer.document["error"]["code"] == "image_not_found"
    assert "nearest: some-picture-" in answer.document["error"]["message"]


@pytest.mark.parametrize("command", [("show", "some"), ("status",), ("run",)])
def test_reading_an_empty_place_creates_nothing(
    animatize: Animatize, data_dir: Path, command: tuple[str, ...]
) -> None:
    answer = animatize(*command)
    assert answer.code == (1 if command[0] == "show" else 0)
    assert not data_dir.exists()
