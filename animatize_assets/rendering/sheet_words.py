"""What a contact sheet says in words: the move and its reasons, the scene and its colours.

Belongs here: blocks of words for a :class:`~animatize_assets.rendering.sheet_page.Page`. Does not
belong here: type and columns (``sheet_page``).
"""

from __future__ import annotations

from animatize_assets.movement.models import (
    Movement,
    MovementEvidence,
    MovementPrediction,
    name_of_move,
)
from animatize_assets.rendering import overlay
from animatize_assets.rendering.lettering import font
from animatize_assets.rendering.sheet_page import (
    ACCENT,
    BODY,
    LEAD,
    MARGIN_PX,
    QUIET,
    RULE,
    SMALL,
    SURFACE,
    TEXT,
    TITLE,
    WIDTH_PX,
    Block,
    Color,
    Page,
)
from animatize_assets.scene.models import SceneAnalysis

EVIDENCE_AT_MOST = 5
OTHERS_AT_MOST = 5
SCORES_AT_MOST = 4
COLORS_AT_MOST = 6
STRONG, FAIR = 0.7, 0.4
"""Confidence from which a move is called strong or fair."""

TINT_NAMED_FROM = 0.05
"""Share of the picture from which a tinted surface is named in the key."""

_SWATCH_HEIGHT = 88
_COMPARED = {">=": "at least", "<=": "at most", ">": "above", "<": "below", "!=": "not"}


def name_of(movement_type: str, direction: str | None) -> str:
    """``push_in`` as ``Push in``, ``pan`` with ``left`` as ``Pan left``."""
    said = name_of_move(movement_type, direction)
    return said[:1].upper() + said[1:]


def in_words(confidence: float) -> str:
    """Confidence as one word and its number."""
    word = "strong" if confidence >= STRONG else "fair" if confidence >= FAIR else "weak"
    return f"{word}, {confidence:.2f}"


def draw_title(page: Page, prediction: MovementPrediction, provider: str) -> None:
    """Draw the move's name, its confidence, who made the frames, and why, across the page."""
    camera = prediction.camera
    right = WIDTH_PX - MARGIN_PX
    page.text(MARGIN_PX, page.y, "Camera move", SMALL, QUIET)
    _chip(page, right, page.y - 6, provider)
    name = name_of(prediction.camera_path.move, prediction.camera_path.direction)
    page.text(MARGIN_PX - 3, page.y + 26, name, TITLE)
    if camera.evidence:
        words = f"Confidence: {in_words(camera.confidence)}"
        page.text(right, page.y + 52, words, BODY, anchor="ra")
        _bar(page, right - 260, page.y + 90, 260, camera.confidence)
    else:
        page.text(right, page.y + 52, "Nothing speaks for a move", BODY, QUIET, anchor="ra")
    page.y += 124
    page.y = page.paragraph(
        MARGIN_PX, page.y, page.inner_width - 180, camera.justification, LEAD, at_most=4
    )
    page.y += 30


def story_blocks(prediction: MovementPrediction) -> list[Block]:
    """Return the evidence for the move, and the other movements that are kept."""
    blocks: list[Block] = []
    camera = prediction.camera
    if camera.evidence:
        blocks.append(lambda page, x, y, width: _evidence(page, x, y, width, camera))
    others = [movement for movement in prediction.movements if movement is not camera]
    if others:
        blocks.append(lambda page, x, y, width: _others(page, x, y, width, others))
    return blocks


def fact_blocks(analysis: SceneAnalysis) -> list[Block]:
    """Return the scene type, what speaks for it, and the palette."""
    blocks: list[Block] = [lambda page, x, y, width: _scene(page, x, y, width, analysis)]
    if analysis.scene_type.evidence:
        blocks.append(lambda page, x, y, width: _scene_evidence(page, x, y, width, analysis))
    blocks.append(lambda page, x, y, width: _palette(page, x, y, width, analysis))
    return blocks


def composition_key(analysis: SceneAnalysis, *, tinted: bool) -> list[tuple[Color, str]]:
    """Return the colours that the composition drawing of ``analysis`` uses, and what they mean."""
    composition, subject = analysis.composition, analysis.subject
    space = composition.negative_space
    entries: list[tuple[Color, str]] = [(overlay.GRID, "Thirds, larger dots where there is more")]
    if subject.bbox is not None:
        entries.append((overlay.SUBJECT, f"Subject {subject.strength:.2f}"))
    if subject.people:
        entries.append((overlay.PERSON, f"People: {len(subject.people)}"))
    if composition.horizon is not None:
        entries.append((overlay.HORIZON, f"Horizon {composition.horizon.strength:.2f}"))
    if composition.vanishing_point is not None:
        strength = composition.vanishing_point.strength
        entries.append((overlay.VANISHING, f"Vanishing point {strength:.2f}"))
    if composition.lines:
        entries.append((overlay.LINES, "Main directions"))
    if max(space.left, space.right, space.top, space.bottom) >= overlay.EMPTY_FROM:
        entries.append((overlay.EMPTY, "Empty sides"))
    if tinted:
        for name, tint in overlay.REGION_TINTS.items():
            share = getattr(analysis.regions, name).share
            if share >= TINT_NAMED_FROM:
                entries.append((tint, f"{name_of(name, None)} {share:.0%}"))
    return entries


