"""The code version of every stage: what a person changed makes exactly its results stale.

A stage's version names the version of the code behind it and, where rules, templates or models
that a person adds decide, the content of those files.

Belongs here: putting the rooms' versions together. Does not belong here: what else determines a
result (``stages``: inputs and request).
"""

from __future__ import annotations

from animatize_assets.movement.prediction import MOVEMENT_VERSION
from animatize_assets.movement.rules import packaged_rules_version
from animatize_assets.prompts.compiler import TEMPLATE_VERSION
from animatize_assets.prompts.dialects import load_dialects
from animatize_assets.scene.models import SCENE_VERSION

SOURCE_VERSION = "1"
PICTURE_VERSION = "2"
CLIP_VERSION = "5"
"""Raise one when the same inputs may give another result of that stage."""


def code_versions(
    *,
    rules_version: str | None = None,
    dialects_version: str | None = None,
    scene_models_digest: str = "",
) -> dict[str, str]:
    """Stage -> code version; by default with the rules and dialects that ship with the code.

    ``scene_models_digest``: the optional models that measure the scene, as
    ``model_files.digest_of_model_files`` names them; empty without any.
    """
    rules = rules_version or packaged_rules_version()
    dialects = dialects_version or load_dialects().version
    models = f"; models {scene_models_digest}" if scene_models_digest else ""
    return {
        "source_image": SOURCE_VERSION,
        "scene_analysis": f"{SCENE_VERSION}{models}",
        "movement_prediction": f"{MOVEMENT_VERSION}; rules {rules}",
        "motion_prompt": f"templates {TEMPLATE_VERSION}; dialects {dialects}",
        "generated_picture": PICTURE_VERSION,
        "animatic_clip": CLIP_VERSION,
    }
