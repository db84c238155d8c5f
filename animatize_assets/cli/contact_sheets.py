"""One picture per image that tells the whole story, for people who look at a folder.

Belongs here: what a sheet is drawn from and when it is drawn again. Does not belong here:
drawing (``rendering.contact_sheet``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from animatize_assets import __version__
from animatize_assets.cli.terminal import Terminal
from animatize_assets.errors import AnimatizeError, StorageFailed
from animatize_assets.images.decoding import load_working_copy
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.rendering.contact_sheet import draw_contact_sheet
from animatize_assets.rendering.frame import FrameRenderer
from animatize_assets.rendering.size import output_size
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets.workplace.opening import Workplace

FOLDER = "contact_sheets"
SHEET_LONG_SIDE_PX = 960
"""Long side of each picture before it is laid out on the sheet."""
JPEG_QUALITY = 88
STAGES = ("scene_analysis", "movement_prediction")
"""What a sheet shows beside the image itself."""


def write_contact_sheets(terminal: Terminal, workplace: Workplace, keys: Sequence[str]) -> None:
    """Write the sheets of ``keys``; one that cannot be written is told on standard error."""
    with terminal.progress("contact sheets") as bar:
        for key in bar.track(keys, description="Drawing"):
            try:
                write_contact_sheet(workplace, key)
            except (AnimatizeError, OSError) as error:
                terminal.note(f"No contact sheet of {key}: {error}")


def write_contact_sheet(workplace: Workplace, image_key: str) -> Path:
    """Draw the sheet of an image, unless the one that is there shows the same.

    Raises:
        StorageFailed: the image has no complete analysis.

    """
    prints = [workplace.artifacts.current_fingerprint(stage, image_key) for stage in STAGES]
    path = sheet_path(workplace.data_dir, image_key)
    shows = hashlib.sha256(" ".join([__version__, *map(str, prints)]).encode()).hexdigest()
    if _shown(path) != shows:
        _write(path, _draw(workplace, image_key), shows)
    return path


def sheet_path(data_dir: Path, image_key: str) -> Path:
    """Return where the sheet of an image is or would be."""
    return data_dir / FOLDER / f"{image_key}.jpg"


def _draw(workplace: Workplace, image_key: str) -> NDArray[np.uint8]:
    artifacts = workplace.artifacts
    scene = artifacts.current("scene_analysis", image_key, SceneAnalysis)
    prediction = artifacts.current("movement_prediction", image_key, MovementPrediction)
    if scene is None or prediction is None or scene.arrays.depth is None:
        raise StorageFailed(f"The stored analysis of {image_key} is not complete.")
    with workplace.images.local_original(image_key) as original:
        pixels = load_working_copy(original, SHEET_LONG_SIDE_PX)
    with artifacts.local(scene.arrays.depth) as stored:
        depth = np.load(stored).astype(np.float32)
    regions = None
    if scene.arrays.regions is not None:
        with artifacts.local(scene.arrays.regions) as stored:
            regions = np.load(stored)
    path = prediction.camera_path
    width, height = output_size(
        round(path.aspect_ratio * 10_000), 10_000, long_side_px=SHEET_LONG_SIDE_PX
    )
    renderer = FrameRenderer(pixels, depth, path, width, height)
    return draw_contact_sheet(
        source=pixels,
        analysis=scene,
        depth=depth,
        prediction=prediction,
        first_frame=renderer.render(0.0),
        last_frame=renderer.render(1.0),
        regions=regions,
    )


def _shown(path: Path) -> str | None:
    """Return what the sheet at ``path`` says that it was drawn from; None without one."""
    try:
        with Image.open(path) as sheet:
            comment = sheet.info.get("comment")
    except (FileNotFoundError, UnidentifiedImageError):
        return None
    return comment.decode("ascii", "replace") if isinstance(comment, bytes) else None


def _write(path: Path, pixels: NDArray[np.uint8], shows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=".sheet-", delete=False) as file:
        draft = Path(file.name)
        try:
            Image.fromarray(pixels).save(
                file, "JPEG", quality=JPEG_QUALITY, comment=shows.encode("ascii")
            )
        except BaseException:
            draft.unlink()
            raise
    draft.chmod(0o644)  # a temporary file is private, a picture to look at is not
    draft.replace(path)
