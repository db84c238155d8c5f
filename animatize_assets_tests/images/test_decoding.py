"""What normalised pixels are: exactly right, in every format and mode, or refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PIL import Image

from animatize_assets.errors import InvalidImage
from animatize_assets.images.decoding import decode_content
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


def test_an_all_zero_fourth_byte_in_a_bmp_means_opaque() -> None:
    clear = np.dstack([picture(), np.zeros((HEIGHT, WIDTH), np.uint8)])
    decoded = decode_content(bmp_with_alpha(clear))
    np.testing.assert_array_equal(decoded.pixels, picture())


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


def test_sixteen_bit_tiff_is_read_in_both_byte_orders() -> None:
    gray = picture()[..., 0].astype(np.uint16) * 257
    little = encode(Image.fromarray(gray), "TIFF")
    big = tiff_by_hand(gray.astype(">u2"))
    np.testing.assert_array_equal(decode_content(little).pixels, decode_content(big).pixels)
