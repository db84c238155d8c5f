"""Frames to an H.264 MP4, one at a time.

Belongs here: codec, container and colour flags. Does not belong here: where frames come from.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.errors import RenderingFailed

if TYPE_CHECKING:
    import av

PRESET = "veryfast"
"""x264's trade of time for size. An animatic is made often and kept briefly."""

CONSTANT_QUALITY = 18
"""x264's CRF; its guide calls 17 to 18 visually lossless or nearly so."""

THREADS = 3
"""x264 writes other bytes with another number of threads, so it never follows the machine. Three
take frames as fast as two threads draw them; a fourth costs 3 % of the processor on two cores."""

ONE_SHOT = "scenecut=0:weightp=0:b-adapt=0"
"""What x264 need not look for in one shot of a still: cuts, fades, and where B frames pay (always).
"""

KEYFRAME_INTERVAL_S = 2
"""A player can jump to any 2 s: the usual segment of streaming."""

_OPENCV_CPU_AVX2 = 11  # opencv2/core/cvdef.h: CV_CPU_AVX2
_BT709 = 1  # ITU-T H.273: the code of BT.709 for primaries, transfer and matrix alike
_LIMITED = 1  # libavutil's AVCOL_RANGE_MPEG: luma 16 to 235


def encode_mp4(
    frames: Iterable[NDArray[np.uint8]],
    target: Path,
    *,
    width: int,
    height: int,
    fps: int,
    comment: str,
) -> None:
    """Write ``frames`` as a playable MP4.

    Each frame is uint8, 3/2 ``height`` x ``width``: 4:2:0 planes of BT.709, limited range, chroma
    in the middle of its four pixels (``rendering.video_planes``), flagged as such. The index
    stands first, so that a browser plays it while loading; there is no date. The same frames give
    the same bytes on every x86 machine with the same libraries.

    Raises:
        RenderingFailed: the codec or the disk refused; no file is left behind.
    """
    import av  # here: a second of start-up that only encoding needs

    try:
        with av.open(
            str(target),
            "w",
            format="mp4",
            container_options={"movflags": "+faststart", "fflags": "+bitexact"},
        ) as container:
            container.metadata["comment"] = comment
            stream = container.add_stream(
                "libx264",
                rate=fps,
                options={
                    "preset": PRESET,
                    "crf": str(CONSTANT_QUALITY),
                    "x264-params": f"chromaloc=1:{ONE_SHOT}{_instruction_set()}",
                },
            )
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.time_base = Fraction(1, fps)
            codec = stream.codec_context
            codec.time_base = Fraction(1, fps)
            codec.thread_count = THREADS
            # PyAV's own default cuts every frame into slices: a quarter slower, and larger.
            codec.thread_type = "FRAME"
            codec.gop_size = KEYFRAME_INTERVAL_S * fps
            codec.color_primaries = codec.color_trc = codec.colorspace = _BT709
            codec.color_range = _LIMITED
            for index, planes in enumerate(frames):
                frame = _as_frame(planes, height)
                frame.pts = index
                frame.time_base = Fraction(1, fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (av.FFmpegError, OSError) as error:
        _discard(target)
        raise RenderingFailed(f"The clip could not be written: {error}") from error
    except BaseException:
        _discard(target)
        raise


def _instruction_set() -> str:
    """Return the x264 parameter that keeps it from AVX-512, or nothing where AVX2 is missing, too.

    x264's AVX-512 code (core 165) for ``mbtree`` takes 8 macroblocks at a time and reads past the
    last of a row: where the width is no multiple of 128 px its bytes are other than those of every
    other instruction set, and at the end of a frame what it reads was never written, so they also
    differ from run to run.
    """
    return ":asm=avx2" if cv2.checkHardwareSupport(_OPENCV_CPU_AVX2) else ""


def _as_frame(planes: NDArray[np.uint8], height: int) -> av.VideoFrame:
    """Return a frame of ``height`` rows that shows ``planes``, without a copy where that can be.

    PyAV (18.1) takes a buffer's height down to a multiple of 4. The encoder would stretch such a
    frame, and its chroma would begin in the last rows of its luma.
    """
    import av  # here: as above

    frame = av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")
    if frame.height == height:
        return frame
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def _discard(file: Path) -> None:
    if file.is_file():  # never a device
        file.unlink()
