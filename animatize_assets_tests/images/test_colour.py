"""Profiles, inks and Lab become the sRGB that Little CMS makes of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from animatize_assets.images.decoding import decode_content, load_working_copy
from animatize_assets_tests.images.pictures import (
    HEIGHT,
    WIDTH,
    encode,
    picture,
)
from animatize_assets_tests.images.profiles import (
    cmyk_profile,
    gray_profile,
    profile,
    wide_gamut_profile,
)


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


def test_a_lab_tiff_is_converted() -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(Image.fromarray(picture()), to_lab)
    assert lab is not None
    decoded = decode_content(encode(lab, "TIFF"))
    assert decoded.source_mode == "LAB"
    assert np.abs(decoded.pixels.astype(int) - picture()).mean() < 3  # Lab in 8 bits is coarse
