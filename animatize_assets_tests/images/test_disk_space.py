"""Work begins while there is room, and only then; nothing is remembered of the look before."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from animatize_assets.errors import DiskNearlyFull, StorageFailed
from animatize_assets.images.disk_space import UNLIMITED, DiskSpace, is_full

GB = 1_000_000_000


@dataclass
class Disk:
    """A file system whose free bytes a test sets."""

    total: int = 100 * GB
    free: int = 50 * GB

    def __call__(self, _folder: Path) -> Disk:
        return self


def space(disk: Disk, folder: Path, *, least_free: int = GB, share: float = 0.05) -> DiskSpace:
    return DiskSpace((folder,), least_free, share, usage=disk)


def test_it_stops_when_the_disk_fills_and_goes_on_when_it_is_freed(tmp_path: Path) -> None:
    disk = Disk()
    room = space(disk, tmp_path)
    room.check()
    disk.free = 5 * GB - 1
    with pytest.raises(DiskNearlyFull) as refused:
        room.check()
    told = refused.value.message
    assert str(tmp_path) in told
    assert "5.00 GB left of 100.00 GB, and 5.00 GB are kept free" in told
    assert refused.value.code == "disk_nearly_full"
    disk.free = 5 * GB
    room.check()


@given(
    total=st.integers(1, 10**15),
    used=st.floats(0, 1),
    least=st.integers(0, 10**13),
    share=st.floats(0, 0.5),
)
def test_the_larger_of_both_limits_counts(
    total: int, used: float, least: int, share: float
) -> None:
    disk = Disk(total, round(total * (1 - used)))
    room = DiskSpace((), least, share, usage=disk).room(Path("/"))
    assert room.kept_free == max(least, round(share * total))
    assert room.is_enough == (disk.free >= room.kept_free)


def test_every_folder_is_looked_at_also_one_that_is_not_there_yet(tmp_path: Path) -> None:
    asked: list[Path] = []

    def usage(folder: Path) -> Disk:
        asked.append(folder)
        return Disk(free=0 if folder.name == "home" else GB)

    (tmp_path / "home").mkdir()
    room = DiskSpace((tmp_path / "data" / "deep", tmp_path / "home"), 1, 0.0, usage=usage)
    with pytest.raises(DiskNearlyFull, match="home"):
        room.check()
    assert asked == [tmp_path, tmp_path / "home"]
    UNLIMITED.check()


IN_A_NAME_SPACE = ("unshare", "--user", "--map-root-user", "--mount")

ON_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size=8m none "$1"
head -c 5500000 /dev/zero > "$1/other"
try() { "$2" -c "
import sys
from pathlib import Path
from animatize_assets.errors import DiskNearlyFull
from animatize_assets.images.disk_space import DiskSpace
try:
    DiskSpace((Path(sys.argv[1]),), 4_000_000, 0.0).check()
    print('begins')
except DiskNearlyFull as error:
    print(error.code)
" "$1"; }
try "$1" "$2"
rm "$1/other"
try "$1" "$2"
"""


def test_a_real_file_system_that_fills_up_and_is_freed(tmp_path: Path) -> None:
    """A tmpfs of 8 MB in a name space of its own, for which nobody needs to be root."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        [*IN_A_NAME_SPACE, "sh", "-c", ON_A_SMALL_DISK, "sh", str(disk), sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip(f"this machine allows no name space: {done.stderr.strip()}")
    assert done.stdout.split() == ["disk_nearly_full", "begins"], done.stderr


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    error.__cause__ = cause
    return error


class _FromServer(Exception):
    def __init__(self, pgcode: str) -> None:
        super().__init__(pgcode)
        self.pgcode = pgcode


def test_what_did_not_fit_is_told_from_other_errors(tmp_path: Path) -> None:
    no_room = OSError(errno.ENOSPC, "No space left on device")
    assert is_full(no_room)
    assert is_full(OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert is_full(raised(StorageFailed("'a' could not be stored."), no_room))
    on_server = _FromServer("53100")
    assert is_full(raised(OperationalError("insert", {}, on_server), on_server))
    assert not is_full(OSError(errno.EACCES, "Permission denied"))
    assert not is_full(StorageFailed("The disk is full."))
    assert not is_full(raised(StorageFailed("no"), _FromServer("57P01")))

    with closing(sqlite3.connect(tmp_path / "small.db")) as connection:
        connection.execute("PRAGMA max_page_count = 3")
        connection.execute("CREATE TABLE kept (bytes BLOB)")
        with pytest.raises(sqlite3.OperationalError) as refused:
            connection.execute("INSERT INTO kept VALUES (zeroblob(100000))")
        assert is_full(refused.value)
        with pytest.raises(sqlite3.OperationalError) as missing:
            connection.execute("SELECT * FROM nothing")
        assert not is_full(missing.value)
