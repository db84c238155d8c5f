"""A backup file: what was written comes back, and nothing else is taken for it."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.errors import StorageFailed
from animatize_assets.workplace.backup_file import BackupWriter, Manifest, read_backup

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0\n"), min_size=1, max_size=20)
CONTENTS = st.dictionaries(NAMES.filter(lambda name: name not in (".", "..")), st.binary())

CONTENT = {"a": b"some content" * 100, "b": bytes(1000)}


def manifest_of(sums: str, writer: BackupWriter) -> Manifest:
    return Manifest(
        made_at=datetime(2026, 1, 1, tzinfo=UTC),
        data_dir="somewhere",
        versions={},
        schema_revision="0001",
        settings={},
        databases=(),
        files=writer.files,
        bytes=writer.bytes,
        sums_sha256=sums,
    )


def write(file: Path, contents: Mapping[str, bytes]) -> Manifest:
    with (
        file.open("wb") as stream,
        TemporaryDirectory() as folder,
        BackupWriter(stream) as writer,
    ):
        source = Path(folder) / "source"
        for name, content in contents.items():
            source.write_bytes(content)
            with source.open("rb") as opened:
                writer.add(f"data/{name}", opened)
        return writer.finish(lambda sums: manifest_of(sums, writer))


def read(file: Path, to: Path) -> dict[str, bytes]:
    read_backup(file, lambda name: to / name)
    return {
        str(each.relative_to(to / "data")): each.read_bytes()
        for each in to.rglob("*")
        if each.is_file()
    }


@given(CONTENTS)
def test_what_was_written_comes_back(contents: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        manifest = write(file, contents)
        assert (manifest.files, manifest.bytes) == (
            len(contents),
            sum(map(len, contents.values())),
        )
        assert read(file, Path(folder) / "to") == contents
        assert read_backup(file, lambda _: None) == manifest


@given(st.data())
def test_a_file_that_is_cut_short_or_altered_is_refused(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        write(file, CONTENT)
        whole = file.read_bytes()
        # The last eight bytes are of gzip's own end, which tar needs not read.
        place = 10 + int(data.draw(st.floats(0, 1, exclude_max=True)) * (len(whole) - 18))
        if data.draw(st.booleans()):
            file.write_bytes(whole[:place])
        else:
            altered = bytearray(whole)
            altered[place] ^= 1 << data.draw(st.integers(0, 7))
            file.write_bytes(altered)
        found = {}
        with suppress(StorageFailed):
            found = read(file, Path(folder) / "to")
        # A bit may say nothing, such as one of gzip's padding.
        assert found in ({}, CONTENT)


def tar_of(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size, member.type = len(content), kind
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(stream.getvalue())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no whole backup"),
        (b"no archive at all", "no whole backup"),
        (gzip.compress(b"no tar file"), "no whole backup"),
        (tar_of(("../out", b"x")), "'../out'"),
        (tar_of(("/out", b"x")), "'/out'"),
        (tar_of(("data/link", b""), kind=tarfile.SYMTYPE), "which is no file"),
        (tar_of(("data/a", b"x")), "without its manifest.json"),
        (tar_of(("SHA256SUMS", b""), ("manifest.json", b"{}")), "of another kind"),
    ],
    # Compressed bytes have a time in them: two workers would name the tests differently.
    ids=["empty", "text", "no_tar", "above", "absolute", "link", "no_manifest", "other_kind"],
)
def test_what_is_no_backup_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(StorageFailed, match=says):
        read_backup(file, lambda name: tmp_path / "to" / name)
    assert not (tmp_path / "out").exists()


def test_a_file_that_was_added_or_whose_sums_were_changed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write(file, {"a": b"x"})
    with gzip.open(file) as opened, tarfile.open(fileobj=opened) as tar:
        members = [(each.name, tar.extractfile(each).read()) for each in tar]  # type: ignore[union-attr]
    first, (sums, told), manifest = members
    for changed, says in [
        ([first, ("data/b", b"y"), (sums, told), manifest], "'data/b' was added later"),
        ([("data/a", b"y"), (sums, told), manifest], "'data/a' is not what was saved"),
        ([(sums, told), manifest], "'data/a' is not what was saved"),
        ([(sums, b""), manifest], "not those that were written"),
    ]:
        file.write_bytes(tar_of(*changed))
        with pytest.raises(StorageFailed, match=says):
            read_backup(file, lambda _: None)


def test_without_the_file_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="cannot be read: No such file"):
        read_backup(tmp_path / "file", lambda _: None)
