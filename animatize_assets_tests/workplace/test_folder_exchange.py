"""Folders change places, all of them or none, also where the system knows no single step for it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from animatize_assets.errors import StorageFailed
from animatize_assets.images.durable import temporary_name
from animatize_assets.workplace import folder_exchange
from animatize_assets.workplace.folder_exchange import (
    alone_beside,
    exchange,
    put_in_place,
    remove_leftovers,
)


def folder(place: Path, name: str) -> Path:
    made = place / name
    made.mkdir()
    (made / "whose").write_text(name)
    return made


def whose(folder: Path) -> str:
    return (folder / "whose").read_text()


@pytest.fixture(params=["at once", "by renaming"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "by renaming":

        def unknown(*_: Path) -> None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

        monkeypatch.setattr(folder_exchange, "_exchange_at_once", unknown)


@pytest.mark.usefixtures("_either_way")
def test_all_take_their_places(tmp_path: Path) -> None:
    new, home = folder(tmp_path, "new"), folder(tmp_path, "new home")
    old, target = folder(tmp_path, "old"), tmp_path / "nowhere"
    put_in_place([(new, old), (home, target)])
    assert (whose(old), whose(new), whose(target)) == ("new", "old", "new home")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["new", "nowhere", "old"]


@pytest.mark.usefixtures("_either_way")
def test_when_one_cannot_none_does(tmp_path: Path) -> None:
    pairs = [
        (folder(tmp_path, "a"), folder(tmp_path, "b")),
        (folder(tmp_path, "c"), tmp_path / "d"),
        (tmp_path / "missing", folder(tmp_path, "e")),
    ]
    with pytest.raises(FileNotFoundError):
        put_in_place(pairs)
    assert {each.name: whose(each) for each in tmp_path.iterdir()} == {
        name: name for name in "abce"
    }


def test_what_is_no_question_of_the_system_is_not_tried_in_another_way(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        exchange(folder(tmp_path, "a"), tmp_path / "missing")
    assert whose(tmp_path / "a") == "a"


def test_only_one_at_a_time(tmp_path: Path) -> None:
    with (
        alone_beside(tmp_path) as is_sure,
        pytest.raises(StorageFailed, match="Another restore goes on"),
        alone_beside(tmp_path),
    ):
        raise AssertionError("two at once")
    assert is_sure
    with alone_beside(tmp_path) as again:
        assert again


def test_only_leftovers_of_the_names_go(tmp_path: Path) -> None:
    long = "n" * 100
    for name in ("data", "data", long):
        folder(tmp_path, temporary_name(name))
    kept = {"data", ".data.part", ".data", temporary_name("data.old"), temporary_name("other")}
    for name in kept:
        folder(tmp_path, name)
    remove_leftovers(tmp_path, ["data", long])
    assert {each.name for each in tmp_path.iterdir()} == kept
