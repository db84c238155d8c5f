"""``animatize archive``, ``unarchive``, ``sizes``, and a disk that is nearly full."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from animatize_assets_tests.cli.conftest import Animatize

Picture = Callable[..., Path]


@pytest.fixture
def keys(animatize: Animatize, picture: Picture) -> list[str]:
    files = [picture(f"{name}.png", seed=seed) for seed, name in enumerate("ab")]
    answer = animatize("ingest", "--json", *files)
    return [image["image_key"] for image in answer.document["images"]]


def statuses(answer: object) -> dict[str, str]:
    return {each["image_key"]: each["status"] for each in answer.document["images"]}  # type: ignore[attr-defined]


def test_an_image_is_archived_once_and_comes_back_once(
    animatize: Animatize, keys: list[str]
) -> None:
    one, other = keys
    answer = animatize("archive", "--json", one[:3], "nobody")
    assert answer.code == 1
    assert statuses(answer) == {one: "archived", "nobody": "not_found"}
    assert statuses(animatize("archive", "--json", one)) == {one: "archived_before"}
    images = animatize("status", "--json").document["images"]
    assert (images["total"], images["archived"]) == (1, 1)
    refused = animatize("run", "--json", one)
    assert refused.code == 1
    assert "animatize unarchive" in refused.document["images"][0]["reason"]
    assert animatize("show", "--json", one).document["image_key"] == one
    back = animatize("unarchive", "--json", one, other)
    assert (back.code, statuses(back)) == (0, {one: "unarchived", other: "not_archived"})
    assert animatize("status", "--json").document["images"]["archived"] == 0


def test_the_same_bytes_again_bring_an_archived_image_back(
    animatize: Animatize, keys: list[str], picture: Picture
) -> None:
    animatize("archive", keys[0])
    answer = animatize("ingest", "--json", picture("again.png", seed=0))
    assert statuses(answer) == {keys[0]: "duplicate"}
    images = animatize("status", "--json").document["images"]
    assert (images["total"], images["archived"]) == (2, 0)


def test_what_grows_is_told_with_its_bound(animatize: Animatize, keys: list[str]) -> None:
    animatize("archive", keys[0])
    told = animatize("sizes", "--json").document
    assert (told["live_images"], told["archived_images"]) == (1, 1)
    assert told["bytes_per_image"] == told["bytes"] / 2
    assert told["disk"]["free"] > 0
    growing = {each["name"]: each for each in told["growing"]}
    assert growing["images"]["entries"] == 2
    assert growing["image_archives"]["entries"] == 1
    assert growing["animatize.db"]["bytes"] > 0
    assert growing["dagster/history"]["bytes"] > 0
    assert all(each["bound"] for each in growing.values())
    assert "bound" in animatize("sizes").out


def test_a_folder_where_nothing_was_ever_stored_is_not_made(
    animatize: Animatize, data_dir: Path
) -> None:
    told = animatize("sizes", "--json").document
    assert (told["bytes"], told["bytes_per_image"]) == (0, None)
    assert not data_dir.exists()


def test_a_disk_that_is_nearly_full_takes_in_and_makes_nothing(
    animatize: Animatize, keys: list[str], picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATIZE_DISK_FREE_GB", "100000")
    for command in (["ingest", picture("c.png", seed=9)], ["run"], ["demo"]):
        answer = animatize(*command, "--json")
        assert answer.code == 1
        assert answer.document["error"]["code"] == "disk_nearly_full"
    assert animatize("status", "--json").document["images"]["total"] == len(keys)
    monkeypatch.delenv("ANIMATIZE_DISK_FREE_GB")
    assert animatize("ingest", picture("c.png", seed=9)).code == 0
