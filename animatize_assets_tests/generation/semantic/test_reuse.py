"""What may serve instead of a new picture, at each level, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.errors import NotConfigured
from animatize_assets.generation.result_index import MOST_COMPARED, ResultIndex
from animatize_assets.generation.semantic.encoder import Encoded
from animatize_assets.generation.semantic.reuse import Reuser
from animatize_assets.generation.semantic.shadow import FalseHits

NOW = datetime(2026, 11, 21, tzinfo=UTC)


class LettersEncoder:
    """Texts are alike when they have the same letters equally often; digits are unknown to it."""

    version = "00112233aabbccdd"

    def encode(self, text: str) -> Encoded:
        if any(letter.isdigit() for letter in text):
            return Encoded(None, "digits")
        counts = np.array([text.count(chr(97 + each)) for each in range(26)], np.float32)
        return Encoded(counts / np.linalg.norm(counts))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/animatize.db")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def reuser(engine: Engine) -> Reuser:
    return Reuser(ResultIndex(engine), not_before=lambda: NOW - timedelta(days=7))


Keep = Callable[..., None]


@pytest.fixture
def keep(reuser: Reuser) -> Keep:
    def keep(
        key: str, text: str, structured: str = "s", encoder: LettersEncoder | None = None
    ) -> None:
        described = replace(reuser, encoder=encoder).about(
            structured, text, record="{}", image_key="boat-0123456789abcdef"
        )
        reuser.index.write(key, described, sha256=f"sha of {key}", byte_count=1, now=NOW)

    return keep


def test_the_same_request_is_exact(reuser: Reuser, keep: Keep) -> None:
    keep("k", "a red car")
    decision = replace(reuser, level="exact").find("k", "s", "a red car")
    assert decision is not None
    assert (decision.result_key, decision.level, decision.similarity) == ("k", "exact", None)
    assert decision.warning is None


def test_exact_means_exact(reuser: Reuser, keep: Keep) -> None:
    keep("k", "a red car")
    assert replace(reuser, level="exact").find("other", "s", "a red car") is None


def test_moved_clauses_are_canonical(reuser: Reuser, keep: Keep) -> None:
    keep("old", "a red car, soft light")
    keep("new", "soft light, a red car")
    decision = reuser.find("k", "s", "Please, soft light, a red car!")
    assert decision is not None
    assert (decision.result_key, decision.level) == ("new", "canonical")
    assert "same content words" in decision.why
    reuse = decision.as_reuse("another")
    assert reuse.source_image_key == "boat-0123456789abcdef"
    assert (reuse.source_sha256, reuse.similarity) == ("sha of new", None)


def test_lost_punctuation_is_canonical(reuser: Reuser, keep: Keep) -> None:
    keep("other", "a blue car, soft light")
    keep("k", "a red car, soft light")
    decision = reuser.find("x", "s", "a red car soft light")
    assert decision is not None
    assert (decision.result_key, decision.level) == ("k", "canonical")


def test_everything_structured_must_be_equal(reuser: Reuser, keep: Keep) -> None:
    keep("k", "a red car", structured="s")
    for level in ("canonical", "similar"):
        asked = replace(reuser, level=level, encoder=LettersEncoder(), threshold=0.5)
        assert asked.find("x", "t", "a red car") is None
        assert asked.suggestions("t", "a red car") == ()


def test_expired_results_do_not_count(reuser: Reuser, keep: Keep) -> None:
    keep("k", "a red car", encoder=LettersEncoder())
    later = replace(
        reuser, not_before=lambda: NOW + timedelta(seconds=1), level="similar",
        encoder=LettersEncoder(),
    )  # fmt: skip
    assert later.find("k", "s", "a red car") is None
    assert later.suggestions("s", "a red car") == ()


def test_texts_without_words_are_not_alike(reuser: Reuser, keep: Keep) -> None:
    keep("k", "please!")
    assert reuser.find("x", "s", "thank you") is None


def test_similar_serves_only_at_its_level(reuser: Reuser, keep: Keep) -> None:
    keep("k", "a car in the rain", encoder=LettersEncoder())
    with_encoder = replace(reuser, encoder=LettersEncoder())
    assert with_encoder.find("x", "s", "the rain in a car") is None
    [suggestion] = with_encoder.suggestions("s", "the rain in a car")
    assert (suggestion.result_key, suggestion.text) == ("k", "a car in the rain")
    assert suggestion.similarity == pytest.approx(1, abs=0.01)


def test_similar_warns_and_says_how_often_it_is_wrong(reuser: Reuser, keep: Keep) -> None:
    keep("k", "a car in the rain", encoder=LettersEncoder())
    similar = replace(reuser, level="similar", encoder=LettersEncoder())
    decision = similar.find("x", "s", "the rain in a car")
    assert decision is not None
    assert (decision.level, decision.similarity) == ("similar", pytest.approx(1, abs=0.01))
    assert "at least 0.95" in decision.why
    assert decision.warning is not None
    assert "not measured yet" in decision.warning
    measured = replace(similar, false_hits=lambda: FalseHits(compared=40, wrong=10))
    decision = measured.find("x", "s", "the rain in a car")
    assert decision is not None
    assert decision.warning is not None
    assert "10 of 40 (25.0 %" in decision.warning


def test_the_most_alike_serves(reuser: Reuser, keep: Keep) -> None:
    keep("less", "a car in the raaaain", encoder=LettersEncoder())
    keep("more", "rain in the car", encoder=LettersEncoder())
    similar = replace(reuser, level="similar", encoder=LettersEncoder(), threshold=0.5)
    decision = similar.find("x", "s", "the car in rain")
    assert decision is not None
    assert decision.result_key == "more"
    assert [each.result_key for each in similar.suggestions("s", "the car in rain")] == [
        "more",
        "less",
    ]


def test_below_the_threshold_nothing_serves(reuser: Reuser, keep: Keep) -> None:
    keep("k", "zzz", encoder=LettersEncoder())
    similar = replace(reuser, level="similar", encoder=LettersEncoder())
    assert similar.find("x", "s", "a car in rain") is None


def test_what_cannot_be_encoded_is_never_similar(reuser: Reuser, keep: Keep) -> None:
    keep("k", "cars in rain 5", encoder=LettersEncoder())
    keep("l", "rain", encoder=None)
    similar = replace(reuser, level="similar", encoder=LettersEncoder(), threshold=0.5)
    assert similar.find("x", "s", "rain in cars") is None
    assert similar.find("x", "s", "rain in cars 5 5") is None
    assert replace(reuser, level="canonical").suggestions("s", "rain") == ()


def test_vectors_of_another_encoder_are_not_compared(reuser: Reuser, keep: Keep) -> None:
    keep("k", "a car in the rain", encoder=LettersEncoder())
    other = LettersEncoder()
    other.version = "ffffffffffffffff"
    assert replace(reuser, encoder=other).suggestions("s", "a car in the rain") == ()


def test_similar_without_a_model_is_refused(reuser: Reuser, keep: Keep) -> None:
    keep("k", "a car")
    similar = replace(reuser, level="similar")
    assert similar.find("k", "s", "a car") is not None
    with pytest.raises(NotConfigured, match="ANIMATIZE_SENTENCE_MODEL"):
        similar.find("x", "s", "a train")


def test_only_the_newest_are_compared(reuser: Reuser, keep: Keep) -> None:
    keep("first", "a red car, soft light")
    for number in range(MOST_COMPARED):
        keep(f"k{number}", f"boat {number}")
    assert reuser.find("x", "s", "a red car soft light") is None
    canonical = reuser.find("x", "s", "soft light, a red car")
    assert canonical is not None, "equality of keys is looked up among all"
    assert canonical.result_key == "first"
