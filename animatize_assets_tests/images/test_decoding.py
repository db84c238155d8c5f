"""What normalised pixels are: exactly right, in every format and mode, or refused."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from animatize_assets.errors import InvalidImage
from animatize_assets.images.decoding import decode_content, decode_normalized, load_working_copy
from animatize_assets_tests.images.pictures import (
    HEIGHT,
    WIDTH,
    Encoded,
    bmp_with_alpha,
    encode,
    picture,
    png,
    png_chunk,
    tiff_by_hand,
    turned_file,
    whole_files,
)
from animatize_assets_tests.images.profiles import (
    cmyk_profile,
    gray_profile,
    profile,
    wide_gamut_profile,
)

LOSSLESS_FILES = ("PNG", "WEBP", "TIFF")


@pytest.mark.parametrize("file", whole_files(), ids=lambda file: file.name)
def test_every_format_and_mode_gives_exactly_its_pixels(file: Encoded) -> None:
    pixels = decode_content(file.content).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    difference = np.abs(pixels.astype(int) - file.expected)
    # Compositing may round the last half level either way; everything else is exact.
    assert difference.max() <= (1 if "alpha" in file.name or "rgba" in file.name else 0)


@pytest.mark.parametrize("image_format", LOSSLESS_FILES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_ends_upright(orientation: int, image_format: str) -> None:
    decoded = decode_content(turned_file(orientation, image_format))
    np.testing.assert_array_equal(decoded.pixels, picture())
    assert decoded.exif_orientation == orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpegs_orientation_ends_upright(orientation: int) -> None:
    pixels = decode_content(turned_file(orientation, "JPEG")).pixels
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    # Chroma is shared by 2 x 2 pixels, so the rough part differs; the smooth part must not.
    assert np.abs(pixels[35:].astype(int) - picture()[35:]).mean() < 6
    assert np.abs(pixels[35:, ::-1].astype(int) - picture()[35:]).mean() > 20


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"junk" * 9])
def test_damaged_exif_turns_nothing(exif: bytes) -> None:
    whole = encode(Image.fromarray(picture()), "WEBP", lossless=True, exif=exif)
    np.testing.assert_array_equal(decode_content(whole).pixels, picture())


def test_orientation_in_imagemagicks_png_text_is_applied() -> None:
    exif = Image.Exif()
    exif[274] = 3
    block = exif.tobytes()
    text = f"\nexif\n{len(block):8d}\n{block.hex()}\n".encode()
    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(picture()[::-1, ::-1]))
    chunk = png_chunk(b"tEXt", b"Raw profile type exif\0" + text)
    decoded = decode_content(png(WIDTH, HEIGHT, 8, 2, rows, chunk))
    np.testing.assert_array_equal(decoded.pixels, picture())


@pytest.mark.parametrize(
    ("depth", "colour", "key", "clear"),
    [
        (8, 0, b"\0\x28", lambda p: p == 40),
        (4, 0, b"\0\x03", lambda p: p == 3),
        (16, 0, b"\x28\x07", lambda p: p == 0x2807),
        (8, 2, b"\0\x28\0\x29\0\x2a", lambda p: (p == [40, 41, 42]).all(axis=-1)),
        (16, 2, b"\x28\x01\x29\x02\x2a\x03", lambda p: (p == [0x2801, 0x2902, 0x2A03]).all(-1)),
    ],
    ids=["gray-8", "gray-4", "gray-16", "rgb-8", "rgb-16"],
)
def test_a_transparent_key_colour_becomes_white_and_its_neighbours_do_not(
    depth: int, colour: int, key: bytes, clear: object
) -> None:
    bands = 3 if colour == 2 else 1
    rng = np.random.default_rng(5)
    values = rng.integers(0, min(1 << depth, 200), (20, 20, bands), dtype=np.uint16)
    number = np.frombuffer(key, ">u2")
    values[3, 4], values[3, 5] = number, number + 1  # the key, and one that differs in one bit
    if depth == 4:
        packed = (values[:, ::2, 0] << 4 | values[:, 1::2, 0]).astype(np.uint8)
        rows = b"".join(b"\0" + row.tobytes() for row in packed)
        eight = values * 17
    else:
        rows = b"".join(
            b"\0" + row.astype(">u2" if depth == 16 else np.uint8).tobytes() for row in values
        )
        eight = values >> 8 if depth == 16 else values
    content = png(20, 20, depth, colour, rows, png_chunk(b"tRNS", key))
    matches = (values == number).all(axis=-1)
    expected = np.where(matches[..., None], 255, np.broadcast_to(eight, (20, 20, 3)))
    assert matches[3, 4]
    assert not matches[3, 5]
    decoded = decode_content(content)
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert decoded.flattened_alpha


def test_an_srgb_profile_changes_nothing() -> None:
    decoded = decode_content(encode(Image.fromarray(picture()), "PNG", icc_profile=profile()))
    np.testing.assert_array_equal(decoded.pixels, picture())
    assert decoded.has_icc_profile
    assert decoded.is_plain


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_profile_is_converted_as_little_cms_does(image_format: str) -> None:
    options = {"lossless": True} if image_format == "WEBP" else {}
    content = encode(
        Image.fromarray(picture()), image_format, icc_profile=wide_gamut_profile(), **options
    )
    plain = Image.open(io.BytesIO(content)).convert("RGB")
    expected = ImageCms.profileToProfile(
        plain,
        ImageCms.ImageCmsProfile(io.BytesIO(wide_gamut_profile())),
        ImageCms.createProfile("sRGB"),
    )
    decoded = decode_content(content)
    np.testing.assert_array_equal(decoded.pixels, np.asarray(expected))
    assert np.abs(decoded.pixels.astype(int) - np.asarray(plain)).mean() > 20
    assert decoded.has_icc_profile
    assert not decoded.is_plain


@pytest.mark.parametrize(
    "damaged", [b"not a profile", profile()[:200], profile("LAB"), b"\0" * 400]
)
def test_a_damaged_or_foreign_profile_is_ignored(damaged: bytes) -> None:
    decoded = decode_content(encode(Image.fromarray(picture()), "PNG", icc_profile=damaged))
    np.testing.assert_array_equal(decoded.pixels, picture())
    assert not decoded.has_icc_profile


def test_a_gray_picture_with_an_rgb_profile_is_converted() -> None:
    gray = Image.fromarray(picture()).convert("L")
    decoded = decode_content(encode(gray, "PNG", icc_profile=wide_gamut_profile()))
    assert decoded.has_icc_profile
    assert decoded.pixels.shape == (HEIGHT, WIDTH, 3)


def _by_little_cms(image: Image.Image, icc_profile: bytes) -> np.ndarray:
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
    target = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(image, source, target, outputMode="RGB"))


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF"])
def test_a_gray_profile_is_converted_as_little_cms_does(image_format: str) -> None:
    gray = Image.fromarray(picture()).convert("L")
    content = encode(gray, image_format, icc_profile=gray_profile(1.0))
    decoded = decode_content(content)
    assert decoded.has_icc_profile
    stored = Image.open(io.BytesIO(content))
    np.testing.assert_array_equal(decoded.pixels, _by_little_cms(stored, gray_profile(1.0)))
    assert decoded.pixels.mean() > np.asarray(stored).mean() + 20  # linear light looks brighter


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_a_cmyk_profile_is_converted_as_little_cms_does(image_format: str, tmp_path: Path) -> None:
    inks = Image.fromarray(picture()).convert("CMYK")
    content = encode(inks, image_format, icc_profile=cmyk_profile())
    decoded = decode_content(content)
    assert decoded.has_icc_profile
    stored = Image.open(io.BytesIO(content))
    expected = _by_little_cms(stored, cmyk_profile())
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert np.abs(expected.astype(int) - np.asarray(stored.convert("RGB"))).mean() > 10
    path = tmp_path / "upload"
    path.write_bytes(content)
    small = load_working_copy(path, 40)
    assert np.abs(small.mean(axis=(0, 1)) - expected.mean(axis=(0, 1))).max() < 8


@pytest.mark.parametrize("icc_profile", [cmyk_profile(), gray_profile(2.2)])
def test_a_profile_for_other_colours_is_ignored(icc_profile: bytes) -> None:
    content = encode(Image.fromarray(picture()), "PNG", icc_profile=icc_profile)
    np.testing.assert_array_equal(decode_content(content).pixels, picture())


def test_cmyk_jpeg_without_adobes_marker_is_not_inverted() -> None:
    ink = Image.new("CMYK", (32, 32), (255, 0, 0, 255))  # cyan and black: black
    adobe = encode(ink, "JPEG", quality=95)
    assert tuple(decode_content(adobe).pixels[5, 5]) == (0, 0, 0)
    at = adobe.index(b"\xff\xee")
    length = int.from_bytes(adobe[at + 2 : at + 4], "big")
    bare = adobe[:at] + adobe[at + 2 + length :]
    # The same bytes, not inverted, are magenta and yellow: red.
    assert tuple(decode_content(bare).pixels[5, 5]) == (255, 0, 0)


def test_an_all_zero_fourth_byte_in_a_bmp_means_opaque() -> None:
    clear = np.dstack([picture(), np.zeros((HEIGHT, WIDTH), np.uint8)])
    decoded = decode_content(bmp_with_alpha(clear))
    np.testing.assert_array_equal(decoded.pixels, picture())


def test_a_lab_tiff_is_converted() -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(Image.fromarray(picture()), to_lab)
    assert lab is not None
    decoded = decode_content(encode(lab, "TIFF"))
    assert decoded.source_mode == "LAB"
    assert np.abs(decoded.pixels.astype(int) - picture()).mean() < 3  # Lab in 8 bits is coarse


def test_floating_point_samples_are_refused() -> None:
    content = encode(Image.fromarray(np.ones((20, 20), np.float32)), "TIFF")
    with pytest.raises(InvalidImage) as refusal:
        decode_content(content)
    assert refusal.value.code == "image_format_unsupported"


def test_only_what_needed_nothing_is_plain() -> None:
    plain = {file.name for file in whole_files() if decode_content(file.content).is_plain}
    assert plain == {
        "jpeg", "jpeg-444", "jpeg-progressive", "jpeg-restarts", "jpeg-gray", "png", "png-gray",
        "webp-lossy", "webp-lossless", "bmp", "bmp-gray", "bmp-32",
        "bmp-run-length",
    }  # fmt: skip


def test_pages_are_counted_and_the_first_is_used() -> None:
    counts = {file.name: decode_content(file.content).frame_count for file in whole_files()}
    assert counts.pop("tiff-two-pages") == 2
    assert set(counts.values()) == {1}


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1081, 1923), (700, 333), (4000, 16)])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_a_working_copy_has_exactly_the_asked_long_side(
    tmp_path: Path, width: int, height: int, image_format: str
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encode(Image.fromarray(picture(width, height)), image_format))
    copy = load_working_copy(path, 640)
    assert max(copy.shape[:2]) == 640
    assert min(copy.shape[:2]) == max(1, round(min(width, height) * 640 / max(width, height)))
    np.testing.assert_array_equal(copy, load_working_copy(path, 640))


@pytest.mark.parametrize("file", whole_files(), ids=lambda file: file.name)
def test_a_small_picture_is_its_own_working_copy(file: Encoded, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(file.content)
    np.testing.assert_array_equal(load_working_copy(path, 640), decode_normalized(path))
    np.testing.assert_array_equal(load_working_copy(path, WIDTH), decode_normalized(path))


@pytest.mark.parametrize("file", whole_files(), ids=lambda file: file.name)
def test_a_working_copy_is_normalised_like_the_full_picture(file: Encoded, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(file.content)
    full = decode_normalized(path)
    small = load_working_copy(path, 30)
    # The same colours on average: no missed profile, inversion, background or page.
    difference = np.abs(small.mean(axis=(0, 1)) - full.mean(axis=(0, 1)))
    assert difference.max() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", [*LOSSLESS_FILES, "JPEG"])
def test_a_working_copy_is_upright(orientation: int, image_format: str, tmp_path: Path) -> None:
    path, upright = tmp_path / "turned", tmp_path / "upright"
    path.write_bytes(turned_file(orientation, image_format))
    upright.write_bytes(turned_file(1, image_format))
    copy = load_working_copy(path, 40)
    expected = load_working_copy(upright, 40)
    assert copy.shape == expected.shape
    assert np.abs(copy.astype(int) - expected).mean() < 5


def _smooth_photograph() -> Image.Image:
    rng = np.random.default_rng(9)
    return Image.fromarray(rng.integers(0, 255, (45, 80, 3), dtype=np.uint8))


def test_one_picture_gives_one_working_copy_at_every_size(tmp_path: Path) -> None:
    scene = _smooth_photograph()
    copies = []
    for width, height in [(1280, 720), (1920, 1080), (3840, 2160)]:
        enlarged = scene.resize((width, height), Image.Resampling.BICUBIC)
        for image_format in ("JPEG", "PNG"):
            path = tmp_path / f"{width}.{image_format}"
            options = {"quality": 92} if image_format == "JPEG" else {"compress_level": 1}
            path.write_bytes(encode(enlarged, image_format, **options))
            copies.append(load_working_copy(path, 640).astype(int))
    for copy in copies[1:]:
        assert np.abs(copy - copies[0]).mean() < 2.5


def test_threads_do_not_change_the_pixels() -> None:
    files = [file.content for file in whole_files()]
    expected = [decode_content(content).pixels for content in files]
    wrong: list[int] = []

    def decode_all() -> None:
        for index, content in enumerate(files):
            if not np.array_equal(decode_content(content).pixels, expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=decode_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_opencvs_threads_do_not_change_a_working_copy(image_format: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encode(Image.fromarray(picture(1500, 1100)), image_format))
    threads = cv2.getNumThreads()
    try:
        copies = []
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            copies.append(load_working_copy(path, 640))
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(copies[0], copies[1])
    np.testing.assert_array_equal(copies[0], copies[2])


def test_sixteen_bit_tiff_is_read_in_both_byte_orders() -> None:
    gray = picture()[..., 0].astype(np.uint16) * 257
    little = encode(Image.fromarray(gray), "TIFF")
    big = tiff_by_hand(gray.astype(">u2"))
    np.testing.assert_array_equal(decode_content(little).pixels, decode_content(big).pixels)
