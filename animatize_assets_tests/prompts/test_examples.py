"""Whole prompts, for people to read: a change of wording must be meant.

The scene: a dark warm lake under a bright sky, subject on the left third; clouds drift.
"""

from __future__ import annotations

import pytest

from animatize_assets.prompts.compiler import compile_prompt
from animatize_assets_tests.prompts import scenes

PREDICTION = scenes.prediction(
    scenes.camera_path("push_in"), scenes.movement("environment", "clouds_drift", "left")
)
EXAMPLES = {
    ("generic", "cinematic"): """
The camera pushes in, starting and ending gently.
In motion: clouds drifting to the left.
One continuous shot of 5 seconds.
Cinematic film look with restrained contrast and natural detail.
A waterside scene with sky and water.
The subject is on the left third of the frame.
Low-key, high-contrast light from the upper left.
Warm color temperature.
Deep space from a near foreground to a far background.
Palette of sky blue, teal, tan and black.
Horizon across the middle, lines converging to a vanishing point.
Complementary color scheme.
Keep everything else exactly as in the first frame.
Avoid flat video look, flicker, warping, morphing shapes, cuts, camera shake, text, watermark.
""",
    ("flux", "dreamlike"): """
A waterside scene with sky and water.
The subject is on the left third of the frame.
Framed as at the end of a push in, about 19 percent tighter than at the start.
Dreamlike look with soft contrast and a gentle glow.
Low-key, high-contrast light from the upper left.
Palette of sky blue, teal, tan and black.
Warm color temperature.
Deep space from a near foreground to a far background.
""",
    ("veo", "noir"): """
Slow dolly in, starting and ending gently.
In motion: clouds drifting to the left.
Film noir in black and white with deep shadows.
A waterside scene with sky and water.
The subject is on the left third of the frame.
Low-key, high-contrast light from the upper left.
Deep space from a near foreground to a far background.
Horizon across the middle, lines converging to a vanishing point.
Keep everything else exactly as in the first frame.
""",
}


@pytest.mark.parametrize(("target", "style"), EXAMPLES)
def test_example(target: str, style: str) -> None:
    prompt = compile_prompt(scenes.analysis(), PREDICTION, target=target, style=style)
    assert prompt.positive.replace(". ", ".\n") == EXAMPLES[target, style].strip()
