"""Whatever is offered is accepted with exactly right pixels or refused with its code."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from animatize_assets.errors import InvalidImage
from animatize_assets.images.decoding import decode_content, decode_strictly, load_working_copy
from animatize_assets.images.limits import ImageLimits
from animatize_assets.images.validation import (
    Upload,
    check_header,
    read_upload,
    validate_upload,
)
from animatize_assets_tests.images.bad_files import BadFile, bad_files, bombs
from animatize_assets_tests.images.pictures import whole_files

LIMITS = ImageLimits()


def _refusal(file: BadFile, path: Path) -> str | None:
    """The code that refuses ``file``, or None when it is accepted with its exact pixels."""
    file.make(path)
    try:
        decoded = decode_strictly(read_upload(path, LIMITS))
    except InvalidImage as refusal:
        return refusal.code
    assert file.whole is not None, f"{file.name} was accepted"
    difference = np.abs(decoded.pixels.astype(int) - file.whole)
    assert difference.max() <= (1 if "alpha" in file.name or "rgba" in file.name else 0)
    return None


def test_bad_files_are_refused_with_their_code_or_accepted_whole(
    tmp_path: Path, sizes: dict[str, Any]
) -> None:
    files = bad_files(sizes["bad_input"]["cases"])
    assert len(files) >= sizes["bad_input"]["cases"]
    codes: dict[str, str | None] = {}
    for number, file in enumerate(files):
        codes[file.name] = _refusal(file, tmp_path / f"{number}")
    allowed = {file.name: file.codes for file in files}
    wrong = {name: code for name, code in codes.items() if code and code not in allowed[name]}
    assert wrong == {}
    # Accepted is only what lost some bytes that hold no pixel: padding, an end marker, a page
    # that is not the first.
    accepted = [name for name, code in codes.items() if code is None and "pages" not in name]
    assert [name for name in accepted if int(name.rsplit("-lost-")[1]) > 8] == []


@pytest.mark.parametrize("file", whole_files(), ids=lambda file: file.name)
def test_whole_files_are_accepted(file: Any, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(file.content + b"what comes after the end does not matter" * 5)
    if file.name.startswith("tiff"):
        path.write_bytes(file.content)
    decoded = decode_strictly(read_upload(path, LIMITS))
    assert decoded.pixels.shape == file.expected.shape


def test_checks_come_in_their_order(tmp_path: Path) -> None:
    # Each file fails several checks; the earliest is reported.
    path = tmp_path / "file"
    path.write_bytes(b"GIF89a" + bytes(100))
    tiny = ImageLimits(max_bytes=50, max_pixels=1, min_side_px=4000)
    with pytest.raises(InvalidImage) as refusal:
        validate_upload(path, tiny)
    assert refusal.value.code == "image_too_many_bytes"
    with pytest.raises(InvalidImage) as refusal:
        validate_upload(path, ImageLimits(max_pixels=1))
    assert refusal.value.code == "image_format_unsupported"
    png = next(file for file in whole_files() if file.name == "png")
    path.write_bytes(png.content[:60])  # header whole, body cut
    for limits, code in (
        (ImageLimits(max_pixels=100, min_side_px=4000), "image_too_many_pixels"),
        (ImageLimits(min_side_px=4000), "image_too_small"),
    ):
        with pytest.raises(InvalidImage) as refusal:
            decode_strictly(read_upload(path, limits))
        assert refusal.value.code == code
    with pytest.raises(InvalidImage) as refusal:
        decode_strictly(read_upload(path, LIMITS))
    assert refusal.value.code == "image_body_corrupt"


def test_bombs_cost_nothing(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, bomb in enumerate(bombs()):
        assert _refusal(bomb, tmp_path / f"{number}") is not None
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 64 * 1024


def test_what_validation_accepts_it_describes(tmp_path: Path) -> None:
    for file in whole_files():
        path = tmp_path / "upload"
        path.write_bytes(file.content)
        header = validate_upload(path, LIMITS)
        assert (header.height, header.width) == file.expected.shape[:2]
        assert header.byte_count == len(file.content)
        assert file.name.startswith(header.format)


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(whole_files()[0].content)
    (tmp_path / "link").symlink_to("target")
    assert validate_upload(tmp_path / "link", LIMITS).format == "jpeg"


def test_a_file_without_permission_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(whole_files()[0].content)
    path.chmod(0)
    if os.geteuid() == 0:  # root may read everything, so the refusal is simulated where it occurs
        opened = os.open

        def refuse(name: Any, *rest: Any, **options: Any) -> int:
            if Path(name) == path:
                raise PermissionError(13, "Permission denied", str(path))
            return opened(name, *rest, **options)

        monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InvalidImage) as refusal:
        validate_upload(path, LIMITS)
    assert refusal.value.code == "image_unreadable"


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "file/below"])
def test_impossible_paths_are_missing(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidImage) as refusal:
        validate_upload(tmp_path / name, LIMITS)
    assert refusal.value.code == "image_missing"


def test_a_folder_without_a_name_is_called_as_it_was_given() -> None:
    for path in (Path(), Path("/")):
        with pytest.raises(InvalidImage, match=f"'{path}' is a directory") as refusal:
            validate_upload(path, LIMITS)
        assert refusal.value.code == "image_not_a_file"


def test_a_damaged_file_has_no_working_copy(tmp_path: Path) -> None:
    for file in whole_files():
        if file.name.startswith(("jpeg", "png", "webp")):
            path = tmp_path / "upload"
            path.write_bytes(file.content[: len(file.content) * 2 // 3])
            with pytest.raises(InvalidImage):
                load_working_copy(path, 40)


def _judge(content: bytes) -> None:
    """Whatever the bytes: pixels within the limits, or a known code; nothing else."""
    try:
        decoded = decode_strictly(Upload(content, check_header(content, LIMITS)))
    except InvalidImage:  # any other exception fails the test; the class knows no other codes
        return
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.shape[2] == 3
    assert decoded.pixels.shape[0] * decoded.pixels.shape[1] <= LIMITS.max_pixels


MAGIC = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\x40\0\0\0WEBPVP8 ",
    b"BM",
    b"II*\0",
    b"MM\0*",
]


@given(magic=st.sampled_from(MAGIC), rest=st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_judged(magic: bytes, rest: bytes) -> None:
    _judge(magic + rest)


@given(data=st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_change_of_a_whole_file_is_judged(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(whole_files())).content)
    # The first bytes are where lengths, counts and sizes are.
    near = st.integers(0, min(len(content), 700) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(near)] = data.draw(st.integers(0, 255))
    _judge(bytes(content))


@given(cut=st.floats(0, 1), number=st.integers(0, len(whole_files()) - 1))
@settings(max_examples=100, deadline=None)
def test_any_truncation_is_refused_or_exact(cut: float, number: int) -> None:
    file = whole_files()[number]
    content = file.content[: int(cut * (len(file.content) - 1))]
    try:
        pixels = decode_content(content).pixels
    except InvalidImage:
        return
    assert np.abs(pixels.astype(int) - file.expected).max() <= 1


def test_validation_is_light() -> None:
    code = (
        "import sys, animatize_assets.images.validation; "
        "print([m for m in ('numpy', 'cv2', 'PIL', 'sqlalchemy', 'upath') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
