"""The recipe of a clip as text inside its files.

Belongs here: writing and reading that text. Does not belong here: what a recipe says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from animatize_assets.errors import RenderingFailed

Recipe = dict[str, str | int | float]


def to_text(recipe: Mapping[str, str | int | float]) -> str:
    """Return one line of ASCII JSON with sorted keys: the same recipe is the same text."""
    return json.dumps(dict(recipe), sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_text(text: str | None) -> Recipe:
    """Read what :func:`to_text` wrote.

    Raises:
        RenderingFailed: there is no recipe in the text.
    """
    try:
        recipe = json.loads(text or "")
    except ValueError as error:
        raise RenderingFailed("The file carries no recipe that can be read.") from error
    if not isinstance(recipe, dict):
        raise RenderingFailed("The file carries something else where its recipe belongs.")
    return recipe