def _chip(page: Page, right: float, y: float, words: str) -> None:
    label = f"Provider: {words}"
    width = page.draw.textlength(label, font=font(SMALL))
    page.draw.rounded_rectangle((right - width - 28, y, right, y + 34), radius=17, fill=SURFACE)
    page.text(right - 14, y + 17, label, SMALL, TEXT, anchor="rm")


def _bar(page: Page, x: float, y: float, width: float, share: float) -> None:
    page.draw.rounded_rectangle((x, y, x + width, y + 6), radius=3, fill=RULE)
    if share * width >= 1:
        filled = max(6.0, share * width)
        page.draw.rounded_rectangle((x, y, x + filled, y + 6), radius=3, fill=ACCENT)


def _evidence(page: Page, x: float, y: float, width: float, camera: Movement) -> float:
    y = page.heading(x, y, "Evidence: measured, and needed")
    for item in camera.evidence[:EVIDENCE_AT_MOST]:
        needed = _needed(item)
        room = width - page.draw.textlength(needed, font=font(BODY)) - 20
        page.paragraph(x, y, room, measured_name(item.measurement), BODY, color=QUIET, at_most=1)
        page.text(x + width, y, needed, BODY, anchor="ra")
        y += 34
    return y


def _needed(item: MovementEvidence) -> str:
    if item.comparison in ("is_present", "is_absent"):
        return item.comparison.removeprefix("is_")
    if item.comparison in ("in", "=="):
        return _short(item.value)
    threshold = item.threshold
    others = ", ".join(threshold) if isinstance(threshold, tuple) else _short(threshold)
    return f"{_short(item.value)}, {_COMPARED[item.comparison]} {others}"


def measured_name(dotted: str) -> str:
    """``composition.negative_space.right`` as ``Negative space, right``."""
    *groups, last = dotted.split(".")
    group = groups[-1] if groups and groups[-1] != "composition" else None
    if group is None:
        said = last
    elif last in group.split("_"):
        said = group
    else:
        said = f"{group}, {last}"
    said = said.replace("_", " ")
    return said[:1].upper() + said[1:]


def _short(value: float | str | None) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _others(page: Page, x: float, y: float, width: float, others: list[Movement]) -> float:
    y = page.heading(x, y, "Also found, by confidence")
    for movement in others[:OTHERS_AT_MOST]:
        score = f"{movement.confidence:.2f}"
        name = f"{name_of(movement.type, movement.direction)} ({movement.category})"
        page.paragraph(x, y, width - 80, name, BODY, at_most=1)
        page.text(x + width, y, score, BODY, QUIET, anchor="ra")
        y += 34
    if len(others) > OTHERS_AT_MOST:
        page.text(x, y, f"and {len(others) - OTHERS_AT_MOST} more", BODY, QUIET)
        y += 34
    return y


def _scene(page: Page, x: float, y: float, width: float, analysis: SceneAnalysis) -> float:
    kind = analysis.scene_type
    y = page.heading(x, y, "Scene")
    known = kind.type != "unknown"
    name = name_of(kind.type, None) if known else "No type stands out"
    page.text(x, y - 4, name, LEAD + 6)
    y += 48
    ranked = sorted(kind.scores.items(), key=lambda item: (-item[1], item[0]))
    for label, score in ranked[:SCORES_AT_MOST]:
        page.text(x, y, name_of(label, None), SMALL, TEXT if label == kind.type else QUIET)
        page.text(x + width, y, f"{score:.2f}", SMALL, QUIET, anchor="ra")
        _bar(page, x + 120, y + 8, width - 180, score)
        y += 30
    return y


def _scene_evidence(page: Page, x: float, y: float, width: float, analysis: SceneAnalysis) -> float:
    y = page.heading(x, y, "What speaks for it: measured, and its pull")
    for item in analysis.scene_type.evidence[:EVIDENCE_AT_MOST]:
        pull = f"{item.value:.2f}   {item.contribution:+.1f}"
        page.paragraph(x, y, width - 140, measured_name(item.measurement), SMALL, at_most=1)
        page.text(x + width, y, pull, SMALL, QUIET, anchor="ra")
        y += 30
    return y


def _palette(page: Page, x: float, y: float, width: float, analysis: SceneAnalysis) -> float:
    y = page.heading(x, y, "Palette")
    colors = analysis.palette.colors[:COLORS_AT_MOST]
    total = sum(color.share for color in colors)
    if not total:
        page.text(x, y, "No dominant color", BODY, QUIET)
        return y + 34
    # Each swatch is as wide as its share, but never too narrow to be seen.
    least = width * 0.07
    widths = [max(least, width * color.share / total) for color in colors]
    scale = width / sum(widths)
    left = x
    for color, own in zip(colors, widths, strict=True):
        right = left + own * scale
        page.draw.rectangle((left, y, right, y + _SWATCH_HEIGHT), fill=color.hex)
        left = right
    y += _SWATCH_HEIGHT + 12
    light = analysis.lighting
    y = page.paragraph(
        x, y, width, "  ".join(color.hex for color in colors), SMALL, color=QUIET, at_most=2
    )
    summary = f"{light.temperature} light, {light.key} key, contrast {light.contrast:.2f}"
    return page.paragraph(x, y + 6, width, summary[:1].upper() + summary[1:], SMALL)
