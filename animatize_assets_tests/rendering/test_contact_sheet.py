from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from animatize_assets.movement.models import MovementEvidence
from animatize_assets.rendering import move_glyph
from animatize_assets.rendering.contact_sheet import draw_contact_sheet
from animatize_assets.rendering.lettering import font, legible, wrapped
from animatize_assets.rendering.move_glyph import draw_path, glyph
from animatize_assets.rendering.sheet_page import BACKGROUND, MARGIN_PX, WIDTH_PX
from animatize_assets.rendering.sheet_words import measured_name, name_of
from animatize_assets_tests.prompts import scenes

STRANGE = (
    " \N{EM DASH} \N{LEFT DOUBLE QUOTATION MARK}\N{LATIN SMALL LETTER U WITH DIAERESIS}ber"
    "\N{RIGHT DOUBLE QUOTATION MARK} \N{MULTIPLICATION SIGN} 日本 20\N{DEGREE SIGN} "
)
EVIDENCE = tuple(
    MovementEvidence(
        measurement=name, value=value, comparison=comparison, threshold=threshold, margin=0.5
    )
    for name, value, comparison, threshold in (
        ("subject.strength", 0.82, ">=", 0.4),
        ("composition.negative_space.right", 0.8, ">", 0.6),
        ("composition.horizon", "present", "is_present", None),
        ("scene_type.type", "water", "in", ("water", "landscape")),
    )
)


def photo(width: int, height: int, seed: int = 1) -> NDArray[np.uint8]:
    blocks = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    rows = np.arange(height) * 12 // height
    columns = np.arange(width) * 16 // width
    return blocks[rows][:, columns]


def sheet(
    source: tuple[int, int] = (640, 427),
    frame: tuple[int, int] = (640, 426),
    move: str = "push_in",
    direction: str | None = "in",
    **changes: Any,
) -> NDArray[np.uint8]:
    path = scenes.camera_path(move, direction, aspect_ratio=frame[0] / frame[1])
    given: dict[str, Any] = {
        "source": photo(*source),
        "analysis": scenes.analysis(),
        "depth": np.linspace(0, 1, 90, dtype=np.float32)[:, None].repeat(160, axis=1),
        "prediction": scenes.prediction(
            path, scenes.movement("environment", "clouds_drift", "left"), evidence=EVIDENCE
        ),
        "first_frame": photo(*frame, seed=2),
        "last_frame": photo(*frame, seed=3),
    }
    return draw_contact_sheet(**{**given, **changes})


def clear_margins(drawn: NDArray[np.uint8]) -> bool:
    edge = MARGIN_PX - 4
    strips = (drawn[:, :edge], drawn[:, -edge:], drawn[: edge - 8], drawn[-20:])
    return all((strip == BACKGROUND).all() for strip in strips)


@pytest.mark.parametrize(
    ("source", "frame"),
    [
        ((640, 427), (640, 426)),
        ((427, 640), (426, 640)),
        ((600, 600), (600, 600)),
        ((1200, 300), (1200, 300)),
        ((200, 1000), (200, 1000)),
        ((640, 427), (360, 640)),
        ((640, 512), (640, 512)),
        ((16, 16), (16, 16)),
    ],
)
def test_every_shape_fits_between_the_margins(
    source: tuple[int, int], frame: tuple[int, int]
) -> None:
    drawn = sheet(source, frame)
    assert drawn.shape[1] == WIDTH_PX
    assert 700 < drawn.shape[0] < 3000
    assert drawn.dtype == np.uint8
    assert clear_margins(drawn)


def test_the_same_records_give_the_same_sheet() -> None:
    assert np.array_equal(sheet(), sheet())


def test_a_sheet_without_any_evidence_or_subject_is_drawn() -> None:
    analysis = scenes.changed(
        scenes.analysis(),
        scene_type={"type": "unknown", "score": 0, "scores": {}, "margin": 0, "evidence": ()},
        subject__bbox=None,
        palette__colors=(),
        composition__horizon=None,
        composition__vanishing_point=None,
        composition__lines=(),
    )
    prediction = scenes.prediction(scenes.camera_path("static"), confidence=0.0)
    assert clear_margins(sheet(analysis=analysis, prediction=prediction))


