"""From Pillow's many modes to samples of four kinds and an opacity.

Belongs here: what is particular to one mode of one format, and where Pillow leaves something to
its caller. Does not belong here: colour conversion (``colour``).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, JpegImagePlugin, TiffImagePlugin

from animatize_assets.errors import InvalidImage
from animatize_assets.images.colour import Samples, high_byte, opacity

_PHOTOMETRIC_TAG = 262
_BITS_PER_SAMPLE_TAG = 258
_MIN_IS_WHITE = 0
_WITH_ALPHA = {"LA": "LA", "La": "LA", "RGBA": "RGBA", "RGBa": "RGBA", "PA": "RGBA"}
"""Modes with an opacity, and the mode that holds the same without premultiplication."""


def read_samples(image: Image.Image, content: bytes) -> Samples:
    """Take a loaded Pillow image as samples. ``content``: the file's bytes.

    Raises:
        InvalidImage: ``image_format_unsupported``, samples without a known range (32-bit integer
            or floating point).

    """
    mode = image.mode
    if mode.startswith("I;16"):
        samples = _sixteen_bit_grey(image)
    elif mode in {"I", "F"}:
        raise InvalidImage(
            "Samples of 32 bits have no agreed range and are not supported; save with 8 or 16.",
            code="image_format_unsupported",
        )
    elif mode in _WITH_ALPHA or (mode == "P" and _palette_has_alpha(image)):
        samples = _split_alpha(image)
    elif mode == "CMYK":
        samples = Samples(_adobe_or_plain(image), None)
    elif mode == "LAB":
        samples = Samples(image, None)
    else:
        plain = image.convert("L" if mode in {"1", "L"} else "RGB")
        samples = Samples(plain, _key_colour_alpha(image, plain, content))
    return samples


def _palette_has_alpha(image: Image.Image) -> bool:
    return "transparency" in image.info or (
        image.palette is not None and image.palette.mode == "RGBA"
    )


def _split_alpha(image: Image.Image) -> Samples:
    straight = image.convert(_WITH_ALPHA.get(image.mode, "RGBA"))
    alpha = np.asarray(straight.getchannel("A"), np.uint8)
    if image.format == "BMP" and not alpha.any():
        # Many writers of 32-bit BMP leave the fourth byte zero and mean an opaque picture.
        return Samples(straight.convert("RGB"), None)
    return Samples(straight.convert("L" if straight.mode == "LA" else "RGB"), opacity(alpha))


def _adobe_or_plain(image: Image.Image) -> Image.Image:
    # Pillow inverts every CMYK JPEG, as Adobe writes them; without Adobe's marker none is inverted.
    if isinstance(image, JpegImagePlugin.JpegImageFile) and "adobe" not in image.info:
        return ImageChops.invert(image)
    return image


def _sixteen_bit_grey(image: Image.Image) -> Samples:
    values = np.asarray(image).astype(np.uint16)
    bits = 16
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = int(image.tag_v2.get(_BITS_PER_SAMPLE_TAG, (16,))[0])
        if image.tag_v2.get(_PHOTOMETRIC_TAG) == _MIN_IS_WHITE:
            values = ((1 << bits) - 1 - values).astype(np.uint16)
    key = image.info.get("transparency")
    alpha = None if key is None else opacity(np.where(values == key, 0, 255).astype(np.uint8))
    return Samples(high_byte(values, bits), alpha)


def _key_colour_alpha(
    image: Image.Image, plain: Image.Image, content: bytes
) -> NDArray[np.uint8] | None:
    """Opacity of a PNG whose tRNS chunk names one transparent grey or colour."""
    key = image.info.get("transparency")
    if key is None or image.format != "PNG":
        return None
    bit_depth = content[24]
    if bit_depth == 16:  # only all 16 bits tell the colour from its neighbours
        deep = np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED))
        matches = (deep[..., 2::-1] == np.asarray(key, np.uint16)).all(axis=-1)
    elif isinstance(key, tuple):
        matches = (np.asarray(plain) == np.asarray(key, np.uint16)).all(axis=-1)
    else:
        # Pillow widens grey samples of fewer than 8 bits, but not the key (except for 1 bit).
        widened = key if bit_depth in {1, 8} else key * 255 // ((1 << bit_depth) - 1)
        matches = np.asarray(plain) == widened
    return opacity(np.where(matches, 0, 255).astype(np.uint8))
