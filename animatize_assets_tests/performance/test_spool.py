"""Records on the disk come back as they were, or are set aside; nothing is deleted unread."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animatize_assets.errors import StorageFailed
from animatize_assets.performance.spool import SET_ASIDE, Spool
from animatize_assets_tests.performance.jobs import MONDAY, job


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "deep" / "spool")


def put(spool: Spool, number: int) -> str:
    spool_id = spool.new_id()
    spool.put(spool_id, job(number))
    return spool_id


def test_a_record_comes_back_as_it_was_in_the_order_of_time(spool: Spool) -> None:
    assert spool.ids() == []
    ids = [put(spool, number) for number in range(5)]
    assert spool.ids() == ids
    assert [spool.read(each) for each in ids] == [job(number) for number in range(5)]
    spool.remove(ids[:2])
    assert Spool(spool.folder).ids() == ids[2:]
    assert spool.read(ids[0]) is None
    spool.remove(ids[:2])


@given(st.lists(st.floats(-3600, 3600), min_size=2, max_size=20))
def test_order_survives_a_clock_that_is_set_back(steps: list[float]) -> None:
    now = [MONDAY]
    spool = Spool(Path("unused"), clock=lambda: now[0])
    ids = []
    for seconds in steps:
        now[0] += timedelta(seconds=seconds)
        ids.append(spool.new_id())
    assert sorted(ids) == ids
    assert len(set(ids)) == len(ids)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10_000), change=st.integers(1, 255), cut=st.booleans())
def test_any_damage_is_noticed_and_kept(place: int, change: int, cut: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder))
        bad, good = put(spool, 1), put(spool, 2)
        file = spool.folder / f"{bad}.json"
        content = bytearray(file.read_bytes())
        place %= len(content)
        if cut:
            del content[place:]
        else:
            content[place] ^= change
        file.write_bytes(content)
        assert spool.read(bad) is None
        assert spool.ids() == [good]
        assert (spool.folder / SET_ASIDE / file.name).read_bytes() == content


def test_a_record_of_another_version_is_set_aside(
    spool: Spool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = job(1).model_construct(**(dict(job(1)) | {"job_id": ""}))  # no version reads it
    spool.put("00-strange", strange)
    assert spool.read("00-strange") is None
    assert [file.name for file in (spool.folder / SET_ASIDE).iterdir()] == ["00-strange.json"]
    assert "this version cannot read it" in caplog.text


def test_what_was_not_finished_is_never_read_and_cleared_later(spool: Spool) -> None:
    put(spool, 1)
    old, new = spool.folder / ".old.1.part", spool.folder / ".new.1.part"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert len(spool.ids()) == 1
    spool.remove_abandoned()
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize("step", ["fsync", "open"])
def test_a_full_disk_is_told_and_leaves_nothing(
    step: str, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(spool, 1)

    def no_space(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        if step == "fsync":
            full.setattr("animatize_assets.performance.spool.os.fsync", no_space)
        else:
            full.setattr(Path, "open", no_space)
        with pytest.raises(StorageFailed, match="No space left"):
            put(spool, 2)
    assert len(list(spool.folder.iterdir())) == 1
    put(spool, 3)
    assert len(spool.ids()) == 2


def test_a_file_that_cannot_be_moved_is_reported_once(
    spool: Spool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool_id = put(spool, 1)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "read-only")

    with monkeypatch.context() as read_only:
        read_only.setattr(Path, "unlink", refuse)
        spool.remove([spool_id])
    assert spool.ids() == []
    assert Spool(spool.folder).ids() == [spool_id]
    assert caplog.text.count("could not be removed") == 1


def test_a_folder_that_is_none_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file")
    assert [spool.ids(), spool.ids()] == [[], []]
    assert len(caplog.records) == 1
    with pytest.raises(StorageFailed):
        put(spool, 1)


def test_threads_spool_at_once(spool: Spool) -> None:
    barrier = threading.Barrier(8)

    def several(thread: int) -> None:
        barrier.wait()
        for number in range(5):
            put(spool, 10 * thread + number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(several, range(8)))
    names = [found.job_id for each in spool.ids() if (found := spool.read(each)) is not None]
    assert sorted(names) == sorted(f"job-{10 * t + n}" for t in range(8) for n in range(5))
    for thread in range(8):  # each thread's own are in its order
        own = [name for name in names if int(name[4:]) // 10 == thread]
        assert own == sorted(own)


def test_the_clock_is_the_wall_clock(tmp_path: Path) -> None:
    before = datetime.now(UTC).timestamp()
    stamp_us = int(Spool(tmp_path).new_id().partition("-")[0])
    assert before - 1 < stamp_us / 1e6 < datetime.now(UTC).timestamp() + 1
