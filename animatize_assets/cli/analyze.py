"""``animatize analyze FILE``: scene and movements of one file; nothing is stored."""

from __future__ import annotations

from pathlib import Path

from rich.console import RenderableType

from animatize_assets.cli.tables import facts, movement_facts
from animatize_assets.cli.terminal import Terminal
from animatize_assets.images.decoding import decode_strictly, load_working_copy
from animatize_assets.images.validation import read_upload
from animatize_assets.movement.models import MovementPrediction
from animatize_assets.movement.prediction import predict_movements
from animatize_assets.movement.rules import load_rules
from animatize_assets.scene.analysis import analyze_scene
from animatize_assets.scene.models import SceneAnalysis
from animatize_assets.scene.optional_models import load_scene_models
from animatize_assets.scene.working_copy import WORKING_LONG_SIDE_PX
from animatize_assets.settings import Settings
from animatize_assets.workplace.opening import limits_of

SMALLEST_SHARE = 0.01
"""A region below one percent is no surface worth naming."""


def analyze(terminal: Terminal, file: Path) -> int:
    """Print what is measured in one file and what should move."""
    scene, prediction = analyze_file(Settings.read(), file)
    terminal.document(
        {
            "scene_analysis": scene.model_dump(mode="json"),
            "movement_prediction": prediction.model_dump(mode="json"),
        }
    )
    terminal.say(_page(file, scene, prediction))
    return 0


def analyze_file(settings: Settings, file: Path) -> tuple[SceneAnalysis, MovementPrediction]:
    """Measure one file as the pipeline would.

    Raises:
        InvalidImage: the file is refused, as an upload would be.

    """
    rows, columns, _ = decode_strictly(read_upload(file, limits_of(settings))).pixels.shape
    measured = analyze_scene(
        load_working_copy(file, WORKING_LONG_SIDE_PX),
        image_size=(columns, rows),
        models=load_scene_models(settings.depth_model, settings.face_model),
    )
    return measured.analysis, predict_movements(measured.analysis, load_rules())


def _page(file: Path, scene: SceneAnalysis, prediction: MovementPrediction) -> RenderableType:
    composition, lighting, scored = scene.composition, scene.lighting, scene.scene_type
    ranked = sorted(scored.scores.items(), key=lambda item: -item[1])[:3]
    regions = [(name, region.share) for name, region in scene.regions]
    named = [f"{name} {share:.0%}" for name, share in regions if share >= SMALLEST_SHARE]
    symmetry, sharpness = composition.symmetry.horizontal, composition.sharpness
    rows = [
        ("size", f"{scene.width}x{scene.height} px, measured at {scene.working_width} px"),
        ("scene", f"{scored.type} ({', '.join(f'{name} {p:.2f}' for name, p in ranked)})"),
        ("regions", ", ".join(named) or "none"),
        ("composition", f"left-right symmetry {symmetry:.2f}, sharpness {sharpness:.2f}"),
        ("light", f"{lighting.key} key, {lighting.temperature}, contrast {lighting.contrast:.2f}"),
        ("depth", f"{scene.depth.method}, confidence {scene.depth.confidence:.2f}"),
        *movement_facts(prediction),
    ]
    return facts(str(file), rows)