def test_long_words_and_strange_letters_stay_on_the_sheet() -> None:
    path = scenes.camera_path("pan", "left", aspect_ratio=1.5)
    words = "Unsplittable" * 30 + STRANGE + "and so on " * 90
    prediction = scenes.prediction(
        path,
        *(scenes.movement("environment", f"{'very_' * 20}long_{i}") for i in range(9)),
        justification=words,
        evidence=EVIDENCE * 4,
    )
    assert clear_margins(sheet(prediction=prediction))


def test_regions_and_every_picture_show_on_the_sheet() -> None:
    plain = sheet()
    for changed in (
        sheet(regions=np.full((9, 16), 1, np.uint8)),
        sheet(source=(640, 426)),
        sheet(first_frame=photo(640, 426, seed=9)),
        sheet(last_frame=photo(640, 426, seed=9)),
        sheet(depth=np.zeros((9, 16), np.float32)),
        sheet(move="pan", direction="left"),
    ):
        assert changed.shape != plain.shape or (changed != plain).any()


@pytest.mark.parametrize(
    ("move", "axis", "expected"),
    [("pan", 1, 1), ("truck", 1, 1), ("tilt", 0, 1), ("pedestal", 0, 1), ("orbit", 1, 1)],
)
def test_the_sign_points_where_the_move_goes(move: Any, axis: int, expected: int) -> None:
    ahead, back = ("right", "left") if axis == 1 else ("down", "up")
    weights = []
    for direction in (ahead, back):
        sign = glyph(move, direction, 72, color=(255, 255, 255), ground=(0, 0, 0))
        lit = np.asarray(sign.convert("RGBA"), float)[..., 0]
        weights.append((lit.sum(axis=1 - axis) * np.arange(72)).sum() / lit.sum())
    # An arrow is heaviest at its head.
    assert np.sign(weights[0] - weights[1]) == expected


def test_every_move_has_its_own_sign() -> None:
    signs = {
        glyph(move, direction, 48, color=(255, 255, 255), ground=(0, 0, 0)).tobytes()
        for move, direction in scenes.ALL_MOVES
    }
    # Turning and travelling look alike (pan and truck, tilt and pedestal), as do zoom and dolly.
    assert len(signs) == 11


def test_the_path_is_drawn_where_the_camera_looks() -> None:
    path = scenes.camera_path("pan", "right", aspect_ratio=1.5)
    pixels = np.full((200, 300, 3), 100, np.uint8)
    drawn = draw_path(pixels, path)
    amber = np.abs(drawn.astype(int) - move_glyph.LAST).max(axis=-1) < 60
    columns = np.nonzero(amber.any(axis=0))[0]
    # Last viewport: centre 0.5 + 0.08, width 1 / 1.2.
    assert columns.max() / 299 == pytest.approx(0.58 + 0.5 / 1.2, abs=0.02)
    assert drawn[2, 2].max() < 60  # never seen: darkened
    assert (drawn[100, 60] == 100).all()


@pytest.mark.parametrize("text", ["", "word", "one two three four five six", "x" * 300])
@pytest.mark.parametrize("width", [40, 200])
def test_wrapped_lines_fit(text: str, width: int) -> None:
    lines = wrapped(text, 20, width)
    assert all(font(20).getlength(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert len(wrapped(text, 20, width, at_most=2)) <= 2


def test_only_letters_that_the_font_has_are_written() -> None:
    assert legible(STRANGE) == ' - "uber" x ?? 20\N{DEGREE SIGN} '
    missing = bytes(font(20).getmask("\uffff"))
    for letter in legible(STRANGE + "'!%&/()=?+*#<>|\N{PLUS-MINUS SIGN}\N{MIDDLE DOT}"):
        assert letter == " " or bytes(font(20).getmask(letter)) != missing


def test_names_for_people() -> None:
    assert name_of("push_in", "in") == "Push in"
    assert name_of("pan", "left") == "Pan left"
    assert measured_name("composition.negative_space.right") == "Negative space, right"
    assert measured_name("subject.strength") == "Subject, strength"
    assert measured_name("scene_type.type") == "Scene type"
    assert measured_name("lighting.above") == "Lighting, above"
    assert measured_name("composition.edge_density") == "Edge density"
