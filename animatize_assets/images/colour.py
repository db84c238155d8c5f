"""From whatever a file's samples mean to 8-bit sRGB on white.

Belongs here: ICC profiles, CMYK, Lab, 16-bit samples, transparency. Does not belong here: opening
files (``decoding``) and turning them (``exif``).

Choices, all of them what a browser or Pillow's defaults do:

- A profile is applied with the perceptual intent. A damaged profile, or one for another kind of
  colour than the file's, is ignored and the samples are taken as sRGB.
- CMYK without a usable profile is converted by ``(255 - C)(255 - K) / 255``.
- 16-bit samples keep their high byte; 12-bit ones their eight highest bits.
- Transparency is composited on white after conversion to sRGB.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
_GRID_STEPS = 9  # per axis; enough to see any curve or matrix that is not sRGB's


@dataclass(frozen=True)
class Samples:
    """A decoded picture whose samples are 8-bit but mean what the file says they mean."""

    image: Image.Image
    """Mode L, RGB, CMYK or LAB."""
    alpha: NDArray[np.uint8] | None
    """Opacity, rows x columns, 255 = opaque; None when the file has none or all is opaque."""


class SrgbConversion:
    """How samples with one embedded profile become sRGB. Made by :func:`conversion_for`."""

    def __init__(self, transform: ImageCms.ImageCmsTransform, mode: str) -> None:
        self._transform = transform
        self._mode = mode
        self.is_identity = mode in {"RGB", "L"} and _changes_nothing(transform, mode)
        """The profile is sRGB itself, within one level of 255."""

    def apply(self, image: Image.Image) -> Image.Image:
        """Return ``image`` as an RGB image in sRGB."""
        if self.is_identity:
            return image.convert("RGB")
        return self._transform.apply(image if image.mode == self._mode else image.convert("RGB"))


def conversion_for(icc_profile: bytes | None, mode: str) -> SrgbConversion | None:
    """Find the conversion that ``icc_profile`` asks for samples of ``mode``.

    None when there is no profile, when it is damaged, or when it describes another kind of
    colour: an RGB profile also serves grey samples, nothing else crosses.
    """
    if mode == "LAB":
        return _lab_conversion()
    return _profile_conversion(icc_profile, mode) if icc_profile else None


@lru_cache(maxsize=16)
def _profile_conversion(icc_profile: bytes, mode: str) -> SrgbConversion | None:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
        meant_for = _PROFILE_MODES.get(profile.profile.xcolor_space.strip())
        if meant_for is None or (meant_for != mode and (meant_for, mode) != ("RGB", "L")):
            return None
        transform = ImageCms.buildTransform(profile, _srgb(), meant_for, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return SrgbConversion(transform, meant_for)


@lru_cache(maxsize=1)
def _lab_conversion() -> SrgbConversion:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    return SrgbConversion(ImageCms.buildTransform(lab, _srgb(), "LAB", "RGB"), "LAB")


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    axis = np.linspace(0, 255, _GRID_STEPS).astype(np.uint8)
    if mode == "L":
        grid = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(1, -1))
    else:
        colours = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
        grid = Image.fromarray(colours.reshape(1, -1, 3))
    before = np.asarray(grid.convert("RGB"), np.int16)
    return int(np.abs(np.asarray(transform.apply(grid), np.int16) - before).max()) <= 1


def to_srgb(image: Image.Image, conversion: SrgbConversion | None) -> NDArray[np.uint8]:
    """Convert samples of mode L, RGB, CMYK or LAB to rows x columns x RGB in sRGB, uint8."""
    converted = conversion.apply(image) if conversion else image.convert("RGB")
    return np.asarray(converted, np.uint8)


def flatten_on_white(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay ``rgb`` through ``alpha`` on white, rounded to nearest."""
    white = Image.new("RGB", (rgb.shape[1], rgb.shape[0]), (255, 255, 255))
    white.paste(Image.fromarray(rgb), mask=Image.fromarray(alpha))
    return np.asarray(white, np.uint8)


def high_byte(samples: NDArray[np.uint16], bits: int = 16) -> Image.Image:
    """Keep the eight highest bits of grey samples of ``bits`` bits, as an 8-bit grey image."""
    return Image.fromarray((samples >> (bits - 8)).astype(np.uint8))


def opacity(alpha: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return ``alpha``, or None when all of it is opaque."""
    return None if bool((alpha == 255).all()) else alpha
