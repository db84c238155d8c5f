"""Models that a person may add by naming a file: a depth network and a face detector.

Belongs here: loading them and asking them one question. Does not belong here: what is measured
without them, and where the names of the files come from (``settings``).

A model that was asked for and cannot be used raises; it is never replaced silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from animatize_assets.errors import NotConfigured

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
"""Both families were trained on inputs normalised so (RGB, 0..1 before)."""

FREE_INPUT_SIDE_PX = 392
"""Input side where the file leaves it free: a multiple of 14 (Depth Anything's patch), and of
8 for speed; MiDaS files fix their own side (256 or 384)."""

FACE_SCORE_FLOOR = 0.6
"""Detections below this are not returned (YuNet's own demo uses 0.6 to 0.9)."""


class DepthModel:
    """An ONNX network of the MiDaS or Depth Anything family: RGB in, inverse depth out.

    Both families give *inverse* relative depth, high = near, so the answer needs scaling only.
    Loading happens here, once; :meth:`estimate` may be called from several threads.
    """

    def __init__(self, path: Path) -> None:
        """Load the file at ``path``.

        Raises:
            NotConfigured: onnxruntime or the file is missing, or the file is no such network.

        """
        self.name = path.name
        self._session = _open_session(path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or not outputs or len(inputs[0].shape) != 4:
            raise NotConfigured(
                f"The depth model {path.name} does not take one batch x 3 x rows x columns input; "
                "name a MiDaS or Depth Anything ONNX file in ANIMATIZE_DEPTH_MODEL."
            )
        batch, channels, rows, columns = inputs[0].shape
        fixed_batch = isinstance(batch, int) and batch != 1
        if channels != 3 or inputs[0].type != "tensor(float)" or fixed_batch:
            raise NotConfigured(
                f"The depth model {path.name} takes {inputs[0].type} {inputs[0].shape}, not "
                "float 1 x 3 x rows x columns; name a MiDaS or Depth Anything ONNX file."
            )
        self._input_name = inputs[0].name
        self._output_name = outputs[0].name
        self._rows = rows if isinstance(rows, int) and rows > 0 else FREE_INPUT_SIDE_PX
        self._columns = columns if isinstance(columns, int) and columns > 0 else FREE_INPUT_SIDE_PX

    def estimate(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Relative inverse depth of ``rgb`` at the network's output size, not yet scaled.

        Raises:
            NotConfigured: the network's answer is not one finite rows x columns map.

        """
        resized = cv2.resize(rgb, (self._columns, self._rows), interpolation=cv2.INTER_AREA)
        tensor = (resized.astype(np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_DEVIATION
        batch = np.ascontiguousarray(tensor.transpose(2, 0, 1)[None], np.float32)
        answer = np.asarray(
            self._session.run([self._output_name], {self._input_name: batch})[0], np.float32
        )
        plane = answer.reshape(answer.shape[-2:]) if answer.size and answer.ndim >= 2 else answer
        if plane.ndim != 2 or min(plane.shape) < 2 or not np.isfinite(plane).all():
            raise NotConfigured(
                f"The depth model {self.name} answered with shape {answer.shape}, not with one "
                "finite rows x columns map; name a MiDaS or Depth Anything ONNX file."
            )
        return plane


def _open_session(path: Path) -> Any:
    if not path.is_file():
        raise NotConfigured(f"The depth model file {path} is missing (ANIMATIZE_DEPTH_MODEL).")
    try:
        import onnxruntime
    except ImportError as error:
        raise NotConfigured(
            "A depth model needs the extra 'depth': pip install 'animatize-assets[depth]'."
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # onnxruntime raises classes of its own without a public base for each way a file is bad.
        raise NotConfigured(
            f"The depth model file {path.name} is not a usable ONNX network: {error}"
        ) from error


@dataclass(frozen=True)
class Face:
    """A detected face: box in fractions of the picture, score in 0..1."""

    bbox: tuple[float, float, float, float]
    score: float


class FaceModel:
    """OpenCV's ``FaceDetectorYN`` on a YuNet ONNX file."""

    def __init__(self, path: Path) -> None:
        """Load the file at ``path``.

        Raises:
            NotConfigured: the file is missing or is no such network.

        """
        if not path.is_file():
            raise NotConfigured(f"The face model file {path} is missing (ANIMATIZE_FACE_MODEL).")
        self.name = path.name
        self._path = path
        self._create((320, 320))

    def _create(self, size: tuple[int, int]) -> cv2.FaceDetectorYN:
        try:
            return cv2.FaceDetectorYN.create(str(self._path), "", size, FACE_SCORE_FLOOR)
        except cv2.error as error:
            raise NotConfigured(
                f"The face model file {self.name} is not a YuNet ONNX network: {error.err}"
            ) from error

    def find(self, rgb: NDArray[np.uint8]) -> tuple[Face, ...]:
        """Faces in ``rgb``, best score first.

        A detector is made for each call: its input size is its state, and calls may come from
        several threads.
        """
        rows, columns = rgb.shape[:2]
        detector = self._create((columns, rows))
        _, found = detector.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        if found is None:
            return ()
        faces = [_face(row, columns, rows) for row in np.asarray(found, np.float64)]
        return tuple(sorted(faces, key=lambda face: (-face.score, face.bbox)))


def _face(row: NDArray[np.float64], columns: int, rows: int) -> Face:
    x, y, width, height = row[:4]
    box = np.array([x / columns, y / rows, (x + width) / columns, (y + height) / rows]).clip(0, 1)
    return Face(
        bbox=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        score=float(np.clip(row[-1], 0, 1)),
    )


@dataclass(frozen=True)
class SceneModels:
    """The models that a person added; None where there is none."""

    depth: DepthModel | None = None
    face: FaceModel | None = None


NO_MODELS = SceneModels()
"""What a fresh clone has."""


def load_scene_models(depth_model: Path | None, face_model: Path | None) -> SceneModels:
    """Load what is named.

    Raises:
        NotConfigured: a named file is missing or unusable, or an extra dependency is missing.

    """
    return SceneModels(
        depth=None if depth_model is None else DepthModel(depth_model),
        face=None if face_model is None else FaceModel(face_model),
    )
