"""The frames of a camera path to a clip and its preview.

Belongs here: which frames are drawn, and that rendering and encoding overlap. Does not belong
here: how a frame is drawn (``rendering``) or encoded (``encoding``, ``preview``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from animatize_assets.animatic.encoding import encode_mp4
from animatize_assets.animatic.inspection import inspect_clip
from animatize_assets.animatic.models import ClipFacts
from animatize_assets.animatic.preview import FRAMES_PER_S, encode_preview, preview_size
from animatize_assets.animatic.recipe import to_text
from animatize_assets.errors import RenderingFailed
from animatize_assets.movement.models import CameraPath
from animatize_assets.rendering.threads import one_opencv_thread
from animatize_assets.rendering.video_planes import reduced_rgb

DRAWING = 2
"""Frames drawn at the same time."""

AHEAD = 8
"""Frames kept ready, or being drawn: x264 takes some at once (a group of B frames) and then none
for a while, and neither side must wait for the other."""


class FrameSource(Protocol):
    """Whatever draws frames: ``rendering.frame.FrameRenderer``."""

    @property
    def width(self) -> int:
        """Frame width, px."""

    @property
    def height(self) -> int:
        """Frame height, px."""

    def render_planes(self, t: float) -> NDArray[np.uint8]:
        """Return the frame at ``t`` in 0..1: uint8, 3/2 height x width, 4:2:0 planes of BT.709."""


def frame_times(path: CameraPath) -> list[float]:
    """Time of every frame: the first at 0, the last exactly at 1."""
    last = path.frame_count - 1
    return [i / last for i in range(last + 1)]


def write_clip(
    renderer: FrameSource,
    path: CameraPath,
    *,
    mp4: Path,
    preview: Path | None,
    recipe: Mapping[str, str | int | float],
) -> ClipFacts:
    """Write the clip of ``path`` to ``mp4`` and a small animated WebP to ``preview``, if any.

    Both carry ``recipe``. Frames are drawn just ahead of the encoder and never held together. The
    finished file is opened again and its key frames are decoded: what is returned is true of it.

    Raises:
        RenderingFailed: encoder or disk refused, or the clip does not decode to what the path
            says; neither file is left behind.
    """
    text = to_text(recipe)
    small: dict[int, NDArray[np.uint8]] = {}
    files = [mp4] if preview is None else [mp4, preview]
    try:
        encode_mp4(
            _drawn(renderer, path, None if preview is None else small),
            mp4,
            width=renderer.width,
            height=renderer.height,
            fps=path.fps,
            comment=text,
        )
        # Side by side: neither keeps two cores busy, and nothing else is left to do.
        with ThreadPoolExecutor(1, "preview") as beside:
            encoded = beside.submit(_encoded, small, path, text) if preview else None
            facts = inspect_clip(mp4, every_frame=False)
            _check(facts, renderer, path)
            if preview and encoded:
                preview.write_bytes(encoded.result())
    except OSError as error:
        _discard(*files)
        raise RenderingFailed(f"The preview could not be written: {error}") from error
    except BaseException:
        _discard(*files)
        raise
    return facts


def _encoded(small: Mapping[int, NDArray[np.uint8]], path: CameraPath, text: str) -> bytes:
    return encode_preview(
        [small[index] for index in sorted(small)],
        duration_s=path.frame_count / path.fps,
        recipe_text=text,
    )


def _drawn(
    renderer: FrameSource, path: CameraPath, small: dict[int, NDArray[np.uint8]] | None
) -> Iterator[NDArray[np.uint8]]:
    """Draw frames while those before are encoded; put reduced ones for a preview in ``small``."""
    times = frame_times(path)
    stride = max(1, round(path.fps / FRAMES_PER_S))
    size = preview_size(renderer.width, renderer.height)
    last = len(times) - 1

    def draw(index: int) -> NDArray[np.uint8]:
        frame = renderer.render_planes(times[index])
        if small is not None and (index % stride == 0 or index == last):
            small[index] = reduced_rgb(frame, size)
        return frame

    with one_opencv_thread(), ThreadPoolExecutor(DRAWING, "frames") as drawing:
        upcoming = iter(range(len(times)))
        ahead = deque(drawing.submit(draw, index) for index in islice(upcoming, AHEAD))
        try:
            while ahead:
                frame = ahead.popleft().result()
                ahead.extend(drawing.submit(draw, index) for index in islice(upcoming, 1))
                yield frame
        finally:
            for waiting in ahead:
                waiting.cancel()


def _check(facts: ClipFacts, renderer: FrameSource, path: CameraPath) -> None:
    found = (facts.width, facts.height, facts.fps, facts.frame_count)
    asked = (renderer.width, renderer.height, path.fps, path.frame_count)
    if found != asked:
        raise RenderingFailed(
            f"The clip decodes to (width, height, fps, frames) = {found}; asked were {asked}."
        )


def _discard(*files: Path) -> None:
    for file in files:
        if file.is_file():  # never a device
            file.unlink()
