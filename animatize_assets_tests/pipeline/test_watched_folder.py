"""What is done about the watched folder follows from what lies there and what was tried."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.pipeline.watched_folder import (
    BATCH_AFTER_TRIES,
    FILES_PER_RUN,
    Decision,
    SeenFile,
    decide,
    first_range,
    is_watched,
    list_files,
)


def files(count: int, *, changed_ns: int = 1) -> list[SeenFile]:
    return [SeenFile(f"{number:04d}.jpg", 10, changed_ns) for number in range(count)]


def look(
    seen: list[SeenFile], before: dict[str, list[int]] | None = None, **what: object
) -> Decision:
    known = {file.name: file.trace for file in seen} if before is None else before
    settings = {"claimed": set(), "tries": {}, **what}
    return decide(seen, before=known, **settings)  # type: ignore[arg-type]


def test_a_new_file_waits_for_a_second_look() -> None:
    first = look(files(1), {})
    assert first.batch == ()
    assert first.growing == 1
    assert look(files(1), first.seen).batch == ("0000.jpg",)


@pytest.mark.parametrize("grown", [SeenFile("0000.jpg", 11, 1), SeenFile("0000.jpg", 10, 2)])
def test_a_growing_file_waits(grown: SeenFile) -> None:
    before = look(files(1), {}).seen
    decision = look([grown], before)
    assert decision.batch == ()
    assert decision.growing == 1


def test_a_thousand_files_are_ten_runs() -> None:
    left = files(1_000)
    runs = 0
    seen: dict[str, list[int]] = {}
    while left and runs < 50:
        decision = look(left, seen)
        seen = decision.seen
        runs += bool(decision.batch)
        left = [file for file in left if file.name not in decision.batch]
    assert not left
    assert runs == 10


def test_what_an_unfinished_run_takes_in_is_not_taken_in_again() -> None:
    seen = files(3)
    decision = look(seen, claimed={"0000.jpg", "0001.jpg"})
    assert decision.batch == ("0002.jpg",)
    assert decision.claimed == 2


def test_one_file_that_breaks_every_run_is_found_and_given_up() -> None:
    left, tries = files(100), dict.fromkeys((f.name for f in files(100)), 0)
    runs = 0
    while (batch := look(left, tries=tries).batch) and runs < 50:
        runs += 1
        for name in batch:  # one after the other, until the bad one takes the process down
            if name == "0037.jpg":
                break
            left = [file for file in left if file.name != name]
        for name in batch:
            tries[name] += 1
    assert [file.name for file in left] == ["0037.jpg"]
    assert look(left, tries=tries).given_up == ("0037.jpg",)
    assert runs <= 1 + 100 // BATCH_AFTER_TRIES[1] + BATCH_AFTER_TRIES[1]


def test_good_files_come_before_those_that_failed() -> None:
    decision = look(files(3), tries={"0000.jpg": 1})
    assert decision.batch == ("0001.jpg", "0002.jpg")


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=150),
)
def test_a_batch_is_small_settled_unclaimed_and_tried_alike(
    state: list[tuple[int, bool, bool]],
) -> None:
    seen = files(len(state))
    tries = {f.name: s[0] for f, s in zip(seen, state, strict=True)}
    claimed = {f.name for f, s in zip(seen, state, strict=True) if s[1]}
    before = {f.name: f.trace for f, s in zip(seen, state, strict=True) if s[2]}
    decision = decide(seen, before=before, claimed=claimed, tries=tries)
    assert len(decision.batch) <= FILES_PER_RUN
    for name in decision.batch:
        assert name not in claimed
        assert name in before
        assert tries[name] < len(BATCH_AFTER_TRIES)
    assert len({tries[name] for name in decision.batch}) <= 1
    takeable = [f for f in before if f not in claimed and tries[f] < len(BATCH_AFTER_TRIES)]
    assert bool(decision.batch) == bool(takeable)


def test_listing_opens_nothing_and_leaves_out_what_is_being_copied(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.jpg").write_bytes(b"1")
    (tmp_path / ".gitkeep").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.jpg").touch()
    (tmp_path / "a b ü.jpg").write_bytes(b"22")
    os.mkfifo(tmp_path / "pipe")  # opening it would never return
    (tmp_path / "link").symlink_to("/nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    listed = {file.name: file.size for file in list_files(tmp_path)}
    assert set(listed) == {"sub/deep.jpg", "a b ü.jpg", "pipe", "link", "loop"}
    assert listed["a b ü.jpg"] == 2


def test_a_folder_that_may_not_be_read_is_offered_and_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("open", "shut"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").touch()
    (tmp_path / "shut").chmod(0)
    if os.geteuid() == 0:  # root may read everything, so the answer is simulated
        asked = os.access
        monkeypatch.setattr(
            os,
            "access",
            lambda entry, mode: Path(entry).name != "shut" and asked(entry, mode),
        )
    try:
        assert {file.name for file in list_files(tmp_path)} == {"open/x.jpg", "shut"}
    finally:
        (tmp_path / "shut").chmod(0o700)


def test_the_watched_folder_ends_at_its_edge(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    assert is_watched(uploads / "a.jpg", uploads)
    assert is_watched(uploads / "sub" / "a.jpg", uploads)
    assert not is_watched(uploads / ".." / "a.jpg", uploads)
    assert not is_watched(tmp_path / "uploads2" / "a.jpg", uploads)


@given(st.lists(st.integers(0, 30), unique=True), st.sets(st.integers(0, 40)), st.integers(1, 9))
def test_a_range_holds_nothing_unwanted(order: list[int], wanted: set[int], longest: int) -> None:
    names = [str(number) for number in order]
    chosen = {str(number) for number in wanted}
    keys = first_range(chosen, names, longest=longest)
    assert set(keys) <= chosen
    assert len(keys) <= longest
    assert bool(keys) == bool(chosen & set(names))
    if keys:
        start = names.index(keys[0])
        assert tuple(names[start : start + len(keys)]) == keys
