"""Pictures as video stores them: BT.709, limited range, chroma at half the resolution.

Belongs here: that colour space and its planes. Does not belong here: encoding (``animatic``).
Everything is linear (ITU-R BT.709-6, section 3), so a layer may be brought into video colours once
and be moved and blended there, instead of converting every frame.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.rendering.scratch import Scratch

_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722


def _matrix() -> NDArray[np.float64]:
    """8-bit RGB to 8-bit Y, Cb, Cr, with its offsets in a fourth column."""
    luma = np.array([_RED, _GREEN, _BLUE])
    blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - _BLUE))
    red = (np.array([1, 0, 0]) - luma) / (2 * (1 - _RED))
    scaled = np.stack([219 * luma, 224 * blue, 224 * red]) / 255
    return np.column_stack([scaled, [16, 128, 128]])


_TO_VIDEO = _matrix()
_FROM_VIDEO = np.column_stack(
    [np.linalg.inv(_TO_VIDEO[:, :3]), -np.linalg.inv(_TO_VIDEO[:, :3]) @ _TO_VIDEO[:, 3]]
)


def to_video_colours(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGB pixels as Y, Cb, Cr: uint8, rows x columns x 3."""
    return np.asarray(cv2.transform(rgb, _TO_VIDEO), np.uint8)


def to_planes(video: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the planes of Y, Cb, Cr pixels, one below the other, as 4:2:0.

    ``video``: uint8, rows x columns x (Y, Cb, Cr, ...), both even. The result has 3/2 of the rows;
    each chroma sample is the mean of four pixels, so it sits in their middle.
    """
    rows, columns = video.shape[:2]
    planes = np.empty((rows * 3 // 2, columns), np.uint8)
    put_rows(video, planes, 0, Scratch())
    return planes


def put_rows(
    video: NDArray[np.uint8], planes: NDArray[np.uint8], top: int, scratch: Scratch
) -> None:
    """Put some rows of a picture, from ``top`` on, into its ``planes``: see :func:`to_planes`.

    ``top`` and the number of rows are even.
    """
    rows, columns, channels = video.shape
    height = planes.shape[0] * 2 // 3
    cv2.extractChannel(video, 0, dst=planes[top : top + rows])
    shape = (rows // 2, columns // 2, channels)
    halved = scratch.take("halved", shape, np.uint8)
    cv2.resize(video, shape[1::-1], dst=halved, interpolation=cv2.INTER_AREA)
    chroma = planes[height:].reshape(2, height // 2, columns // 2)
    for channel in (1, 2):
        part = chroma[channel - 1, top // 2 : (top + rows) // 2]
        cv2.extractChannel(halved, channel, dst=part)


def reduced_rgb(planes: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return 4:2:0 planes as RGB pixels of ``size`` (width, height), by area averaging."""
    rows, columns = planes.shape[0] * 2 // 3, planes.shape[1]
    chroma = planes[rows:].reshape(2, rows // 2, columns // 2)
    small = [
        cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
        for plane in (planes[:rows], chroma[0], chroma[1])
    ]
    return np.asarray(cv2.transform(cv2.merge(small), _FROM_VIDEO), np.uint8)
